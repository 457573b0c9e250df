/** The regular grid that a stack of slices forms, or why it forms none, as sr_keras.dicom.grid. */

import constants from "./constants.json";
import { ScanError } from "./errors.js";

const { FEWEST_SLICES, ORIENTATION_TOLERANCE, PIXEL_SPACING_TOLERANCE, SPACING_TOLERANCE, SAME_POSITION, TILT_TOLERANCE } =
  constants.dicom;

/** @typedef {import("./dicom.js").Frame} Frame */

/**
 * @param {Frame[]} frames sorted by their heights
 * @param {string} name
 * @throws {ScanError} they are no evenly spaced, upright stack of equal slices
 */
export function checkStack(frames, name) {
  const [first, last] = [frames[0], frames[frames.length - 1]];
  if (frames.length < FEWEST_SLICES) {
    throw new ScanError(`${name}: a scan must have at least ${FEWEST_SLICES} slices, not ${frames.length}.`);
  }
  const odd = frames.find((frame) => !isAlike(frame, first));
  if (odd) throw new ScanError(`${name}: ${odd.file.name} differs from the others in size, spacing or direction; choose one stack.`);
  const gaps = frames.slice(1).map((frame, n) => heightOf(frame, first) - heightOf(frames[n], first));
  const same = gaps.findIndex((gap) => gap < SAME_POSITION);
  if (same >= 0) {
    throw new ScanError(
      `${name}: ${frames[same].file.name} and ${frames[same + 1].file.name} lie at the same position; choose the files ` +
        "of one volume.",
    );
  }
  const height = heightOf(last, first);
  const path = minus(last.position, first.position);
  const angle = (Math.atan2(Math.hypot(...minus(path, scaled(normalOf(first), height))), height) * 180) / Math.PI;
  if (angle > TILT_TOLERANCE) throw new ScanError(`${name} has a gantry tilt of ${angle.toFixed(1)} degrees; resample it first.`);
  if (!isEven(gaps)) throw new ScanError(`${name}: slices are missing or unevenly spaced; choose a series with all of them.`);
}

/**
 * @param {Frame[]} frames sorted
 * @returns {number[][]} voxel indices (column, row, slice) to mm, LPS
 */
export function lpsAffine(frames) {
  const [first, last] = [frames[0], frames[frames.length - 1]];
  const columns = [
    scaled(first.row, first.spacing[0]),
    scaled(first.column, first.spacing[1]),
    scaled(normalOf(first), heightOf(last, first) / (frames.length - 1)),
    first.position,
  ];
  return [...[0, 1, 2].map((row) => columns.map((column) => column[row])), [0, 0, 0, 1]];
}

/**
 * @param {Frame} frame
 * @param {Frame} first
 * @returns {number} mm along the normal of the first slice
 */
export const heightOf = (frame, first) => dot(minus(frame.position, first.position), normalOf(first));

/**
 * @param {Frame} frame
 * @param {Frame} first
 */
function isAlike(frame, first) {
  const turned = [...minus(frame.row, first.row), ...minus(frame.column, first.column)].map(Math.abs);
  const stretched = frame.spacing.map((value, n) => Math.abs(value / first.spacing[n] - 1));
  return (
    Math.max(...turned) <= ORIENTATION_TOLERANCE &&
    Math.max(...stretched) <= PIXEL_SPACING_TOLERANCE &&
    frame.shape.every((length, n) => length === first.shape[n])
  );
}

/** @param {number[]} gaps */
function isEven(gaps) {
  const sorted = [...gaps].sort((one, other) => one - other);
  const usual = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  let place = 0;
  const drift = gaps.map((gap, n) => Math.abs((place += gap) / mean - n - 1));
  return gaps.every((gap) => Math.abs(gap - usual) <= 2 * SPACING_TOLERANCE * usual) && Math.max(...drift) <= SPACING_TOLERANCE;
}

/** @param {Frame} frame */
function normalOf({ row, column }) {
  return [
    row[1] * column[2] - row[2] * column[1],
    row[2] * column[0] - row[0] * column[2],
    row[0] * column[1] - row[1] * column[0],
  ];
}

/** @type {(a: number[], b: number[]) => number[]} */
const minus = (a, b) => a.map((value, n) => value - b[n]);
/** @type {(a: number[], factor: number) => number[]} */
const scaled = (a, factor) => a.map((value) => value * factor);
/** @type {(a: number[], b: number[]) => number} */
const dot = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
