/** NIfTI files: read a scan, and the header of its result, as sr_keras.io does. */

import { ScanError } from "./errors.js";
import { affineOfQuaternion, product, quaternionOf, spacingOf, toOldIndices } from "./geometry.js";
import { HEADER_1, HEADER_2, emptyFields, readFields, writeFields } from "./nifti-fields.js";
import { Pieces } from "./pieces.js";
import { makeScan, productOf } from "./volume.js";

/** @typedef {import("./nifti-fields.js").Fields} Header */
/** @typedef {import("./volume.js").Voxels} Voxels */

/** @type {Record<number, {new(buffer: ArrayBuffer|number): Voxels, BYTES_PER_ELEMENT: number}>} */
const TYPES = {
  2: Uint8Array,
  4: Int16Array,
  8: Int32Array,
  16: Float32Array,
  64: Float64Array,
  256: Int8Array,
  512: Uint16Array,
  768: Uint32Array,
};
const [SCANNER, ALIGNED, MM] = [1, 2, 2];
// The axes of NIfTI-1 hold no more voxels.
const LONGEST_AXIS = 32767;

/**
 * @param {File} file
 * @param {(bytes: number) => void} checkMemory called with the size of the scan, before it is read
 * @returns {Promise<import("./volume.js").Scan>}
 * @throws {ScanError} it is no scan that can be read
 */
export async function readNifti(file, checkMemory) {
  const pieces = new Pieces(await bytesOf(file), file.name);
  const { header, little } = await readHeader(pieces, file.name);
  const shape = shapeOf(header, file.name);
  const Type = TYPES[header.datatype[0]];
  if (!Type) throw new ScanError(`${file.name} has voxels of a type that this page does not read; use sr-keras predict.`);
  const size = productOf(shape) * Type.BYTES_PER_ELEMENT;
  checkMemory(size);
  const bytes = await pieces.take(size);
  await pieces.end();
  if (!little) swap(bytes, Type.BYTES_PER_ELEMENT);
  const voxels = scaled(new Type(/** @type {ArrayBuffer} */ (bytes.buffer)), header);
  return makeScan({ name: file.name, shape, affine: affineOf(header), voxels, header });
}

/**
 * @param {Header} header of a scan
 * @param {number[]} shape of its result
 * @param {number[]} factors by which the result is finer along i, j, k
 * @returns {Header}
 */
export function headerOfResult(header, shape, factors) {
  if (Math.max(...shape) > LONGEST_AXIS) throw new ScanError(`${shape.join("x")} voxels do not fit NIfTI-1.`);
  const result = structuredClone(header);
  const old = toOldIndices(factors);
  result.dim = [3, ...shape, 1, 1, 1, 1];
  for (const axis of [0, 1, 2]) result.pixdim[axis + 1] /= factors[axis];
  const coded = header.qform_code[0] > 0 || header.sform_code[0] > 0;
  if (!coded && Math.max(...factors) > 1) placeWithoutCodes(header, result);
  if (result.qform_code[0] > 0) {
    const form = product(qformOf(result, header.pixdim), old);
    result.qoffset = [0, 1, 2].map((row) => form[row][3]);
  }
  if (result.sform_code[0] > 0) result.srow = product(sformOf(result), old).slice(0, 3).flat();
  // When each slice was taken is not known of the slices between them.
  result.slice_end = result.slice_code = result.slice_duration = [0];
  result.vox_offset = [HEADER_1 + 4];
  return result;
}

/**
 * @param {import("./geometry.js").Affine} affine with perpendicular, right-handed axes
 * @param {number[]} shape
 * @param {Voxels} voxels
 * @returns {Header} of a scan from elsewhere: qform and sform, scanner coordinates, mm
 */
export function headerOfVolume(affine, shape, voxels) {
  const [type] = Object.entries(TYPES).find(([, each]) => voxels instanceof each) ?? [];
  return {
    ...emptyFields(),
    dim: [3, ...shape, 1, 1, 1, 1],
    datatype: [Number(type)],
    bitpix: [8 * voxels.BYTES_PER_ELEMENT],
    pixdim: [1, ...spacingOf(affine), 0, 0, 0, 0],
    vox_offset: [HEADER_1 + 4],
    scl_slope: [1],
    xyzt_units: [MM],
    qform_code: [SCANNER],
    sform_code: [SCANNER],
    quatern: quaternionOf(affine),
    qoffset: [0, 1, 2].map((row) => affine[row][3]),
    srow: affine.slice(0, 3).flat(),
  };
}

/**
 * @param {Header} header
 * @returns {{slope: number, intercept: number}}
 */
export function scalingOf(header) {
  const slope = header.scl_slope[0];
  if (!Number.isFinite(slope) || slope === 0) return { slope: 1, intercept: 0 };
  return { slope, intercept: Number.isFinite(header.scl_inter[0]) ? header.scl_inter[0] : 0 };
}

