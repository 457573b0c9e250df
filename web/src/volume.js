/** One scan in memory, as sr_keras.volumes.volume. */

import constants from "./constants.json";
import { ScanError } from "./errors.js";
import { spacingOf } from "./geometry.js";

/** @typedef {Uint8Array|Int8Array|Uint16Array|Int16Array|Uint32Array|Int32Array|Float32Array|Float64Array} Voxels */

/**
 * @typedef {object} Scan
 * @property {string} name of its file or series
 * @property {number[]} shape voxels along i, j, k
 * @property {import("./geometry.js").Affine} affine voxel indices to mm in RAS+
 * @property {"CT"|"MR"} modality
 * @property {Voxels} voxels in the scan's own units, i fastest
 * @property {number[]} range the least and the greatest value
 * @property {import("./nifti.js").Header} header of its NIfTI file, or of one for a DICOM series
 */

/**
 * @param {Omit<Scan, "range"|"modality"> & {modality?: "CT"|"MR"}} parts
 * @returns {Scan}
 * @throws {ScanError} a voxel is not finite
 */
export function makeScan(parts) {
  const range = rangeOf(parts.voxels, parts.name);
  const modality = parts.modality ?? (range[0] < constants.normalization.CT_MINIMUM_BELOW ? "CT" : "MR");
  return { ...parts, range, modality };
}

/**
 * @param {number[]} shape
 * @param {number[]} spacing
 * @param {string} modality
 */
export function describe(shape, spacing, modality) {
  const sizes = spacing.map((value) => String(Number(value.toPrecision(4))));
  return `${shape.join("x")} voxels of ${sizes.join("x")} mm, ${modality === "MR" ? "MRI" : modality}`;
}

/** @param {Scan} scan */
export const summaryOf = (scan) => describe(scan.shape, spacingOf(scan.affine), scan.modality);

/** @param {number[]} numbers */
export const productOf = (numbers) => numbers.reduce((one, other) => one * other, 1);

/**
 * @param {number[]} shape
 * @returns {number[]} by how much an index of each axis moves through the voxels
 */
export const stridesOf = (shape) => [1, shape[0], shape[0] * shape[1]];

/**
 * @param {number} across the axis that slices are cut across
 * @param {number} [depth] the axis that is their width
 * @returns {number[]} the axes (across, height, width)
 */
export function sliceOrder(across, depth) {
  const [height, width] = [0, 1, 2].filter((axis) => axis !== across);
  return depth === height ? [across, width, height] : [across, height, width];
}

/**
 * @param {Voxels} voxels i fastest
 * @param {number[]} shape
 * @param {number[]} order (across, height, width)
 * @param {number} index of the slice
 * @param {Float32Array} out takes the slice, width fastest
 */
export function cutSlice(voxels, shape, order, index, out) {
  const strides = stridesOf(shape);
  const [height, width] = [shape[order[1]], shape[order[2]]];
  const step = strides[order[2]];
  for (let y = 0, n = 0; y < height; y++) {
    let place = index * strides[order[0]] + y * strides[order[1]];
    for (let x = 0; x < width; x++, n++, place += step) out[n] = voxels[place];
  }
}

/**
 * @param {Voxels} voxels
 * @param {string} name
 */
function rangeOf(voxels, name) {
  let [least, greatest, wrong] = [Infinity, -Infinity, 0];
  for (let n = 0; n < voxels.length; n++) {
    const value = voxels[n];
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    if (!(Math.abs(value) <= 1e36)) wrong++;
  }
  if (wrong) throw new ScanError(`${name}: ${wrong} voxels are NaN, infinite or beyond 1e36; repair the scan first.`);
  return [least, greatest];
}
