/** The page: what the user chooses, and what becomes of it. */

import { CancelledError, Job } from "./job.js";
import { fromDrop, fromInput } from "./files.js";
import { TooLargeError } from "./errors.js";
import { isolate } from "./isolation.js";
import { measure } from "./measuring.js";
import { element, hide, say, select } from "./elements.js";
import { Viewer } from "./view.js";

const TITLES = /** @type {Record<string, string>} */ ({
  fast: "fast",
  best: "best: slower, a little sharper",
  georgescu2020: "georgescu2020: as published",
});
const job = new Job();
const viewer = new Viewer(element("left", HTMLCanvasElement), element("right", HTMLCanvasElement));
/** @type {import("./job.js").Result|null} */
let result = null;
let running = false;
/** @type {import("./files.js").Chosen|null} */
let reading = null;

/** @returns {import("./worker.js").Request} */
const request = () => ({
  family: select("family").value,
  kind: /** @type {import("./runtime.js").Kind} */ (select("kind").value),
  factors: ["i", "j", "k"].map((axis) => Number(select(`factor-${axis}`).value)),
});

async function begin() {
  say("status", "Getting ready …");
  if (await isolate()) return;
  const { adapter, threads, families, default_family: standard, version } = await job.worker.machine();
  fill(select("family"), families.map((family) => [family, TITLES[family] ?? family]), standard);
  const processor = ["wasm", `processor, ${threads} thread${threads > 1 ? "s" : ""}`];
  fill(select("kind"), [...(adapter ? kindsOf(adapter) : []), processor], adapter && !adapter.software ? "webgpu" : "wasm");
  say("version", version);
  listen();
  await job.worker.prepare(request().kind);
  if (!job.chosen) say("status", "");
  document.documentElement.dataset.ready = "yes";
}

/**
 * @param {import("./runtime.js").Adapter} adapter
 * @returns {string[][]} what it can run, and how it is called
 */
function kindsOf({ name, software, half }) {
  const title = `GPU: ${name}${software ? " (software)" : ""}`;
  return [["webgpu", title], ...(half ? [["webgpu-fp16", `${title}, in half precision`]] : [])];
}

function listen() {
  for (const id of ["file", "folder"]) {
    const input = element(id, HTMLInputElement);
    input.addEventListener("change", () => {
      void open(fromInput(input.files));
      input.value = "";
    });
  }
  const drop = element("drop", HTMLElement);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) await open(await fromDrop(event.dataTransfer));
  });
  for (const id of ["factor-i", "factor-j", "factor-k", "family"]) select(id).addEventListener("change", () => void plan());
  element("controls", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void run();
  });
  element("cancel", HTMLButtonElement).addEventListener("click", () => job.cancel());
  element("save", HTMLElement).addEventListener("click", () => void save());
  element("measure", HTMLButtonElement).addEventListener("click", () => void guarded(() => measure(job, request())));
}

/** @param {import("./files.js").Chosen} chosen */
async function open(chosen) {
  if (running || !chosen.name) return;
  // The last choice counts: what is read of the one before is given up.
  if (reading) job.cancel();
  reading = chosen;
  forget();
  viewer.clear();
  say("plan", "");
  say("scan", `Reading ${chosen.name} …`);
  element("start", HTMLButtonElement).disabled = true;
  const done = await guarded(async () => {
    const scan = await job.open(chosen);
    say("scan", `${chosen.name}: ${scan.summary}`);
    if (!(await viewer.showScan(scan.file))) say("status", "This browser has no WebGL: the scan is not shown, but can be super-resolved.");
  });
  if (reading !== chosen) return say("status", "");
  reading = null;
  if (done) await plan();
  else {
    job.chosen = null;
    say("scan", "Drop a NIfTI file or a DICOM folder here");
  }
}

async function plan() {
  const start = element("start", HTMLButtonElement);
  start.disabled = true;
  say("plan", "");
  if (!job.chosen || running) return;
  await guarded(async () => {
    const found = await job.plan(request());
    say("plan", `Gives ${found.summary}, and takes ${found.memory} of memory at most.`);
    if (!found.fits) throw new TooLargeError(`This takes ${found.memory} of memory, more than the ${found.allowed} of this page`);
    start.disabled = false;
  });
}

async function run() {
  forget();
  setRunning(true);
  const start = performance.now();
  await guarded(async () => {
    const outcome = await job.run(
      request(),
      (growing) => viewer.showResult(growing.file, growing.shape),
      (growing) => viewer.refresh(growing.voxels),
      (share) => showProgress(share, start),
    );
    result = outcome.result;
    viewer.refresh(result.voxels, true);
    hide("save", false);
    say("status", `Done in ${outcome.seconds.toFixed(1)} s.`);
    element("warnings", HTMLElement).replaceChildren(...outcome.warnings.map(item));
  });
  setRunning(false);
  await plan();
}

async function save() {
  if (!result) return;
  const compressed = new Blob([result.file]).stream().pipeThrough(new CompressionStream("gzip"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await new Response(compressed).blob());
  link.download = outputName();
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Do something; what goes wrong is shown in one sentence.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} whether it was done
 */
async function guarded(work) {
  say("problem", "");
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof CancelledError) say("status", "Cancelled.");
    else say("problem", sentenceOf(/** @type {Error} */ (error)));
    return false;
  }
}

/** @param {Error} error */
function sentenceOf(error) {
  if (error.name === "ScanError") return error.message;
  if (error.name === "TooLargeError") return `${error.message}; use instead: ${command()}`;
  if (error.name === "RangeError" || /memory|allocat/i.test(error.message)) {
    return `The browser has not enough memory for this; use instead: ${command()}`;
  }
  return `This page failed (${error.message}); choose the processor under "Run on", or use sr-keras predict.`;
}

function command() {
  const { factors, family } = request();
  const [scan, output] = [job.chosen?.name ?? "SCAN", outputName()].map((name) => (/^[\w.+-]+$/.test(name) ? name : `"${name}"`));
  return `sr-keras predict ${scan} -o ${output} --scale ${factors.join("x")} --quality ${family}`;
}

function outputName() {
  const stem = (job.chosen?.name ?? "scan").replace(/\.(nii(\.gz)?|dcm)$/i, "");
  return `${stem}_super_resolved.nii.gz`;
}

function forget() {
  result = null;
  hide("save", true);
  say("status", "");
  element("warnings", HTMLElement).replaceChildren();
}

/** @param {boolean} now */
function setRunning(now) {
  running = now;
  hide("cancel", !now);
  hide("progress-area", !now);
  hide("start", now);
  for (const id of ["file", "folder", "measure"]) element(id, HTMLElement).toggleAttribute("disabled", now);
  for (const each of document.querySelectorAll("select")) each.disabled = now;
  showProgress(0, performance.now());
}

/**
 * @param {number} share
 * @param {number} start
 */
function showProgress(share, start) {
  element("progress", HTMLProgressElement).value = share;
  const left = ((performance.now() - start) / 1000) * (1 / share - 1);
  say("remaining", share > 0.02 ? `${Math.round(100 * share)} %, about ${Math.ceil(left)} s left` : "Starting …");
}

/** @param {string} text */
function item(text) {
  const found = document.createElement("li");
  found.textContent = text;
  return found;
}

/**
 * @param {HTMLSelectElement} list
 * @param {string[][]} choices value and title
 * @param {string} chosen
 */
function fill(list, choices, chosen) {
  list.replaceChildren(...choices.map(([value, title]) => new Option(title, value, value === chosen, value === chosen)));
}

void guarded(begin);
