/** The principal axes of points about the origin, by Jacobi's rotations of the matrix of their products. */

const SWEEPS = 50;

/**
 * @param {Float64Array[]} points
 * @returns {Float64Array[]} unit vectors, that of the largest spread first
 */
export function principalAxes(points) {
  const size = points[0].length;
  const matrix = Array.from({ length: size }, (_, a) =>
    Float64Array.from({ length: size }, (_, b) => points.reduce((sum, point) => sum + point[a] * point[b], 0)),
  );
  const axes = Array.from({ length: size }, (_, a) => Float64Array.from({ length: size }, (_, b) => Number(a === b)));
  const total = matrix.reduce((sum, row, a) => sum + row[a], 0);
  for (let sweep = 0; sweep < SWEEPS && largestBeside(matrix) > 1e-14 * total; sweep++) {
    for (let a = 0; a < size; a++) for (let b = a + 1; b < size; b++) rotate(matrix, axes, a, b);
  }
  const order = axes.map((_, n) => n).sort((one, other) => matrix[other][other] - matrix[one][one]);
  return order.map((n) => axes[n]);
}

/** @param {Float64Array[]} matrix */
const largestBeside = (matrix) =>
  Math.max(...matrix.map((row, a) => Math.max(0, ...row.slice(a + 1).map(Math.abs))));

/**
 * Make an entry beside the diagonal zero.
 * @param {Float64Array[]} matrix symmetric
 * @param {Float64Array[]} axes rows, turned along
 * @param {number} a
 * @param {number} b
 */
function rotate(matrix, axes, a, b) {
  if (matrix[a][b] === 0) return;
  const slope = (matrix[b][b] - matrix[a][a]) / (2 * matrix[a][b]);
  const tangent = (slope < 0 ? -1 : 1) / (Math.abs(slope) + Math.hypot(slope, 1));
  const cosine = 1 / Math.hypot(tangent, 1);
  const sine = tangent * cosine;
  for (const row of matrix) [row[a], row[b]] = [cosine * row[a] - sine * row[b], sine * row[a] + cosine * row[b]];
  for (const rows of [matrix, axes]) {
    const [one, other] = [rows[a], rows[b]];
    for (let n = 0; n < one.length; n++) [one[n], other[n]] = [cosine * one[n] - sine * other[n], sine * one[n] + cosine * other[n]];
  }
}
