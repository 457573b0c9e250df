/** Where voxels lie: affines are four rows of four, from voxel indices to mm in RAS+, as in sr_keras.volumes.geometry. */

/** @typedef {number[][]} Affine */

// Spacings closer than this fraction are one spacing written with different rounding.
const SPACING_TOLERANCE = 1e-3;

/**
 * @param {Affine} a
 * @param {Affine} b
 * @returns {Affine} their product
 */
export function product(a, b) {
  return a.map((row) => b[0].map((_, column) => row.reduce((sum, value, i) => sum + value * b[i][column], 0)));
}

/**
 * Turn indices of a grid that is finer by whole factors into those of the grid it was made of: first voxel edges stay.
 * @param {number[]} factors along i, j, k
 * @returns {Affine}
 */
export function toOldIndices(factors) {
  const steps = factors.map((factor) => 1 / factor);
  const rows = steps.map((step, axis) => [0, 1, 2].map((other) => (other === axis ? step : 0)));
  return [...rows.map((row, axis) => [...row, 0.5 * (steps[axis] - 1)]), [0, 0, 0, 1]];
}

/**
 * @param {Affine} affine
 * @returns {number[]} mm along i, j, k
 */
export function spacingOf(affine) {
  return [0, 1, 2].map((axis) => Math.hypot(affine[0][axis], affine[1][axis], affine[2][axis]));
}

/**
 * @param {number[]} spacing mm along i, j, k
 * @returns {number} the axis along which slices are stacked: the largest spacing, else the third
 */
export function throughPlaneAxis(spacing) {
  const least = Math.max(...spacing) * (1 - SPACING_TOLERANCE);
  const largest = [0, 1, 2].filter((axis) => spacing[axis] >= least);
  return largest.length === 1 ? largest[0] : 2;
}

/**
 * @param {number[]} quaternion b, c, d; a is at least zero
 * @param {number[]} spacing of the columns, the last one negative where the axes are left-handed
 * @param {number[]} offset
 * @returns {Affine}
 */
export function affineOfQuaternion([b, c, d], spacing, offset) {
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const norm = a * a + b * b + c * c + d * d;
  const s = 2 / norm;
  const rotation = [
    [1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
    [s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)],
    [s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)],
  ];
  return [...rotation.map((row, i) => [...row.map((value, j) => value * spacing[j]), offset[i]]), [0, 0, 0, 1]];
}

/**
 * @param {Affine} affine with perpendicular, right-handed columns
 * @returns {number[]} the quaternion b, c, d of its rotation, a being at least zero
 */
export function quaternionOf(affine) {
  const spacing = spacingOf(affine);
  const r = affine.slice(0, 3).map((row) => row.slice(0, 3).map((value, axis) => value / spacing[axis]));
  const squares = [
    1 + r[0][0] + r[1][1] + r[2][2],
    1 + r[0][0] - r[1][1] - r[2][2],
    1 - r[0][0] + r[1][1] - r[2][2],
    1 - r[0][0] - r[1][1] + r[2][2],
  ];
  const [p, q, s] = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]];
  const [t, u, v] = [r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]];
  // Each row is the quaternion times four of one of its numbers: that of the largest has no small divisor.
  const rows = [
    [squares[0], p, q, s],
    [p, squares[1], t, u],
    [q, t, squares[2], v],
    [s, u, v, squares[3]],
  ];
  const row = rows[squares.indexOf(Math.max(...squares))];
  const length = Math.hypot(...row) * (row[0] < 0 ? -1 : 1);
  return row.slice(1).map((value) => value / length);
}
