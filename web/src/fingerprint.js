/** What a scan shows of its acquisition, as sr_keras.acquisition.fingerprint and sr_keras.inference.conditions. */

import constants from "./constants.json";
import { hanning, powerSpectrum } from "./fourier.js";
import { apply, normalizationOf } from "./normalization.js";
import { cutSlice, sliceOrder } from "./volume.js";

const { BANDS, DILATIONS, TISSUE, LEAST_TISSUE, LEAST_POWER, LEAST_NOISE, MEDIAN_ABSOLUTE, KERNEL_NORM, SLICES } =
  constants.fingerprint;

/** @typedef {{values: Float32Array, height: number, width: number}} Image normalised */

/**
 * @param {import("./volume.js").Scan} scan
 * @param {import("./planning.js").Step} step the stage, and the axes that grow
 * @returns {Float32Array} for the d stage the mean over both orientations
 */
export function scanFingerprint(scan, step) {
  const across = [0, 1, 2].filter((axis) => !step.axes.includes(axis));
  const axes = step.stage === "hw" ? [0, 1] : [1];
  const found = across.map((axis) =>
    fingerprint(looks(scan, sliceOrder(axis, step.stage === "d" ? step.axes[0] : undefined)), axes),
  );
  const seen = found.filter((each) => each.some((value) => value !== 0));
  return Float32Array.from(meanOf(seen.length ? seen : found.slice(0, 1)));
}

/**
 * @param {Image[]} images
 * @param {number[]} axes of the images that are to be upsampled, of 0 (height) and 1 (width)
 * @returns {Float32Array} steps between the bands of each axis, then the noise levels; zeros where there is no tissue
 */
export function fingerprint(images, axes) {
  const shown = images.filter(({ values }) => values.reduce((n, v) => n + Number(v > TISSUE), 0) >= LEAST_TISSUE * values.length);
  const length = axes.length * (BANDS.length - 2) + DILATIONS.length;
  if (!shown.length) return new Float32Array(length);
  const steps = axes.flatMap((axis) => {
    const bands = meanOf(shown.map((image) => bandPowers(image, axis)));
    return Array.from(bands.slice(1), (value, n) => value - bands[n]);
  });
  const noises = meanOf(shown.map((image) => DILATIONS.map((dilation) => noiseLevel(image, dilation))));
  return Float32Array.from([...steps, ...noises]);
}

/**
 * @param {import("./volume.js").Scan} scan
 * @param {number[]} order
 * @returns {Image[]} a few slices, evenly from the middle three quarters
 */
function looks(scan, order) {
  const [length, height, width] = order.map((axis) => scan.shape[axis]);
  const [start, kept] = [Math.floor(length / 8), Math.max(1, length - Math.floor(length / 4))];
  const places = Array.from({ length: SLICES }, (_, n) => start + Math.floor(((2 * n + 1) * kept) / (2 * SLICES)));
  const normalization = normalizationOf(scan);
  return [...new Set(places)].map((index) => {
    const values = new Float32Array(height * width);
    cutSlice(scan.voxels, scan.shape, order, index, values);
    apply(values, normalization);
    return { values, height, width };
  });
}

/**
 * @param {Image} image
 * @param {number} axis
 * @returns {number[]} the mean decadic logarithm of the power in each band, over the lines with tissue in them
 */
function bandPowers(image, axis) {
  const all = linesOf(image, axis);
  const tissue = all.filter((line) => line.reduce((n, v) => n + Number(v > TISSUE), 0) > TISSUE * line.length);
  const lines = tissue.length ? tissue : all;
  const [length, window] = [all[0].length, hanning(all[0].length)];
  const logs = new Float64Array(Math.floor(length / 2) + 1);
  for (const line of lines) {
    const mean = line.reduce((sum, value) => sum + value, 0) / length;
    const power = powerSpectrum(line.map((value, n) => (value - mean) * window[n]));
    for (let k = 0; k < logs.length; k++) logs[k] += Math.log10(power[k] / length + LEAST_POWER) / lines.length;
  }
  return BANDS.slice(1).map((high, band) => bandMean(logs, length, BANDS[band], high, band === BANDS.length - 2));
}

/**
 * @param {Float64Array} logs by frequency
 * @param {number} length of the lines
 * @param {number} low
 * @param {number} high
 * @param {boolean} last whether the upper edge belongs to the band
 */
function bandMean(logs, length, low, high, last) {
  const inside = logs.filter((_, k) => k / length >= low && (k / length < high || (last && k / length === high)));
  if (inside.length) return inside.reduce((sum, value) => sum + value, 0) / inside.length;
  // Short axes leave bands without a frequency of their own.
  const place = Math.min((0.5 * (low + high)) * length, logs.length - 1);
  const below = Math.floor(place);
  return logs[below] + (logs[Math.min(below + 1, logs.length - 1)] - logs[below]) * (place - below);
}

/**
 * @param {Image} image
 * @param {number} axis along which the lines run
 * @returns {Float64Array[]}
 */
function linesOf({ values, height, width }, axis) {
  const [count, length] = axis === 1 ? [height, width] : [width, height];
  const [between, along] = axis === 1 ? [width, 1] : [1, width];
  return Array.from({ length: count }, (_, line) =>
    Float64Array.from({ length }, (_, n) => values[line * between + n * along]),
  );
}

/**
 * @param {Image} image
 * @param {number} dilation
 * @returns {number} the decadic logarithm of a robust noise level in tissue
 */
function noiseLevel({ values, height, width }, dilation) {
  const [rows, columns] = [height - 2 * dilation, width - 2 * dilation];
  if (rows < 1 || columns < 1) return Math.log10(LEAST_NOISE);
  const [all, inTissue] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  let [n, found] = [0, 0];
  const taps = [1, -2, 1];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, n++) {
      for (let a = 0; a < 3; a++) {
        const place = (y + a * dilation) * width + x;
        all[n] += taps[a] * (values[place] - 2 * values[place + dilation] + values[place + 2 * dilation]);
      }
      all[n] = Math.abs(all[n]);
      if (values[(y + dilation) * width + x + dilation] > TISSUE) inTissue[found++] = all[n];
    }
  }
  const counted = (found ? inTissue.subarray(0, found) : all).sort();
  const median = (counted[(counted.length - 1) >> 1] + counted[counted.length >> 1]) / 2;
  return Math.log10(median / (MEDIAN_ABSOLUTE * KERNEL_NORM) + LEAST_NOISE);
}

/**
 * @param {ArrayLike<number>[]} lists
 * @returns {number[]}
 */
function meanOf(lists) {
  return Array.from(lists[0], (_, n) => lists.reduce((sum, list) => sum + list[n], 0) / lists.length);
}
