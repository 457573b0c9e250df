/** NumPy's .npz files: the arrays in a zip. */

import { strFromU8, unzipSync } from "fflate";

/** @typedef {{shape: number[], values: Float32Array|Int32Array}} NumpyArray numbers in C order */

/**
 * @param {Uint8Array} bytes
 * @returns {Record<string, NumpyArray>}
 */
export function readNpz(bytes) {
  return Object.fromEntries(
    Object.entries(unzipSync(bytes)).map(([name, content]) => [name.replace(/\.npy$/, ""), readNpy(content)]),
  );
}

/**
 * @param {Uint8Array} bytes
 * @returns {NumpyArray}
 */
function readNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [length, start] = bytes[6] === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const header = strFromU8(bytes.subarray(start, start + length));
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").filter((each) => each.trim()).map(Number);
  if (header.includes("'fortran_order': True")) throw new Error("an array in Fortran order");
  const data = bytes.slice(start + length).buffer;
  if (type === "<f4") return { shape, values: new Float32Array(data) };
  if (type === "<f2") return { shape, values: Float32Array.from(new Uint16Array(data), half) };
  if (type === "<f8") return { shape, values: Float32Array.from(new Float64Array(data)) };
  if (type === "<i4") return { shape, values: new Int32Array(data) };
  throw new Error(`an array of type ${type}`);
}

/**
 * @param {number} bits of a 16-bit float
 * @returns {number}
 */
function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}
