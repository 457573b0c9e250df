/** The ONNX file of a conditional stage for one scan, as sr_keras.networks.folding and sr_keras.engines.folded_onnx. */

import constants from "./constants.json";
import { principalAxes } from "./principal-axes.js";
import { productOf } from "./volume.js";

const { LARGEST_DEVIATION, NEAR, FAR, KEYS_A, LARGEST_FIRST_SCORE, LARGEST_SCORE } = constants.folding;

/** @typedef {import("./npz.js").NumpyArray} NumpyArray */
/** @typedef {Record<string, NumpyArray>} Weights by "layer/part", as the .npz file has them */
/** @typedef {{kernel: Float32Array, bias: Float32Array, shape: number[]}} Convolution kernel (height, width, in, out) */

/**
 * @param {Uint8Array} content of the ONNX file
 * @param {Record<string, NumpyArray>} places by the offset of their bytes: which of the folded numbers goes there
 * @param {Weights} weights
 * @param {Float32Array} description the scan's fingerprint, and how much of its noise is kept
 * @returns {Uint8Array} the file with the constants for a scan
 */
export function contentFor(content, places, weights, description) {
  const kernels = fold(weights, description);
  const parts = Object.keys(kernels).sort().flatMap((name) => [kernels[name].kernel, kernels[name].bias]);
  const numbers = new Float32Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  let end = 1;
  for (const part of parts) {
    numbers.set(part, end);
    end += part.length;
  }
  const changed = content.slice();
  for (const [offset, { values }] of Object.entries(places)) {
    const constant = Float32Array.from(values, (index) => numbers[index]);
    changed.set(new Uint8Array(constant.buffer), Number(offset));
  }
  return changed;
}

/**
 * @param {Weights} weights
 * @param {Float32Array} description
 * @returns {number} how much of the network's details a scan gets: 1 within the training mixture, 0 far outside of it
 */
export function trustIn(weights, description) {
  return Math.min(1, Math.max(0, (FAR - distance(weights, description)) / (FAR - NEAR)));
}

/**
 * @param {Weights} weights
 * @param {Float32Array} description
 * @returns {Record<string, Convolution>}
 */
export function fold(weights, description) {
  const { mean, deviation } = weights;
  const standard = plausible(weights, description).map((value, n) => (value - mean.values[n]) / deviation.values[n]);
  const features = standard.map((value) => Math.min(LARGEST_DEVIATION, Math.max(-LARGEST_DEVIATION, value)));
  const hidden = dense(features, weights["hidden0/kernel"], weights["hidden0/bias"]).map((value) => Math.max(value, 0));
  const inner = dense(hidden, weights["hidden1/kernel"], weights["hidden1/bias"]).map(Math.tanh);
  const names = Object.keys(weights).filter((key) => key.endsWith("/mixing")).map((key) => key.replace("/mixing", ""));
  const folded = Object.fromEntries(names.map((name) => [name, foldedLayer(weights, name, inner)]));
  const trust = trustIn(weights, description);
  if (trust < 1) {
    const { details, linear } = folded;
    for (const part of [details.kernel, details.bias, linear.bias]) part.forEach((value, n) => (part[n] = trust * value));
    const cubic = interpolationKernel(linear.shape);
    linear.kernel.forEach((value, n) => (linear.kernel[n] = trust * value + (1 - trust) * cubic[n]));
  }
  return folded;
}

/**
 * @param {Weights} weights
 * @param {Float32Array} description
 * @returns {Float32Array} with the fingerprint cut off along the principal axes of the training mixture
 */
export function plausible({ mean, deviation, members }, description) {
  const [count, length] = members.shape;
  const standard = (/** @type {ArrayLike<number>} */ values, /** @type {number} */ start) =>
    Float64Array.from({ length }, (_, n) => (values[start + n] - mean.values[n]) / deviation.values[n]);
  const learned = Array.from({ length: count }, (_, member) => standard(members.values, member * length));
  const numbers = standard(description, 0);
  const result = Float64Array.from(description);
  for (const [rank, axis] of principalAxes(learned).entries()) {
    const largest = (rank ? LARGEST_SCORE : LARGEST_FIRST_SCORE) * deviationOf(learned.map((each) => dot(each, axis)));
    const score = dot(numbers, axis);
    const cut = Math.min(Math.max(score, -largest), largest) - score;
    for (let n = 0; n < length; n++) result[n] += cut * axis[n] * deviation.values[n];
  }
  return Float32Array.from(result);
}

