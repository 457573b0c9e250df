import assert from "node:assert/strict";
import { test } from "node:test";

import { hanning, powerSpectrum } from "../src/fourier.js";

/** By the definition of the transform. */
function direct(line) {
  return Array.from({ length: Math.floor(line.length / 2) + 1 }, (_, k) => {
    const angle = (n) => (2 * Math.PI * k * n) / line.length;
    const real = line.reduce((sum, value, n) => sum + value * Math.cos(angle(n)), 0);
    return real ** 2 + line.reduce((sum, value, n) => sum + value * Math.sin(angle(n)), 0) ** 2;
  });
}

for (const length of [1, 2, 9, 64, 60, 97, 181]) {
  test(`the power of a line of ${length}`, () => {
    const line = Float64Array.from({ length }, (_, n) => Math.sin(n * n) + 0.1 * n);
    const [found, expected] = [powerSpectrum(line), direct(line)];
    assert.equal(found.length, expected.length);
    for (let k = 0; k < found.length; k++) assert.ok(Math.abs(found[k] - expected[k]) < 1e-9 * (1 + expected[k]));
  });
}

test("the window is that of numpy.hanning(5)", () => {
  [0, 0.5, 1, 0.5, 0].forEach((value, n) => assert.ok(Math.abs(hanning(5)[n] - value) < 1e-15));
});
