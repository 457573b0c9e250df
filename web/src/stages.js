/** The stages that lie beside the page: their index, files, and sessions folded for a scan. */

import constants from "./constants.json";
import { contentFor, trustIn } from "./folding.js";
import { readNpz } from "./npz.js";
import { openSession, runnerOf } from "./runtime.js";
import { TiledStage } from "./tiling.js";

/**
 * @typedef {object} StageEntry what `sr-keras web` writes of a stage
 * @property {string} name
 * @property {string} family
 * @property {"hw"|"d"} stage
 * @property {number} scale
 * @property {number[]} receptive_field_radius
 * @property {string[]} modalities of the training scans
 * @property {number} macs for one low-resolution pixel
 * @property {number[]} description what a conditional stage is told by default; empty for another one
 * @property {{onnx: string, places?: string, weights?: string}} files
 */
/** @typedef {{version: string, default_family: string, families: Record<string, string[]>, stages: StageEntry[]}} Index */
/** @typedef {{stage: TiledStage, trust: number, close: () => Promise<void>}} OpenStage */

const MODELS = new URL("models/", self.location.href);

/** @returns {Promise<Index>} */
export async function loadIndex() {
  return (await fetched("index.json")).json();
}

/**
 * @param {Index} index
 * @param {string} family
 * @returns {StageEntry[]} one for each kind of stage and scale
 */
export function stagesOf({ families, stages }, family) {
  return stages.filter((each) => families[family].includes(each.name));
}

/**
 * @param {StageEntry} entry
 * @param {import("./runtime.js").Kind} kind
 * @param {Float32Array} description of the scan; without a meaning for a stage that is not conditional
 * @returns {Promise<OpenStage>}
 */
export async function openStage(entry, kind, description) {
  const { content, trust } = await contentOf(entry, description);
  const session = await openSession(kind, content);
  const factors = entry.stage === "hw" ? [entry.scale, entry.scale] : [1, entry.scale];
  // Where it interpolates, wholly or in part.
  const margins = factors.map((factor) => (trust < 1 && factor > 1 ? Math.floor(constants.folding.LINEAR_TAPS / 2) : 0));
  const stage = new TiledStage(await runnerOf(kind, session), factors, entry.receptive_field_radius, margins);
  return { stage, trust, close: () => session.release() };
}

/** @param {StageEntry} entry */
export const isConditional = (entry) => entry.description.length > 0;

/**
 * @param {StageEntry} entry
 * @param {Float32Array} description
 */
async function contentOf({ files }, description) {
  const content = await bytesOf(files.onnx);
  if (!files.places || !files.weights) return { content, trust: 1 };
  const [places, weights] = [readNpz(await bytesOf(files.places)), readNpz(await bytesOf(files.weights))];
  return { content: contentFor(content, places, weights, description), trust: trustIn(weights, description) };
}

/** @param {string} name */
async function bytesOf(name) {
  return new Uint8Array(await (await fetched(name)).arrayBuffer());
}

/** @param {string} name */
async function fetched(name) {
  const response = await fetch(new URL(name, MODELS));
  if (!response.ok) throw new Error(`models/${name}: ${response.status}`);
  return response;
}
