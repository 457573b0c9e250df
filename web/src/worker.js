/** Everything that takes time, apart from the page: reading scans, running networks, benchmarks. */

import * as Comlink from "comlink";

import { runBenchmark } from "./benchmark.js";
import constants from "./constants.json";
import { readDicom } from "./dicom.js";
import { ScanError, TooLargeError } from "./errors.js";
import { scanFingerprint } from "./fingerprint.js";
import { spacingOf, throughPlaneAxis } from "./geometry.js";
import { labelMapReason } from "./labels.js";
import { allowance, formatBytes, needOf } from "./memory.js";
import { headerBytes, headerOfResult, readNifti, typeOf } from "./nifti.js";
import { pixelsOf, upsample } from "./passes.js";
import { checkSlices, labelOf, planSteps, shapeAfter, stageFor } from "./planning.js";
import { storedValues } from "./quantization.js";
import { findAdapter, loadRuntime, threadCount } from "./runtime.js";
import { isConditional, loadIndex, openStage, stagesOf } from "./stages.js";
import { describe, productOf, sliceOrder, summaryOf } from "./volume.js";
import { warningsOf } from "./warnings.js";

/** @typedef {import("./runtime.js").Kind} Kind */
/** @typedef {{family: string, factors: number[], kind: Kind}} Request */
/** @typedef {import("./volume.js").Scan} Scan */
/** @typedef {import("./planning.js").Step} Step */
/** @typedef {import("./stages.js").OpenStage} OpenStage */

const { KEPT_NOISE } = constants.folding;
// Slices on their way to a page that is busy drawing.
const MOST_UNDER_WAY = 16;
// Milliseconds between reports of progress.
const REPORT_EVERY = 100;

class PageWorker {
  constructor() {
    /** @type {Scan|null} */
    this.scan = null;
    this.index = loadIndex();
  }

  /** What there is to run on, and which qualities. */
  async machine() {
    const { families, default_family, version } = await this.index;
    return { adapter: await findAdapter(), threads: threadCount(), families: Object.keys(families), default_family, version };
  }

  /**
   * Fetch a runtime, so that the page has it without a network.
   * @param {Kind} kind
   */
  async prepare(kind) {
    const { env } = await loadRuntime(kind);
    const paths = /** @type {{mjs: string, wasm: string}} */ (env.wasm.wasmPaths);
    await Promise.all([fetch(paths.mjs), fetch(paths.wasm)].map(async (each) => (await each).arrayBuffer()));
  }

  /**
   * @param {File[]} files of one scan
   * @param {string} name of the folder that they come from
   * @returns {Promise<{summary: string, shape: number[], file: ArrayBuffer}>} with the scan as a NIfTI file, for a viewer
   */
  async open(files, name) {
    this.scan = null;
    const check = (/** @type {number} */ size) => {
      if (2 * size > allowance()) {
        throw new TooLargeError(`${name} takes ${formatBytes(2 * size)} of memory, more than the ${formatBytes(allowance())} of this page`);
      }
    };
    const nifti = files.find((file) => /\.nii(\.gz)?$/i.test(file.name));
    if (nifti && files.length > 1) throw new ScanError("Choose one NIfTI file, or one folder with a DICOM series.");
    const scan = nifti ? await readNifti(nifti, check) : await readDicom(files, name, check);
    const reason = nifti ? labelMapReason(scan) : "";
    if (reason) throw new ScanError(`${scan.name} looks like a label map (${reason}); choose a scan.`);
    this.scan = scan;
    const file = fileFor(scan);
    return Comlink.transfer({ summary: summaryOf(scan), shape: scan.shape, file }, [file]);
  }

  /**
   * @param {Request} request
   * @returns what the job will give and take, and the header of its result
   */
  async plan({ family, factors }) {
    const { scan, steps } = await this.planned(family, factors);
    const shape = steps.reduce(shapeAfter, scan.shape);
    const header = headerOfResult(scan.header, shape, factors);
    const size = typeOf(header).BYTES_PER_ELEMENT;
    const { bytes, fits } = needOf(scan.shape, scan.voxels.BYTES_PER_ELEMENT, size, steps);
    const spacing = spacingOf(scan.affine).map((value, axis) => value / factors[axis]);
    return {
      shape,
      summary: describe(shape, spacing, scan.modality),
      steps: steps.map(labelOf),
      fits,
      memory: formatBytes(bytes),
      allowed: formatBytes(allowance()),
      header: headerBytes(header),
      bytes: productOf(shape) * size,
    };
  }

