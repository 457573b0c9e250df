/** The passes of the stages over a scan, slice by slice, as sr_keras.inference.streaming. */

import { apply, invert, normalizationOf } from "./normalization.js";
import { shapeAfter, slabAxisOf } from "./planning.js";
import { cutSlice, productOf, sliceOrder, stridesOf } from "./volume.js";

/** @typedef {import("./tiling.js").TiledStage} TiledStage */
/** @typedef {{values: import("./volume.js").Voxels, shape: number[], normalization: import("./normalization.js").Normalization|null}} Source */

/**
 * Upsample a scan.
 * @param {import("./volume.js").Scan} scan
 * @param {{step: import("./planning.js").Step, stage: TiledStage}[]} passes the d stage first
 * @param {(axis: number, index: number, slice: Float32Array) => Promise<void>} onSlice called with each slice of the result
 *   (height, width) across an axis, in the scan's own units
 * @param {(pixels: number) => void} onPixels called with the pixels that went into a network
 */
export async function upsample(scan, passes, onSlice, onPixels) {
  const normalization = normalizationOf(scan);
  const steps = passes.map((pass) => pass.step);
  const shape = steps.reduce(shapeAfter, scan.shape);
  /** @type {Source} */
  let source = { values: scan.voxels, shape: scan.shape, normalization };
  for (const pass of passes.filter(({ step }) => step.stage === "d")) source = await deepened(source, pass, onPixels);
  const axis = slabAxisOf(steps);
  const [across, height, width] = sliceOrder(axis);
  const hw = passes.filter(({ step }) => step.stage === "hw");
  for (let index = 0; index < source.shape[across]; index++) {
    /** @type {Float32Array} */
    let image = normalizedSlice(source, [across, height, width], index);
    let size = [source.shape[height], source.shape[width]];
    for (const { step, stage } of hw) {
      onPixels(image.length);
      image = await runClipped(stage, image, size[0], size[1]);
      size = size.map((length) => length * step.scale);
    }
    invert(image, normalization);
    addBelowFloor(image, scan, shape, [across, height, width], index, normalization.floor);
    await onSlice(axis, index, image);
  }
}

/**
 * @param {number[]} shape
 * @param {import("./planning.js").Step[]} steps
 * @returns {number} pixels that go into the networks
 */
export function pixelsOf(shape, steps) {
  return steps.reduce((sum, step, n) => {
    const before = steps.slice(0, n).reduce(shapeAfter, shape);
    return sum + productOf(before) * (step.stage === "d" ? 2 : 1);
  }, 0);
}

/**
 * Upsample one axis: the mean of what the d stage makes of slices in two orientations.
 * @param {Source} source
 * @param {{step: import("./planning.js").Step, stage: TiledStage}} pass
 * @param {(pixels: number) => void} onPixels
 * @returns {Promise<Source>}
 */
async function deepened(source, { step, stage }, onPixels) {
  const shape = shapeAfter(source.shape, step);
  const values = new Float32Array(productOf(shape));
  const orders = [0, 1, 2].filter((axis) => !step.axes.includes(axis)).map((axis) => sliceOrder(axis, step.axes[0]));
  for (const [number, order] of orders.entries()) {
    for (let index = 0; index < source.shape[order[0]]; index++) {
      const image = normalizedSlice(source, order, index);
      onPixels(image.length);
      const output = await runClipped(stage, image, source.shape[order[1]], source.shape[order[2]]);
      putSlice(values, shape, order, index, output, number > 0);
    }
  }
  return { values, shape, normalization: null };
}

/**
 * @param {TiledStage} stage
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 * @returns {Promise<Float32Array>} what the stage makes of an image; not below zero, the least that networks know
 */
async function runClipped(stage, image, height, width) {
  const output = await stage.run(image, height, width);
  for (let n = 0; n < output.length; n++) if (output[n] < 0) output[n] = 0;
  return output;
}

/**
 * @param {Source} source
 * @param {number[]} order
 * @param {number} index
 */
function normalizedSlice({ values, shape, normalization }, order, index) {
  const image = new Float32Array(shape[order[1]] * shape[order[2]]);
  cutSlice(values, shape, order, index, image);
  if (normalization) apply(image, normalization);
  return image;
}

/**
 * @param {Float32Array} values of a volume
 * @param {number[]} shape
 * @param {number[]} order
 * @param {number} index
 * @param {Float32Array} image
 * @param {boolean} second whether the first orientation is there already: the mean of both stays
 */
function putSlice(values, shape, order, index, image, second) {
  const strides = stridesOf(shape);
  const [height, width] = [shape[order[1]], shape[order[2]]];
  const step = strides[order[2]];
  for (let y = 0, n = 0; y < height; y++) {
    let place = index * strides[order[0]] + y * strides[order[1]];
    for (let x = 0; x < width; x++, n++, place += step) {
      values[place] = second ? Math.fround(values[place] + image[n]) * 0.5 : image[n];
    }
  }
}

/**
 * What a scan has below the floor of its normalisation, such as a CT's padding, is unknown to the networks: it bypasses
 * them.
 * @param {Float32Array} image of the result, in the scan's units
 * @param {import("./volume.js").Scan} scan
 * @param {number[]} shape of the result
 * @param {number[]} order
 * @param {number} index of the slice
 * @param {number} floor
 */
function addBelowFloor(image, scan, shape, order, index, floor) {
  if (scan.range[0] >= floor) return;
  const strides = stridesOf(scan.shape);
  const [across, down, along] = order.map((axis) => shape[axis] / scan.shape[axis]);
  const width = shape[order[2]];
  const start = Math.floor(index / across) * strides[order[0]];
  for (let n = 0; n < image.length; n++) {
    const [y, x] = [Math.floor(Math.floor(n / width) / down), Math.floor((n % width) / along)];
    const below = Math.fround(scan.voxels[start + y * strides[order[1]] + x * strides[order[2]]]) - floor;
    if (below < 0) image[n] += below;
  }
}
