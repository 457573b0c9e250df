import assert from "node:assert/strict";
import { test } from "node:test";

import { principalAxes } from "../src/principal-axes.js";

const dot = (one, other) => one.reduce((sum, value, n) => sum + value * other[n], 0);
const points = Array.from({ length: 40 }, (_, p) =>
  Float64Array.from({ length: 7 }, (_, n) => Math.sin(p * (n + 1)) * (n + 1) + 0.3 * Math.cos(p) * n),
);

test("the axes are perpendicular, and the scores along them uncorrelated, the largest first", () => {
  const axes = principalAxes(points);
  const scores = axes.map((axis) => points.map((point) => dot(point, axis)));
  for (const [a, one] of axes.entries()) {
    for (const [b, other] of axes.entries()) {
      assert.ok(Math.abs(dot(one, other) - Number(a === b)) < 1e-12);
      if (a !== b) assert.ok(Math.abs(dot(scores[a], scores[b])) < 1e-9);
    }
  }
  const spreads = scores.map((each) => dot(each, each));
  assert.deepEqual(spreads, [...spreads].sort((one, other) => other - one));
});

test("points on a line have it as their first axis", () => {
  const [first] = principalAxes([1, -2, 5].map((scale) => Float64Array.of(3 * scale, 4 * scale)));
  assert.ok(Math.abs(Math.abs(first[0]) - 0.6) < 1e-12 && Math.abs(Math.abs(first[1]) - 0.8) < 1e-12);
});