/** @param {number[]} values */
function deviationOf(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** @type {(one: Float64Array, other: Float64Array) => number} */
const dot = (one, other) => one.reduce((sum, value, n) => sum + value * other[n], 0);

/**
 * @param {Weights} weights
 * @param {Float32Array} description
 * @returns {number} how far a scan is from the nearest acquisition of the mixture, in standard deviations of a number
 */
function distance({ members, deviation }, description) {
  const [count, length] = members.shape;
  let nearest = Infinity;
  for (let member = 0; member < count; member++) {
    let farthest = 0;
    for (let n = 0; n < length; n++) {
      const difference = Math.abs(members.values[member * length + n] - description[n]) / deviation.values[n];
      farthest = Math.max(farthest, difference);
    }
    nearest = Math.min(nearest, farthest);
  }
  return nearest;
}

/**
 * @param {Weights} weights
 * @param {string} name of a layer
 * @param {Float32Array} features
 * @returns {Convolution}
 */
function foldedLayer(weights, name, features) {
  const [kernel, bias, bases] = [`kernel`, `bias`, `bases`].map((part) => weights[`${name}/${part}`]);
  const mixed = dense(features, weights[`${name}/mixing`]);
  const film = dense(features, weights[`${name}/film`]);
  const [size, filters] = [productOf(kernel.shape), bias.values.length];
  const result = Float32Array.from(kernel.values);
  for (let n = 0; n < size; n++) {
    let sum = 0;
    for (let base = 0; base < mixed.length; base++) sum += mixed[base] * bases.values[base * size + n];
    result[n] = (result[n] + sum) * (1 + film[n % filters]);
  }
  const shifted = Float32Array.from(bias.values, (value, n) => value * (1 + film[n]) + film[filters + n]);
  return { kernel: result, bias: shifted, shape: kernel.shape };
}

/**
 * @param {Float32Array} inputs
 * @param {NumpyArray} kernel (inputs, outputs)
 * @param {NumpyArray} [bias]
 * @returns {Float32Array}
 */
function dense(inputs, kernel, bias) {
  const outputs = kernel.shape[1];
  return Float32Array.from({ length: outputs }, (_, out) => {
    let sum = bias ? bias.values[out] : 0;
    for (let n = 0; n < inputs.length; n++) sum += inputs[n] * kernel.values[n * outputs + out];
    return sum;
  });
}

/**
 * @param {number[]} shape of a convolution that gives all pixels made of one: (height, width, 1, pixels)
 * @returns {Float64Array} its kernel for cubic interpolation
 */
export function interpolationKernel([height, width, , pixels]) {
  const factors = height > 1 ? [Math.sqrt(pixels), Math.sqrt(pixels)] : [1, pixels];
  const [rows, columns] = factors.map((factor) => phases(factor, width));
  const kernel = new Float64Array(height * width * pixels);
  for (let y = 0, n = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (const row of rows) for (const column of columns) kernel[n++] = row[y] * column[x];
    }
  }
  return kernel;
}

/**
 * @param {number} factor
 * @param {number} taps
 * @returns {number[][]} the weights of each pixel along an axis, around the centre of the taps
 */
function phases(factor, taps) {
  if (factor === 1) return [[1]];
  const middle = (taps - 1) / 2;
  return Array.from({ length: factor }, (_, pixel) => {
    const centre = middle + (pixel + 0.5) / factor - 0.5;
    const weights = Array.from({ length: taps }, (_, tap) => keys(tap - centre));
    const sum = weights.reduce((one, other) => one + other, 0);
    return weights.map((weight) => weight / sum);
  });
}

/** @param {number} distance in samples */
function keys(distance) {
  const x = Math.abs(distance);
  if (x <= 1) return ((KEYS_A + 2) * x - (KEYS_A + 3)) * x ** 2 + 1;
  return x < 2 ? KEYS_A * (((x - 5) * x + 8) * x - 4) : 0;
}
