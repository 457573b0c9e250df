/** From values in real units to those that a file stores, as sr_keras.volumes.quantization. */

import { scalingOf, typeOf } from "./nifti.js";

/** @type {Record<string, number[]>} */
const LIMITS = {
  Uint8Array: [0, 255],
  Int8Array: [-128, 127],
  Uint16Array: [0, 65535],
  Int16Array: [-32768, 32767],
  Uint32Array: [0, 4294967295],
  Int32Array: [-2147483648, 2147483647],
};

/**
 * @param {Float32Array} values in the scan's own units
 * @param {import("./nifti.js").Header} header of the file
 * @returns {import("./volume.js").Voxels} of the file's type: integers are rounded, and clipped to its range
 */
export function storedValues(values, header) {
  const { slope, intercept } = scalingOf(header);
  const Type = typeOf(header);
  const stored = new Type(values.length);
  const limits = LIMITS[Type.name];
  for (let n = 0; n < values.length; n++) {
    const value = (values[n] - intercept) / slope;
    stored[n] = limits ? Math.min(Math.max(roundedToEven(value), limits[0]), limits[1]) : value;
  }
  return stored;
}

/** @param {number} value */
function roundedToEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
