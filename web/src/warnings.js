/** What speaks against a job, a sentence each: the warnings of `sr-keras predict`. */

import constants from "./constants.json";
import { hanning, powerSpectrum } from "./fourier.js";
import { cutSlice, sliceOrder } from "./volume.js";

const { LARGEST_RATIO, UPPER_BAND, LOWER_BAND, SLICES, SHORTEST } = constants.spectrum;

/** @typedef {{step: import("./planning.js").Step, entry: import("./stages.js").StageEntry, trust: number}} Used */

/**
 * @param {import("./volume.js").Scan} scan
 * @param {Used[]} used
 * @returns {string[]}
 */
export function warningsOf(scan, used) {
  const axes = (/** @type {Used} */ { step }) => step.axes.map((axis) => "ijk"[axis]).join("");
  const untrained = used.filter(({ entry }) => !entry.modalities.includes(scan.modality));
  return [
    ...untrained.map(({ entry }) => `${entry.name} was not trained on ${scan.modality}; the result may be worse than its model card says.`),
    ...used.filter(({ entry }) => !entry.description.length).flatMap((each) => {
      const ratio = nyquistRatio(scan, each.step.axes);
      return ratio > LARGEST_RATIO
        ? [`The scan looks noisy or aliased along ${axes(each)} (${ratio.toFixed(1)} dB, threshold ${LARGEST_RATIO} dB); the result may be worse than cubic interpolation.`]
        : [];
    }),
    ...used.filter(({ trust }) => trust < 1).map(
      (each) => `Along ${axes(each)} the scan is unlike those that ${each.entry.name} was trained on; ${Math.round(100 * (1 - each.trust))} % of the result is cubic interpolation.`,
    ),
  ];
}

/**
 * @param {import("./volume.js").Scan} scan
 * @param {number[]} axes
 * @returns {number} the power near the Nyquist frequency relative to that an octave below, in dB
 */
export function nyquistRatio(scan, axes) {
  if (Math.min(...axes.map((axis) => scan.shape[axis])) < SHORTEST) return -Infinity;
  const order = sliceOrder([0, 1, 2].filter((axis) => !axes.includes(axis))[0]);
  const images = middleSlices(scan, order);
  const ratios = axes.map((axis) => bandRatio(images, order.indexOf(axis) - 1));
  const ratio = ratios.reduce((sum, value) => sum + value, 0) / axes.length;
  return ratio > 0 ? 10 * Math.log10(ratio) : -Infinity;
}

/**
 * @param {import("./volume.js").Scan} scan
 * @param {number[]} order
 */
function middleSlices(scan, order) {
  const [length, height, width] = order.map((axis) => scan.shape[axis]);
  const [start, kept] = [Math.floor(length / 4), Math.max(1, Math.floor(length / 2))];
  const count = Math.min(SLICES, kept);
  const floor = scan.modality === "CT" ? constants.normalization.CT_FLOOR : -Infinity;
  return Array.from({ length: count }, (_, n) => {
    const values = new Float32Array(height * width);
    cutSlice(scan.voxels, scan.shape, order, start + Math.floor(((2 * n + 1) * kept) / (2 * count)), values);
    return { values: values.map((value) => Math.max(value, floor)), height, width };
  });
}

/**
 * @param {import("./fingerprint.js").Image[]} images
 * @param {number} axis 0 runs along the height, 1 along the width
 * @returns {number} the mean power in the upper band over that in the lower one
 */
function bandRatio(images, axis) {
  const { height, width } = images[0];
  const [count, length, between, along] = axis === 1 ? [height, width, width, 1] : [width, height, 1, width];
  const [window, sums] = [hanning(length), new Float64Array(Math.floor(length / 2) + 1)];
  for (const { values } of images) {
    for (let line = 0; line < count; line++) {
      const numbers = Float64Array.from({ length }, (_, n) => values[line * between + n * along]);
      const mean = numbers.reduce((sum, value) => sum + value, 0) / length;
      powerSpectrum(numbers.map((value, n) => (value - mean) * window[n])).forEach((power, k) => (sums[k] += power));
    }
  }
  const [upper, lower] = [UPPER_BAND, LOWER_BAND].map(([low, high]) => {
    const inside = sums.filter((_, k) => k / length >= low && k / length <= high);
    return inside.reduce((sum, value) => sum + value, 0) / inside.length;
  });
  return lower > 0 ? upper / lower : 0;
}
