/** Scan and result beside each other in NiiVue, on one crosshair. */

import { Niivue, SHOW_RENDER } from "@niivue/niivue";

// Milliseconds between drawings of a result that grows: each sends the whole of it to the GPU.
const DRAW_EVERY = 1500;
// Textures of WebGL are no longer than this along an axis in every browser.
const LONGEST_SIDE = 2048;

export class Viewer {
  /**
   * @param {HTMLCanvasElement} left
   * @param {HTMLCanvasElement} right
   */
  constructor(left, right) {
    this.drawn = 0;
    this.panes = [left, right].map((canvas) => ({ canvas, viewer: /** @type {Niivue|null} */ (null) }));
  }

  /**
   * @param {ArrayBuffer} file a NIfTI file
   * @returns {Promise<boolean>} whether it is shown: not where the browser has no WebGL
   */
  async showScan(file) {
    if (!hasWebGL()) return false;
    const viewer = await this.pane(0);
    await load(viewer, file, "scan.nii");
    const other = this.panes[1].viewer;
    if (other) clear(other);
    return true;
  }

  /**
   * @param {ArrayBuffer} file of the result, which grows
   * @param {number[]} shape
   */
  async showResult(file, shape) {
    if (Math.max(...shape) > LONGEST_SIDE || !hasWebGL()) return;
    const viewer = await this.pane(1);
    await load(viewer, file, "result.nii");
    const [scan] = this.panes[0].viewer?.volumes ?? [];
    const [result] = viewer.volumes;
    [result.cal_min, result.cal_max] = [scan.cal_min, scan.cal_max];
    viewer.updateGLVolume();
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
    if (!viewer || !result || (!now && performance.now() - this.drawn < DRAW_EVERY)) return;
    if (result.img && result.img.buffer !== voxels.buffer) result.img.set(/** @type {any} */ (voxels));
    viewer.updateGLVolume();
    this.drawn = performance.now();
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
 * @param {ArrayBuffer} file
 * @param {string} name
 */
async function load(viewer, file, name) {
  clear(viewer);
  await viewer.loadFromArrayBuffer(file, name);
}

/** @param {Niivue} viewer */
function clear(viewer) {
  for (const volume of [...viewer.volumes]) viewer.removeVolume(volume);
}