/** @param {Header} header */
export const typeOf = (header) => TYPES[header.datatype[0]];

/**
 * @param {Header} header
 * @returns {Uint8Array} what stands before the voxels of a file
 */
export const headerBytes = writeFields;

/**
 * @param {Header} header
 * @returns {import("./geometry.js").Affine}
 */
export function affineOf(header) {
  if (header.sform_code[0] > 0) return sformOf(header);
  if (header.qform_code[0] > 0) return qformOf(header, header.pixdim);
  return baseAffine(header);
}

/** @param {File} file */
async function bytesOf(file) {
  const gzip = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const stream = file.stream();
  return gzip[0] === 0x1f && gzip[1] === 0x8b ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
}

/**
 * @param {Pieces} pieces
 * @param {string} name
 */
async function readHeader(pieces, name) {
  const refusal = new ScanError(`${name} is no NIfTI file, or it is damaged; copy it again from its source.`);
  const start = await pieces.take(HEADER_1);
  const view = new DataView(start.buffer);
  const little = [HEADER_1, HEADER_2].includes(view.getInt32(0, true));
  const size = view.getInt32(0, little);
  if (size !== HEADER_1 && size !== HEADER_2) throw refusal;
  const rest = size === HEADER_2 ? await pieces.take(HEADER_2 - HEADER_1) : new Uint8Array();
  const bytes = new Uint8Array([...start, ...rest]);
  const magic = size === HEADER_1 ? bytes.slice(344, 347) : bytes.slice(4, 7);
  if (!["n+1", "n+2"].includes(String.fromCharCode(...magic))) throw refusal;
  const header = readFields(new DataView(bytes.buffer), size === HEADER_1 ? 1 : 2, little);
  const offset = Math.max(header.vox_offset[0], size + 4);
  if (!(offset < 1e9)) throw refusal;
  await pieces.skip(offset - size);
  return { header, little };
}

/**
 * @param {Header} header
 * @param {string} name
 */
function shapeOf(header, name) {
  const [axes, ...lengths] = header.dim;
  if (axes < 1 || axes > 7 || lengths.slice(0, axes).some((length) => length < 1)) {
    throw new ScanError(`${name} has a damaged header; copy it again from its source.`);
  }
  const volumes = productOf(lengths.slice(3, Math.max(axes, 3)));
  if (axes < 3) throw new ScanError(`${name} has ${axes} axes instead of three; choose a scan.`);
  if (volumes > 1) throw new ScanError(`${name} holds ${volumes} volumes; choose one with sr-keras predict --volume.`);
  return lengths.slice(0, 3);
}

/**
 * @param {Voxels} stored
 * @param {Header} header
 * @returns {Voxels} in real units: as stored where there is no scaling
 */
function scaled(stored, header) {
  const { slope, intercept } = scalingOf(header);
  if (slope === 1 && intercept === 0) return stored;
  const voxels = new Float32Array(stored.length);
  const [factor, offset] = [Math.fround(slope), Math.fround(intercept)];
  for (let n = 0; n < stored.length; n++) voxels[n] = Math.fround(Math.fround(stored[n]) * factor) + offset;
  return voxels;
}

/** @param {Header} header */
function sformOf(header) {
  const rows = [0, 1, 2].map((row) => header.srow.slice(4 * row, 4 * row + 4));
  return [...rows, [0, 0, 0, 1]];
}

/**
 * @param {Header} header
 * @param {number[]} pixdim whose spacing counts
 */
function qformOf(header, pixdim) {
  const left = header.pixdim[0] === -1 ? -1 : 1;
  return affineOfQuaternion(header.quatern, [pixdim[1], pixdim[2], left * pixdim[3]], header.qoffset);
}

/**
 * @param {Header} header without qform and sform
 * @returns {import("./geometry.js").Affine} where nibabel sees it: centred, from right to left
 */
function baseAffine(header) {
  const zooms = [-header.pixdim[1], header.pixdim[2], header.pixdim[3]];
  const rows = zooms.map((zoom, axis) => [0, 1, 2].map((other) => (other === axis ? zoom : 0)));
  return [...rows.map((row, axis) => [...row, (-zooms[axis] * (header.dim[axis + 1] - 1)) / 2]), [0, 0, 0, 1]];
}

/**
 * Keep where programs see a file without transforms: ITK as the qform, nibabel as the sform of a higher code.
 * @param {Header} header
 * @param {Header} result
 */
function placeWithoutCodes(header, result) {
  Object.assign(result, { qform_code: [SCANNER], quatern: [0, 0, 1], qoffset: [0, 0, 0] });
  result.pixdim[0] = 1;
  Object.assign(result, { sform_code: [ALIGNED], srow: baseAffine(header).slice(0, 3).flat() });
}

/**
 * @param {Uint8Array} bytes
 * @param {number} size of a number
 */
function swap(bytes, size) {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}
