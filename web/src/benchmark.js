/** How fast the page is on a machine: reports in the schema of `sr-keras benchmark`. */

import constants from "./constants.json";
import { emptyFields } from "./nifti-fields.js";
import { pixelsOf, upsample } from "./passes.js";
import { labelOf, shapeAfter } from "./planning.js";
import { findAdapter, loadRuntime, openSession, providerOf, threadCount } from "./runtime.js";
import { openStage } from "./stages.js";
import { makeScan, productOf } from "./volume.js";

/**
 * @typedef {object} Settings
 * @property {import("./planning.js").Step[]} steps
 * @property {import("./stages.js").StageEntry[]} entries of each step
 * @property {import("./runtime.js").Kind} kind
 * @property {"single-stream"|"volume"} scenario
 * @property {number} size of a slice, in pixels
 * @property {string} version of sr_keras
 */
/** @typedef {{label: string, macs: number, slices: number, megapixels: number, run: () => Promise<unknown>, load: number}} Candidate */

const [REPEATS, SECONDS, SLICES, MATRIX] = [3, 1, 32, 512];

/**
 * @param {Settings} settings
 * @param {(share: number) => void} onProgress
 */
export async function runBenchmark(settings, onProgress) {
  const { kind, scenario, size } = settings;
  const started = new Date().toISOString();
  const machine = await machineOf(settings);
  const runtime = `onnxruntime-web ${kind}${machine.gpus.map((gpu) => ` (${gpu.name})`).join("")}`;
  const rate = await matrixProduct(kind);
  const { candidates, close } = await (scenario === "volume" ? wholeVolume(settings) : singleSlices(settings));
  const measurements = [];
  for (const [n, candidate] of candidates.entries()) {
    const first = await timed(candidate.run);
    measurements.push(measurement(candidate, runtime, first));
    onProgress((n + 1) / candidates.length / (REPEATS + 1));
  }
  const rates = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    rates.push(await rate());
    for (const [n, candidate] of candidates.entries()) {
      const samples = await sampled(candidate.run, scenario === "volume" ? 0 : SECONDS);
      measurements[n].samples_s.push(samples);
      if (scenario === "volume") measurements[n].parts_s.push(...samples.map((each) => ({ read_s: 0, compute_s: each, write_s: 0 })));
    }
    onProgress((repeat + 2) / (REPEATS + 1));
  }
  await close();
  const used = { scenario, height: size, width: size, batches: [1], seconds: SECONDS, repeats: REPEATS, threads: machine.threads, scan: null };
  const { threads: _, ...described } = machine;
  const gpus = described.gpus;
  return { format: "sr_keras.benchmark/1", started, settings: used, machine: described, gpu_before: [], gpu_after: [], matrix_macs_per_s: rates, measurements, software: gpus.some((gpu) => gpu.software) };
}

/**
 * @param {Settings} settings
 */
async function machineOf({ kind, version }) {
  const adapter = kind === "wasm" ? null : await findAdapter();
  const ort = await loadRuntime(kind);
  const gpus = adapter ? [{ name: adapter.software ? `${adapter.name} (software, no GPU)` : adapter.name, software: adapter.software }] : [];
  const memory = /** @type {{deviceMemory?: number}} */ (navigator).deviceMemory ?? 0;
  return {
    processor: gpus.length ? gpus[0].name : `CPU, WASM with ${threadCount()} threads`,
    cores: navigator.hardwareConcurrency || 1,
    memory_bytes: memory * 2 ** 30,
    system: navigator.userAgent,
    python: "",
    gpus,
    versions: { sr_keras: version, "onnxruntime-web": ort.env.versions.web ?? "" },
    threads: kind === "wasm" ? threadCount() : null,
  };
}

/** @param {Settings} settings */
async function singleSlices({ entries, kind, size }) {
  const image = Float32Array.from(phantom(size, 1), (value) => value / 1000);
  const stages = [...new Map(entries.map((entry) => [entry.name, entry])).values()];
  /** @type {(() => Promise<void>)[]} */
  const opened = [];
  /** @type {Candidate[]} */
  const candidates = [];
  for (const entry of stages) {
    const start = performance.now();
    const { stage, close } = await openStage(entry, kind, Float32Array.from(entry.description));
    const load = (performance.now() - start) / 1000;
    opened.push(close);
    const outputs = entry.scale ** (entry.stage === "hw" ? 2 : 1);
    candidates.push({ label: entry.name, macs: entry.macs * size * size, slices: 1, megapixels: (size * size * outputs) / 1e6, run: () => stage.run(image, size, size), load });
  }
  return { candidates, close: () => Promise.all(opened.map((each) => each())) };
}

