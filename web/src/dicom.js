/** A series of DICOM files with a slice each, as sr_keras.dicom reads it. */

import dicomParser from "dicom-parser";

import { ScanError } from "./errors.js";
import { checkStack, heightOf, lpsAffine } from "./dicom-grid.js";
import { headerOfVolume } from "./nifti.js";
import { makeScan } from "./volume.js";

/** @typedef {import("dicom-parser").DataSet} DataSet */

/**
 * @typedef {object} Frame
 * @property {DataSet} header
 * @property {File} file
 * @property {string} series
 * @property {number[]} position of the centre of the first pixel, mm, LPS
 * @property {number[]} row unit vector, LPS
 * @property {number[]} column unit vector, LPS
 * @property {number[]} spacing between columns and between rows, mm
 * @property {number[]} shape columns and rows
 * @property {number} slope
 * @property {number} intercept
 */

// Implicit and explicit VR, little endian; deflated ones are undone by the parser where it has zlib: not here.
const PLAIN = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"];
const USE = "use sr-keras predict for it";
const DIRECTORY_CLASS = "1.2.840.10008.1.3.10";
const INTEGERS = [Int16Array, Uint16Array, Int32Array];
const LIMITS = [[-32768, 32767], [0, 65535], [-2147483648, 2147483647]];

/**
 * @param {File[]} files
 * @param {string} name of their folder
 * @param {(bytes: number) => void} checkMemory called with the size of the scan, before its pixels are read
 * @returns {Promise<import("./volume.js").Scan>}
 * @throws {ScanError} they are no series that can be read
 */
export async function readDicom(files, name, checkMemory) {
  /** @type {Frame[]} */
  const frames = [];
  for (const file of files) {
    const frame = await frameOf(file);
    if (frame) frames.push(frame);
  }
  if (!frames.length) throw new ScanError(`${name} holds no DICOM image; choose a NIfTI file or a folder with a series.`);
  const series = new Set(frames.map((frame) => frame.series));
  if (series.size > 1) throw new ScanError(`${name} holds ${series.size} series; choose the files of one.`);
  const modality = frames[0].header.string("x00080060");
  if (modality !== "CT" && modality !== "MR") throw new ScanError(`${name} must be CT or MR, not ${modality ?? "unknown"}.`);
  frames.sort((one, other) => heightOf(one, frames[0]) - heightOf(other, frames[0]));
  checkStack(frames, name);
  const shape = [...frames[0].shape, frames.length];
  checkMemory(4 * shape[0] * shape[1] * shape[2]);
  const voxels = await voxelsOf(frames, shape, modality, name);
  const lps = lpsAffine(frames);
  const affine = [lps[0].map((value) => -value), lps[1].map((value) => -value), lps[2], lps[3]];
  return makeScan({ name, shape, affine, modality, voxels, header: headerOfVolume(affine, shape, voxels) });
}

/**
 * @param {File} file
 * @returns {Promise<Frame|null>} null for a file that is no DICOM image
 */
async function frameOf(file) {
  const magic = new Uint8Array(await file.slice(128, 132).arrayBuffer());
  if (String.fromCharCode(...magic) !== "DICM") return null;
  let header;
  try {
    header = dicomParser.parseDicom(new Uint8Array(await file.arrayBuffer()), { untilTag: "x7fe00010" });
  } catch {
    throw new ScanError(`${file.name} is a damaged DICOM file; copy the series again from its source.`);
  }
  if (header.string("x00080016") === DIRECTORY_CLASS || header.string("x00020002") === DIRECTORY_CLASS) return null;
  checkKind(header, file.name);
  return describeFrame(header, file);
}

/**
 * @param {DataSet} header
 * @param {string} name
 */
function checkKind(header, name) {
  const kind = (header.string("x00080008") ?? "").toUpperCase().split("\\");
  const photometric = header.string("x00280004") ?? "";
  const parts = ["P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"];
  const refusals = [
    [(header.intString("x00280008") ?? 1) > 1, `is a multi-frame object; ${USE}`],
    [kind.includes("MOSAIC"), `is a Siemens mosaic; ${USE}, or convert it with dcm2niix`],
    [kind.includes("LOCALIZER"), "is a localiser; choose the series planned on it"],
    [!photometric.startsWith("MONOCHROME"), "is a colour image; choose the grey original"],
    [header.elements.x00283000, "has a look-up table of values; convert the series first"],
    [header.string("x00080060") === "MR" && kind.slice(2).some((word) => parts.includes(word)), "is no magnitude image; choose the magnitude"],
    [!PLAIN.includes(header.string("x00020010") ?? PLAIN[0]), `has compressed pixels; ${USE}`],
    [![8, 16, 32].includes(header.uint16("x00280100") ?? 0), `has pixels of an unknown size; ${USE}`],
  ];
  const [, reason] = refusals.find(([refused]) => refused) ?? [];
  if (reason) throw new ScanError(`${name} ${reason}.`);
}

/**
 * @param {DataSet} header
 * @param {File} file
 * @returns {Frame}
 */
