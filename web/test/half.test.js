import assert from "node:assert/strict";
import { test } from "node:test";

import { halves } from "../src/half.js";

// Of IEEE 754: the largest number and what is rounded to infinity, ties, the smallest normal and the smallest number.
const CASES = [
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [65504, 0x7bff],
  [65519, 0x7bff],
  [65520, 0x7c00],
  [-Infinity, 0xfc00],
  [2 ** -14, 0x0400],
  [2 ** -14 - 2 ** -25, 0x0400],
  [2 ** -24, 0x0001],
  [3 * 2 ** -25, 0x0002],
  [2 ** -25, 0x0000],
  [2 ** -30, 0x0000],
];

for (const [value, bits] of CASES) {
  test(`float16 of ${value}`, () => {
    const bytes = halves(new Uint8Array(Float32Array.of(value).buffer));
    assert.equal(new DataView(bytes.buffer).getUint16(0, true), bits);
  });
}