/** @param {Settings} settings */
async function wholeVolume({ steps, entries, kind, size }) {
  const shape = [size, size, SLICES];
  const affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
  const scan = makeScan({ name: "phantom", shape, affine, modality: "MR", voxels: phantom(size, SLICES), header: emptyFields() });
  const start = performance.now();
  const opened = await Promise.all(entries.map((entry) => openStage(entry, kind, Float32Array.from(entry.description))));
  const load = (performance.now() - start) / 1000;
  const passes = steps.map((step, n) => ({ step, stage: opened[n].stage }));
  const after = steps.map((_, n) => steps.slice(0, n).reduce(shapeAfter, shape));
  const macs = entries.reduce((sum, entry, n) => sum + entry.macs * pixelsOf(after[n], [steps[n]]), 0);
  const label = `${shape.join("x")}, ${steps.map(labelOf).join(", ")}`;
  const run = () => upsample(scan, passes, async () => {}, () => {});
  /** @type {Candidate[]} */
  const candidates = [{ label, macs, slices: SLICES, megapixels: productOf(steps.reduce(shapeAfter, shape)) / 1e6, run, load }];
  return { candidates, close: () => Promise.all(opened.map((each) => each.close())) };
}

/**
 * @param {Candidate} candidate
 * @param {string} runtime
 * @param {number} first
 */
function measurement({ label, macs, slices, megapixels, load }, runtime, first) {
  return {
    label,
    runtime,
    batch: 1,
    slices,
    megapixels,
    macs: Math.round(macs),
    load_s: load,
    first_s: first,
    samples_s: /** @type {number[][]} */ ([]),
    parts_s: /** @type {object[]} */ ([]),
    peak_bytes: 0,
    psnr_to_baseline: null,
    skipped: "",
  };
}

/**
 * @param {import("./runtime.js").Kind} kind
 * @returns {Promise<() => Promise<number>>} measures the MACs a second of a float32 matrix product
 */
async function matrixProduct(kind) {
  const { Tensor } = await loadRuntime(kind);
  const session = await openSession(providerOf(kind), Uint8Array.from(atob(constants.matrixProduct), (letter) => letter.charCodeAt(0)));
  const values = Float32Array.from({ length: MATRIX * MATRIX }, (_, n) => (n % 7) - 3);
  const run = async () => {
    const [a, b] = [0, 1].map(() => new Tensor("float32", values, [MATRIX, MATRIX]));
    await (await session.run({ a, b })).c.getData(true);
  };
  await run();
  return async () => MATRIX ** 3 / Math.min(...(await sampled(run, 0.2)));
}

/**
 * @param {number} size
 * @param {number} slices
 * @returns {Int16Array} an ellipsoid with waves and noise in it, the same each time
 */
function phantom(size, slices) {
  let state = 1;
  return Int16Array.from({ length: size * size * slices }, (_, n) => {
    const place = [n % size, Math.floor(n / size) % size, Math.floor(n / size / size)];
    const [x, y, z] = place.map((index, axis) => (2 * index) / (axis < 2 ? size : slices) - 1);
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return (x * x + y * y + z * z < 0.8 ? 500 + 200 * Math.sin(20 * x) * Math.cos(15 * y) : 0) + (20 * state) / 2 ** 31;
  });
}

/**
 * @param {() => Promise<unknown>} run
 * @param {number} seconds
 * @returns {Promise<number[]>} seconds of runs one after another: one at least, and as many as begin in the time
 */
async function sampled(run, seconds) {
  const samples = [];
  do samples.push(await timed(run));
  while (samples.reduce((sum, each) => sum + each, 0) < seconds);
  return samples;
}

/** @param {() => Promise<unknown>} run */
async function timed(run) {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