function describeFrame(header, file) {
  const position = numbers(header, "x00200032", 3, file.name);
  const orientation = numbers(header, "x00200037", 6, file.name);
  const spacing = numbers(header, "x00280030", 2, file.name);
  const slope = header.floatString("x00281053");
  return {
    header,
    file,
    series: header.string("x0020000e") ?? "",
    position,
    row: unit(orientation.slice(0, 3)),
    column: unit(orientation.slice(3)),
    spacing: [spacing[1], spacing[0]],
    shape: [header.uint16("x00280011") ?? 0, header.uint16("x00280010") ?? 0],
    slope: slope || 1,
    intercept: header.floatString("x00281052") ?? 0,
  };
}

/**
 * @param {DataSet} header
 * @param {string} tag
 * @param {number} count
 * @param {string} name
 */
function numbers(header, tag, count, name) {
  const values = (header.string(tag) ?? "").split("\\").map(Number);
  if (values.length !== count || !values.every(Number.isFinite) || (count === 2 && Math.min(...values) <= 0)) {
    throw new ScanError(`${name} does not say where its slice lies; export the series again, as original images.`);
  }
  return values;
}

/** @param {number[]} vector */
const unit = (vector) => vector.map((value) => value / Math.hypot(...vector));

/**
 * @param {Frame[]} frames sorted
 * @param {number[]} shape
 * @param {string} modality
 * @param {string} name
 */
async function voxelsOf(frames, shape, modality, name) {
  const whole = frames.every(({ slope, intercept }) => slope === 1 && Number.isInteger(intercept));
  const voxels = whole ? new Int32Array(shape[0] * shape[1] * shape[2]) : new Float32Array(shape[0] * shape[1] * shape[2]);
  const size = shape[0] * shape[1];
  const padded = frames[0].header.elements.x00280120 ? new Uint8Array(voxels.length) : null;
  for (const [k, frame] of frames.entries()) {
    const pixels = await pixelsOf(frame, size, name);
    const [low, high] = paddingOf(frame.header);
    for (let n = 0; n < size; n++) {
      voxels[k * size + n] = pixels[n] * frame.slope + frame.intercept;
      if (padded && pixels[n] >= low && pixels[n] <= high) padded[k * size + n] = 1;
    }
  }
  if (padded) fillPadding(voxels, padded);
  if (modality !== "CT" && frames[0].header.string("x00280004") === "MONOCHROME1") {
    const { bits, signed } = encodingOf(frames[0].header);
    const mirror = frames[0].slope * (signed ? -1 : 2 ** bits - 1) + 2 * frames[0].intercept;
    for (let n = 0; n < voxels.length; n++) voxels[n] = mirror - voxels[n];
  }
  return narrowed(voxels);
}

/**
 * @param {Frame} frame
 * @param {number} size
 * @param {string} name
 * @returns {Promise<Float64Array>} stored values without unused bits
 */
async function pixelsOf({ header, file }, size, name) {
  const dataset = dicomParser.parseDicom(new Uint8Array(await file.arrayBuffer()));
  const element = dataset.elements.x7fe00010;
  const { allocated, bits, high, signed } = encodingOf(header);
  if (!element || element.length < (size * allocated) / 8) {
    throw new ScanError(`${name}: ${file.name} is truncated; copy the series again from its source.`);
  }
  const view = new DataView(dataset.byteArray.buffer, dataset.byteArray.byteOffset + element.dataOffset);
  const [left, right] = [31 - high, 32 - bits];
  return Float64Array.from({ length: size }, (_, n) => {
    const raw = allocated === 8 ? view.getUint8(n) : allocated === 16 ? view.getUint16(2 * n, true) : view.getUint32(4 * n, true);
    return signed ? (raw << left) >> right : (raw << left) >>> right;
  });
}

/** @param {DataSet} header */
function encodingOf(header) {
  const allocated = header.uint16("x00280100") ?? 16;
  const bits = header.uint16("x00280101") ?? allocated;
  const top = header.uint16("x00280102") ?? bits - 1;
  return { allocated, bits, high: top >= bits - 1 && top < allocated ? top : bits - 1, signed: header.uint16("x00280103") === 1 };
}

/**
 * @param {DataSet} header
 * @returns {number[]} the least and the greatest stored value that stand for nothing; none are between infinities
 */
function paddingOf(header) {
  const { signed } = encodingOf(header);
  /** @type {(tag: string) => number|undefined} */
  const stored = (tag) => (signed ? header.int16(tag) : header.uint16(tag));
  const one = stored("x00280120");
  if (one === undefined) return [Infinity, -Infinity];
  const other = stored("x00280121") ?? one;
  return [Math.min(one, other), Math.max(one, other)];
}

/**
 * Set padded voxels that are brighter than any real one to the darkest real one.
 * @param {Int32Array|Float32Array} voxels
 * @param {Uint8Array} padded
 */
function fillPadding(voxels, padded) {
  let least = Infinity;
  for (let n = 0; n < voxels.length; n++) if (!padded[n] && voxels[n] < least) least = voxels[n];
  if (least === Infinity) return;
  for (let n = 0; n < voxels.length; n++) if (padded[n] && voxels[n] > least) voxels[n] = least;
}

/**
 * @param {Int32Array|Float32Array} voxels
 * @returns {import("./volume.js").Voxels} integers in 16 bits where those hold them
 */
function narrowed(voxels) {
  if (voxels instanceof Float32Array) return voxels;
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of voxels) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const place = LIMITS.findIndex(([low, high]) => low <= least && greatest <= high);
  return INTEGERS[place].from(voxels);
}