  /**
   * @param {Request} request
   * @param {(axis: number, index: number, values: import("./volume.js").Voxels) => Promise<void>} onSlice
   * @param {(share: number) => void} onProgress
   * @returns {Promise<{seconds: number, warnings: string[]}>}
   */
  async run({ family, factors, kind }, onSlice, onProgress) {
    const start = performance.now();
    const { scan, steps, entries } = await this.planned(family, factors);
    const shape = steps.reduce(shapeAfter, scan.shape);
    const header = headerOfResult(scan.header, shape, factors);
    /** @type {Promise<void>[]} */
    const underWay = [];
    const send = async (/** @type {number} */ axis, /** @type {number} */ index, /** @type {Float32Array} */ slice) => {
      const values = storedValues(slice, header);
      underWay.push(onSlice(axis, index, Comlink.transfer(values, [values.buffer])));
      if (underWay.length > MOST_UNDER_WAY) await underWay.shift();
    };
    if (scan.range[0] === scan.range[1]) {
      await sendConstant(scan.range[0], shape, send);
      await Promise.all(underWay);
      return { seconds: (performance.now() - start) / 1000, warnings: [] };
    }
    const descriptions = steps.map((step, n) => descriptionOf(scan, step, entries[n]));
    const opened = await Promise.all(entries.map((entry, n) => openStage(entry, kind, descriptions[n])));
    try {
      const passes = steps.map((step, n) => ({ step, stage: opened[n].stage }));
      await upsample(scan, passes, send, counter(pixelsOf(scan.shape, steps), onProgress));
      await Promise.all(underWay);
    } finally {
      await Promise.all(opened.map((each) => each.close()));
    }
    const used = steps.map((step, n) => ({ step, entry: entries[n], trust: opened[n].trust }));
    return { seconds: (performance.now() - start) / 1000, warnings: warningsOf(scan, used) };
  }

  /**
   * Run one stage on one image.
   * @param {string} name of the stage
   * @param {Kind} kind
   * @param {Float32Array} image normalised
   * @param {number} height
   * @param {number} width
   * @returns {Promise<Float32Array>}
   */
  async runStage(name, kind, image, height, width) {
    const entry = (await this.index).stages.find((each) => each.name === name);
    if (!entry) throw new Error(`no stage ${name}`);
    const opened = await openStage(entry, kind, Float32Array.from(entry.description));
    const output = await opened.stage.run(image, height, width);
    await opened.close();
    return output;
  }

  /**
   * @param {Request & {scenario: "single-stream"|"volume", size: number}} request
   * @param {(share: number) => void} onProgress
   */
  async benchmark({ family, factors, kind, scenario, size }, onProgress) {
    const index = await this.index;
    const own = stagesOf(index, family);
    const steps = planSteps(factors, 2, own);
    const entries = steps.map((step) => stageFor(step, own));
    return runBenchmark({ steps, entries, kind, scenario, size, version: index.version }, onProgress);
  }

  /**
   * @param {string} family
   * @param {number[]} factors
   */
  async planned(family, factors) {
    const scan = this.scan;
    if (!scan) throw new ScanError("Choose a scan first.");
    if (Math.max(...factors) === 1) throw new ScanError("Choose a factor of 2 or 4 for at least one axis.");
    const stages = stagesOf(await this.index, family);
    const steps = planSteps(factors, throughPlaneAxis(spacingOf(scan.affine)), stages);
    if (scan.range[0] !== scan.range[1]) checkSlices(scan, steps, stages);
    return { scan, steps, entries: steps.map((step) => stageFor(step, stages)) };
  }
}

/**
 * @param {Scan} scan
 * @param {Step} step
 * @param {import("./stages.js").StageEntry} entry
 */
function descriptionOf(scan, step, entry) {
  return isConditional(entry) ? Float32Array.from([...scanFingerprint(scan, step), KEPT_NOISE]) : new Float32Array();
}

/**
 * @param {Scan} scan
 * @returns {ArrayBuffer} a NIfTI file of its values as they are
 */
function fileFor(scan) {
  const type = scan.voxels instanceof Float32Array ? 16 : scan.header.datatype[0];
  const header = headerBytes({ ...scan.header, datatype: [type], bitpix: [8 * scan.voxels.BYTES_PER_ELEMENT], scl_slope: [1], scl_inter: [0], vox_offset: [352] });
  const file = new Uint8Array(header.length + scan.voxels.byteLength);
  file.set(header);
  file.set(new Uint8Array(scan.voxels.buffer, scan.voxels.byteOffset, scan.voxels.byteLength), header.length);
  return file.buffer;
}

/**
 * A scan of one value, which no network has to see.
 * @param {number} value
 * @param {number[]} shape
 * @param {(axis: number, index: number, slice: Float32Array) => Promise<void>} send
 */
async function sendConstant(value, shape, send) {
  const [across, height, width] = sliceOrder(2);
  for (let k = 0; k < shape[across]; k++) await send(2, k, new Float32Array(shape[height] * shape[width]).fill(value));
}

/**
 * @param {number} total
 * @param {(share: number) => void} onProgress
 * @returns {(pixels: number) => void}
 */
function counter(total, onProgress) {
  let [done, last] = [0, 0];
  return (pixels) => {
    done += pixels;
    if (performance.now() - last < REPORT_EVERY) return;
    last = performance.now();
    onProgress(done / total);
  };
}

/** @typedef {PageWorker} PageWorkerType */

Comlink.expose(new PageWorker());
