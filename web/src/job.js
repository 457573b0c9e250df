/** A worker and the scan that it holds: ending the worker is how a job is cancelled. */

import * as Comlink from "comlink";

/** @typedef {import("./files.js").Chosen} Chosen */
/** @typedef {import("./worker.js").Request} Request */
/** @typedef {import("./worker.js").PageWorkerType} PageWorkerType */
/** @typedef {{voxels: import("./volume.js").Voxels, file: ArrayBuffer, shape: number[]}} Result */

export class Job {
  constructor() {
    /** @type {Chosen|null} */
    this.chosen = null;
    this.begin();
  }

  begin() {
    this.thread = new Worker("worker.js", { type: "module" });
    /** @type {Comlink.Remote<PageWorkerType>} */
    this.worker = Comlink.wrap(this.thread);
    /** @type {Promise<never>} rejected when the worker ends: what waits for it must not wait for ever */
    this.ended = new Promise((_, reject) => {
      this.stop = () => reject(new CancelledError());
      this.thread?.addEventListener("error", (event) => reject(new Error(event.message || "the worker did not start")));
    });
    this.ended.catch(() => {});
  }

  /** End what runs; the scan is read again before the next job. */
  cancel() {
    this.thread?.terminate();
    this.stop?.();
    this.begin();
    this.opened = false;
  }

  /**
   * @param {Chosen} chosen
   */
  async open(chosen) {
    this.chosen = chosen;
    this.opened = false;
    const scan = await this.wait(this.worker.open(chosen.files, chosen.name));
    this.opened = true;
    return scan;
  }

  /** @param {Request} request */
  async plan(request) {
    if (this.chosen && !this.opened) await this.open(this.chosen);
    return this.wait(this.worker.plan(request));
  }

  /**
   * @param {Request} request
   * @param {(result: Result) => Promise<void>} onBegin called with the empty result
   * @param {(result: Result) => void} onGrowth called as slices come into it
   * @param {(share: number) => void} onProgress
   */
  async run(request, onBegin, onGrowth, onProgress) {
    const plan = await this.plan(request);
    const file = new ArrayBuffer(plan.header.length + plan.bytes);
    new Uint8Array(file).set(plan.header);
    /** @type {Result|undefined} */
    let result;
    /** @type {(axis: number, index: number, values: import("./volume.js").Voxels) => Promise<void>} */
    const onSlice = async (axis, index, values) => {
      if (!result) {
        const Type = /** @type {any} */ (values).constructor;
        result = { file, shape: plan.shape, voxels: new Type(file, plan.header.length) };
        await onBegin(result);
      }
      putSlice(result, axis, index, values);
      onGrowth(result);
    };
    const outcome = await this.wait(this.worker.run(request, Comlink.proxy(onSlice), Comlink.proxy(onProgress)));
    return { ...outcome, result: /** @type {Result} */ (/** @type {unknown} */ (result)) };
  }

  /**
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T>}
   */
  wait(work) {
    return Promise.race([work, /** @type {Promise<never>} */ (this.ended)]);
  }
}

export class CancelledError extends Error {}

/**
 * @param {Result} result
 * @param {number} axis that the slice is across
 * @param {number} index
 * @param {import("./volume.js").Voxels} values (height, width)
 */
function putSlice({ voxels, shape }, axis, index, values) {
  const strides = [1, shape[0], shape[0] * shape[1]];
  const [height, width] = [0, 1, 2].filter((each) => each !== axis);
  for (let y = 0, n = 0; y < shape[height]; y++) {
    let place = index * strides[axis] + y * strides[height];
    for (let x = 0; x < shape[width]; x++, n++, place += strides[width]) voxels[place] = values[n];
  }
}
