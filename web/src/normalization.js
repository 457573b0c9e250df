/** From a scan's own units to the networks' unit range and back, as sr_keras.volumes.normalization, in 32-bit floats. */

import constants from "./constants.json";

const { CT_FLOOR, CEILING_PERCENTILE, PERCENTILE_SAMPLES } = constants.normalization;

/** @typedef {{floor: number, ceiling: number}} Normalization */

/**
 * @param {import("./volume.js").Scan} scan
 * @returns {Normalization}
 */
export function normalizationOf(scan) {
  const floor = scan.modality === "CT" ? CT_FLOOR : Math.min(0, scan.range[0]);
  const percentile = percentileOf(scan.voxels, CEILING_PERCENTILE[scan.modality]);
  const ceiling = percentile > floor ? percentile : scan.range[1];
  return { floor, ceiling: ceiling > floor ? ceiling : floor + 1 };
}

/**
 * Normalise a slice in place; what lies below the floor becomes zero.
 * @param {Float32Array} slice
 * @param {Normalization} normalization
 */
export function apply(slice, { floor, ceiling }) {
  const [least, range] = [Math.fround(floor), Math.fround(ceiling - floor)];
  for (let n = 0; n < slice.length; n++) {
    const value = Math.fround(slice[n] - least) / range;
    slice[n] = value > 0 ? value : 0;
  }
}

/**
 * Bring normalised values back to the scan's units, in place.
 * @param {Float32Array} slice
 * @param {Normalization} normalization
 */
export function invert(slice, { floor, ceiling }) {
  const [least, range] = [Math.fround(floor), Math.fround(ceiling - floor)];
  for (let n = 0; n < slice.length; n++) slice[n] = Math.fround(slice[n] * range) + least;
}

/**
 * @param {import("./volume.js").Voxels} voxels
 * @param {number} percent
 */
function percentileOf(voxels, percent) {
  const stride = Math.ceil(voxels.length / PERCENTILE_SAMPLES);
  let sample = voxels.slice();
  if (stride > 1) {
    const count = Math.ceil(voxels.length / stride);
    for (let n = 0; n < count; n++) sample[n] = voxels[n * stride];
    sample = sample.slice(0, count);
  }
  sample.sort();
  const place = ((sample.length - 1) * percent) / 100;
  const [low, high] = [sample[Math.floor(place)], sample[Math.min(Math.floor(place) + 1, sample.length - 1)]];
  return low + (high - low) * (place - Math.floor(place));
}
