/** From the factors that a user asks for to the stages that make them, as sr_keras.inference.planning. */

import { ScanError } from "./errors.js";

/** @typedef {{stage: "hw"|"d", scale: number, axes: number[]}} Step */
/** @typedef {{stage: "hw"|"d", scale: number, receptive_field_radius: number[]}} Available */

/**
 * @param {number[]} factors along i, j, k
 * @param {number} sliceAxis the through-plane axis
 * @param {Available[]} stages at hand
 * @returns {Step[]} the d stage before the hw stage
 */
export function planSteps(factors, sliceAxis, stages) {
  const [hw, d] = [scalesOf(stages, "hw"), scalesOf(stages, "d")];
  const growing = [0, 1, 2].filter((axis) => factors[axis] !== 1);
  const pair = growing.length === 3 ? growing.filter((axis) => axis !== sliceAxis) : growing;
  const together = pair.length === 2 ? commonFactor(pair.map((axis) => factors[axis]), hw, d) : 1;
  /** @type {Step[]} */
  const steps = growing.flatMap((axis) => {
    const rest = pair.includes(axis) ? factors[axis] / together : factors[axis];
    return scalesFor(rest, d).map((scale) => ({ stage: /** @type {const} */ ("d"), scale, axes: [axis] }));
  });
  return [...steps, ...scalesFor(together, hw).map((scale) => ({ stage: /** @type {const} */ ("hw"), scale, axes: pair }))];
}

/**
 * @param {number[]} shape
 * @param {Step} step
 */
export const shapeAfter = (shape, step) =>
  shape.map((length, axis) => (step.axes.includes(axis) ? length * step.scale : length));

/**
 * @param {Step[]} steps
 * @returns {number} the axis along which the result is made
 */
export function slabAxisOf(steps) {
  const last = steps.find((step) => step.stage === "hw");
  return last ? [0, 1, 2].filter((axis) => !last.axes.includes(axis))[0] : 2;
}

/** @param {Step} step */
export const labelOf = (step) => `${step.stage} x${step.scale} on ${step.axes.map((axis) => "ijk"[axis]).join("")}`;

/**
 * @param {{name: string, shape: number[]}} scan
 * @param {Step[]} steps
 * @param {Available[]} stages
 * @throws {ScanError} a network would see more border than scan
 */
export function checkSlices(scan, steps, stages) {
  for (const step of steps) {
    const axes = step.stage === "d" ? [0, 1, 2] : step.axes;
    const radius = Math.max(...stageFor(step, stages).receptive_field_radius);
    if (Math.min(...axes.map((axis) => scan.shape[axis])) < radius) {
      throw new ScanError(
        `${scan.name}: ${scan.shape.join("x")} voxels are too few for ${labelOf(step)}, which needs ${radius} along ` +
          "each axis of its slices; choose smaller factors, or a larger scan.",
      );
    }
  }
}

/**
 * @template {Available} T
 * @param {Step} step
 * @param {T[]} stages
 * @returns {T}
 */
export function stageFor(step, stages) {
  const found = stages.find((each) => each.stage === step.stage && each.scale === step.scale);
  if (!found) throw new Error(`no stage for ${labelOf(step)}`);
  return found;
}

/**
 * @param {Available[]} stages
 * @param {string} name
 */
const scalesOf = (stages, name) =>
  stages.filter((each) => each.stage === name).map((each) => each.scale).sort((one, other) => other - one);

/**
 * @param {number[]} pair factors of two axes
 * @param {number[]} hw
 * @param {number[]} d
 * @returns {number} the largest factor that the hw stage gives both and whose rest the d stage gives each
 */
function commonFactor(pair, hw, d) {
  for (let factor = Math.min(...pair); factor > 1; factor--) {
    if (pair.some((whole) => whole % factor !== 0)) continue;
    if (scalesOrNone(factor, hw) && pair.every((whole) => scalesOrNone(whole / factor, d))) return factor;
  }
  return 1;
}

/**
 * @param {number} factor
 * @param {number[]} scales
 * @returns {number[]}
 */
function scalesFor(factor, scales) {
  const found = scalesOrNone(factor, scales);
  if (!found) throw new ScanError(`There are no networks of this quality for a factor of ${factor}; choose another.`);
  return found;
}

/**
 * @param {number} factor
 * @param {number[]} scales the largest first
 * @returns {number[]|null} scales whose product is the factor
 */
function scalesOrNone(factor, scales) {
  if (factor === 1) return [];
  for (const scale of scales) {
    const rest = factor % scale === 0 ? scalesOrNone(factor / scale, scales) : null;
    if (rest) return [scale, ...rest];
  }
  return null;
}
