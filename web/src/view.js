/** Scan and result beside each other in NiiVue, on one crosshair. */

import { Niivue, SHOW_RENDER } from "@niivue/niivue";

// Milliseconds between drawings of a result that grows: each sends the whole of it to the GPU. Where that takes long, as
// without a GPU, so many times as long passes before the next.
const [DRAW_EVERY, DRAW_SHARE] = [1500, 10];
// Textures of WebGL are no longer than this along an axis in every browser.
const LONGEST_SIDE = 2048;

export class Viewer {
  /**
   * @param {HTMLCanvasElement} left
   * @param {HTMLCanvasElement} right
   */
  constructor(left, right) {
    this.next = 0;
    this.panes = [left, right].map((canvas) => ({ canvas, viewer: /** @type {Niivue|null} */ (null) }));
  }

  /**
   * @param {ArrayBuffer} file a NIfTI file
   * @returns {Promise<boolean>} whether it is shown: not where the browser has no WebGL
   */
  async showScan(file) {
    if (!hasWebGL()) return false;
    const viewer = await this.pane(0);
    await load(viewer, { url: "scan.nii", name: "scan.nii", buffer: file });
    return true;
  }

  /** Show neither scan nor result. */
  clear() {
    for (const { viewer } of this.panes) if (viewer) clear(viewer);
  }

  /**
   * @param {ArrayBuffer} file of the result, which grows
   * @param {number[]} shape
   */
  async showResult(file, shape) {
    if (Math.max(...shape) > LONGEST_SIDE || !hasWebGL()) return;
    const viewer = await this.pane(1);
    const [{ cal_min, cal_max }] = this.panes[0].viewer?.volumes ?? [];
    await load(viewer, { url: "result.nii", name: "result.nii", buffer: file, cal_min, cal_max });
    this.panes[0].viewer?.broadcastTo([viewer], { "2d": true, "3d": true });
    viewer.broadcastTo([/** @type {Niivue} */ (this.panes[0].viewer)], { "2d": true, "3d": true });
  }

  /**
   * Draw what has come, unless it was drawn just before.
   * @param {import("./volume.js").Voxels} voxels of the result
   * @param {boolean} [now]
   */
  refresh(voxels, now = false) {
    const viewer = this.panes[1].viewer;
    const [result] = viewer?.volumes ?? [];
    if (!viewer || !result || (!now && performance.now() < this.next)) return;
    const start = performance.now();
    if (result.img && result.img.buffer !== voxels.buffer) result.img.set(/** @type {any} */ (voxels));
    viewer.updateGLVolume();
    // Reading a pixel back waits until all is drawn.
    viewer.gl.readPixels(0, 0, 1, 1, viewer.gl.RGBA, viewer.gl.UNSIGNED_BYTE, new Uint8Array(4));
    const end = performance.now();
    this.next = end + Math.max(DRAW_EVERY, DRAW_SHARE * (end - start));
  }

  /** @param {number} index */
  async pane(index) {
    const pane = this.panes[index];
    if (!pane.viewer) {
      pane.viewer = new Niivue({ backColor: [0.05, 0.06, 0.07, 1], show3Dcrosshair: true, crosshairWidth: 0.4, crosshairWidthUnit: "percent", dragAndDropEnabled: false, logLevel: "error" });
      await pane.viewer.attachToCanvas(pane.canvas);
      pane.viewer.setMultiplanarPadPixels(4);
      pane.viewer.opts.multiplanarShowRender = SHOW_RENDER.NEVER;
    }
    return pane.viewer;
  }
}

/** @type {boolean|undefined} found once: browsers hold few contexts at a time */
let webgl;
const hasWebGL = () => (webgl ??= document.createElement("canvas").getContext("webgl2") !== null);

/**
 * @param {Niivue} viewer
 * @param {Parameters<Niivue["addVolumeFromUrl"]>[0]} image
 */
async function load(viewer, image) {
  clear(viewer);
  await viewer.addVolumeFromUrl(image);
}

/** @param {Niivue} viewer */
function clear(viewer) {
  for (const volume of [...viewer.volumes]) viewer.removeVolume(volume);
}
