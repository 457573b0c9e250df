/** The runtimes that run a network: onnxruntime on WebGPU, or compiled to WASM with threads. */

import { inHalf } from "./half.js";

/** @typedef {"webgpu"|"webgpu-fp16"|"wasm"} Kind */
/** @typedef {"webgpu"|"wasm"} Provider */
/** @typedef {{name: string, software: boolean, half: boolean}} Adapter half: whether it computes in float16 */
/** @typedef {import("onnxruntime-common").InferenceSession} Session */

// More threads than this gain nothing on images of this size.
const MOST_THREADS = 16;
const FILES = { webgpu: "ort-wasm-simd-threaded.asyncify", wasm: "ort-wasm-simd-threaded" };
/** @type {Partial<Record<Provider, Promise<typeof import("onnxruntime-common")>>>} */
const LOADED = {};

/** @returns {Promise<Adapter|null>} the GPU that WebGPU gives, with its name; null where there is none */
export async function findAdapter() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!adapter) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = [...new Set([vendor, architecture, device, description])].filter(Boolean).join(" ") || "a GPU without a name";
  const software = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(name);
  return { name, software, half: adapter.features.has("shader-f16") };
}

/**
 * @param {Kind} kind
 * @returns {Provider}
 */
export const providerOf = (kind) => (kind === "wasm" ? "wasm" : "webgpu");

/** @returns {number} threads of the WASM runtime: one where the page is not isolated */
export const threadCount = () =>
  globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;

/**
 * @param {Kind} kind
 * @returns {Promise<typeof import("onnxruntime-common")>}
 */
export function loadRuntime(kind) {
  const provider = providerOf(kind);
  LOADED[provider] ??= load(provider);
  return LOADED[provider];
}

/**
 * @param {Kind} kind
 * @param {Uint8Array} content of an ONNX file in float32
 * @returns {Promise<Session>}
 */
export async function openSession(kind, content) {
  const ort = await loadRuntime(kind);
  const model = kind === "webgpu-fp16" ? inHalf(content) : content;
  return ort.InferenceSession.create(model, { executionProviders: [providerOf(kind)], logSeverityLevel: 3 });
}

/**
 * @param {Kind} kind
 * @param {Session} session of a stage
 * @returns {Promise<import("./tiling.js").Run>}
 */
export async function runnerOf(kind, session) {
  const { Tensor } = await loadRuntime(kind);
  return async (images, count, height, width) => {
    const lr = new Tensor("float32", images, [count, height, width, 1]);
    const { final } = await session.run({ lr }, ["final"]);
    const values = /** @type {Float32Array} */ (await final.getData(true));
    lr.dispose();
    return values;
  };
}

/** @param {Provider} provider */
async function load(provider) {
  const ort = /** @type {typeof import("onnxruntime-common")} */ (
    provider === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm")
  );
  const base = new URL("ort/", self.location.href).href;
  ort.env.wasm.wasmPaths = { mjs: `${base}${FILES[provider]}.mjs`, wasm: `${base}${FILES[provider]}.wasm` };
  ort.env.wasm.numThreads = provider === "wasm" ? threadCount() : 1;
  return ort;
}
