/** The runtimes that run a network: onnxruntime on WebGPU, or compiled to WASM with threads. */

/** @typedef {"webgpu"|"wasm"} Kind */
/** @typedef {{name: string, software: boolean}} Adapter */
/** @typedef {import("onnxruntime-common").InferenceSession} Session */

// More threads than this gain nothing on images of this size.
const MOST_THREADS = 16;
const FILES = { webgpu: "ort-wasm-simd-threaded.asyncify", wasm: "ort-wasm-simd-threaded" };
/** @type {Partial<Record<Kind, Promise<typeof import("onnxruntime-common")>>>} */
const LOADED = {};

/** @returns {Promise<Adapter|null>} the GPU that WebGPU gives, with its name; null where there is none */
export async function findAdapter() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!adapter) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = [...new Set([vendor, architecture, device, description])].filter(Boolean).join(" ") || "a GPU without a name";
  return { name, software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(name) };
}

/** @returns {number} threads of the WASM runtime: one where the page is not isolated */
export const threadCount = () =>
  globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;

/**
 * @param {Kind} kind
 * @returns {Promise<typeof import("onnxruntime-common")>}
 */
export function loadRuntime(kind) {
  LOADED[kind] ??= load(kind);
  return LOADED[kind];
}

/**
 * @param {Kind} kind
 * @param {Uint8Array} content of an ONNX file
 * @returns {Promise<Session>}
 */
export async function openSession(kind, content) {
  const ort = await loadRuntime(kind);
  return ort.InferenceSession.create(content, { executionProviders: [kind], logSeverityLevel: 3 });
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

/** @param {Kind} kind */
async function load(kind) {
  const ort = /** @type {typeof import("onnxruntime-common")} */ (
    kind === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm")
  );
  const base = new URL("ort/", self.location.href).href;
  ort.env.wasm.wasmPaths = { mjs: `${base}${FILES[kind]}.mjs`, wasm: `${base}${FILES[kind]}.wasm` };
  ort.env.wasm.numThreads = kind === "wasm" ? threadCount() : 1;
  return ort;
}
