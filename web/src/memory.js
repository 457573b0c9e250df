/** What a job takes in memory, worked out before it starts, and how much a page may take. */

import { LONGEST_SIDE } from "./tiling.js";
import { shapeAfter } from "./planning.js";
import { productOf } from "./volume.js";

// What the runtime takes without a scan, and a network for each pixel of the image that it runs.
const [RUNTIME_BYTES, BYTES_PER_PIXEL] = [150e6, 2048];
// A viewer keeps four bytes a voxel for drawing.
const DRAWN_BYTES = 4;
// No browser gives one array more, on any of today's systems.
const LARGEST_ARRAY = 2 ** 31 - 1;
const MOST = 4e9;

/** @returns {number} bytes that the page may take: half of what the browser says there is */
export function allowance() {
  const memory = /** @type {{deviceMemory?: number}} */ (navigator).deviceMemory ?? 4;
  return Math.min(MOST, memory * 0.5e9);
}

/**
 * @param {number[]} shape of the scan
 * @param {number} scanBytes of a voxel of the scan
 * @param {number} storedBytes of a voxel of the result's file
 * @param {import("./planning.js").Step[]} steps
 * @returns {{bytes: number, fits: boolean}} what a job takes at most
 */
export function needOf(shape, scanBytes, storedBytes, steps) {
  const voxels = productOf(shape);
  const shapes = steps.map((_, n) => steps.slice(0, n + 1).reduce(shapeAfter, shape));
  const result = productOf(shapes.at(-1) ?? shape);
  const between = shapes.filter((_, n) => steps[n].stage === "d").map((each) => 4 * productOf(each));
  const sides = [...shape].sort((one, other) => other - one).map((side) => Math.min(side, LONGEST_SIDE));
  const bytes =
    RUNTIME_BYTES +
    BYTES_PER_PIXEL * sides[0] * sides[1] +
    voxels * (2 * scanBytes + DRAWN_BYTES) +
    // A pass reads the volume of the one before it.
    between.slice(-2).reduce((sum, size) => sum + size, 0) +
    result * (storedBytes + DRAWN_BYTES);
  const largest = Math.max(result * storedBytes, voxels * scanBytes, ...between);
  return { bytes, fits: bytes <= allowance() && largest <= LARGEST_ARRAY };
}

/** @param {number} bytes */
export const formatBytes = (bytes) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
