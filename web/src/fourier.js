/** The discrete Fourier transform of a line of any length, by its prime factors. */

/** @type {Map<number, {cosines: Float64Array, sines: Float64Array}>} */
const CIRCLES = new Map();

/**
 * @param {Float64Array} line real
 * @returns {Float64Array} the squared absolute values of its frequencies from 0 to Nyquist
 */
export function powerSpectrum(line) {
  const { real, imaginary } = transform(line, new Float64Array(line.length));
  const power = new Float64Array(Math.floor(line.length / 2) + 1);
  for (let k = 0; k < power.length; k++) power[k] = real[k] ** 2 + imaginary[k] ** 2;
  return power;
}

/**
 * @param {number} length
 * @returns {Float64Array} the Hann window, zero at both ends
 */
export function hanning(length) {
  if (length === 1) return Float64Array.of(1);
  return Float64Array.from({ length }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (length - 1)));
}

/**
 * @param {Float64Array} real
 * @param {Float64Array} imaginary
 * @returns {{real: Float64Array, imaginary: Float64Array}}
 */
function transform(real, imaginary) {
  const length = real.length;
  if (length === 1) return { real, imaginary };
  const factor = smallestFactor(length);
  const size = length / factor;
  const parts = Array.from({ length: factor }, (_, p) => transform(every(real, p, factor), every(imaginary, p, factor)));
  const { cosines, sines } = circle(length);
  const result = { real: new Float64Array(length), imaginary: new Float64Array(length) };
  for (let k = 0; k < length; k++) {
    for (let p = 0; p < factor; p++) {
      const [angle, n] = [(p * k) % length, k % size];
      const [x, y] = [parts[p].real[n], parts[p].imaginary[n]];
      result.real[k] += x * cosines[angle] + y * sines[angle];
      result.imaginary[k] += y * cosines[angle] - x * sines[angle];
    }
  }
  return result;
}

/**
 * @param {Float64Array} values
 * @param {number} first
 * @param {number} step
 */
const every = (values, first, step) =>
  Float64Array.from({ length: values.length / step }, (_, n) => values[first + n * step]);

/** @param {number} length */
function circle(length) {
  let known = CIRCLES.get(length);
  if (!known) {
    const angles = Float64Array.from({ length }, (_, n) => (2 * Math.PI * n) / length);
    known = { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) };
    CIRCLES.set(length, known);
  }
  return known;
}

/** @param {number} length */
function smallestFactor(length) {
  for (let factor = 2; factor * factor <= length; factor++) if (length % factor === 0) return factor;
  return length;
}
