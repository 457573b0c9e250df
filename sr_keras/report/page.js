// The viewer of a report. All data is in this page: `facts` says what there is, and an element for each volume holds it.
"use strict";
(async () => {
  const byId = (id) => document.getElementById(id);
  const facts = JSON.parse(byId("facts").textContent);
  const viewers = {};
  const loaded = new Set();
  const home = facts.centre;
  let here = home;
  let zoom = 1;

  // Colours by the part of the range: red, green, blue, opacity.
  const COLOURS = {
    uncertainty: { R: [60, 230, 255, 255], G: [0, 60, 190, 255], B: [90, 60, 40, 220], A: [0, 130, 190, 220], I: [0, 90, 180, 255] },
    residual: { R: [40, 90, 128, 255, 255], G: [110, 160, 128, 140, 60], B: [255, 255, 128, 90, 50], A: [220, 120, 0, 120, 220], I: [0, 70, 128, 186, 255] },
  };
  const TITLES = { uncertainty: "Uncertainty", residual: "Residual" };
  const MEANINGS = { uncertainty: "half-width of the 90 % interval", residual: "scan minus the result as the scanner would see it" };

  async function inflated(bytes, format) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function bytesOf(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
    return bytes;
  }

  // Codes were replaced by their differences along i, then along j; bytes wrap around as they did there.
  function summed(codes, [width, height, depth]) {
    for (let k = 0; k < depth; k++) {
      const start = k * width * height;
      for (let at = start + width; at < start + width * height; at++) codes[at] += codes[at - width];
      for (let row = start; row < start + width * height; row += width) {
        for (let at = row + 1; at < row + width; at++) codes[at] += codes[at - 1];
      }
    }
    return codes;
  }

  // A NIfTI file in memory, of a volume in this page.
  async function niftiOf(name) {
    const layer = facts.layers[name];
    const holder = byId("volume-" + name);
    const codes = summed(await inflated(bytesOf(holder.textContent.trim()), "deflate"), layer.shape);
    holder.remove();
    const values = layer.values ? Int16Array.from(layer.values) : null;
    const voxels = values ? Int16Array.from(codes, (code) => values[code]) : codes;
    const header = bytesOf(layer.header);
    const file = new Uint8Array(header.length + voxels.byteLength);
    file.set(header);
    file.set(new Uint8Array(voxels.buffer), header.length);
    return file.buffer;
  }

  async function addLayer(viewer, name, colormap, opacity) {
    const [low, high] = facts.layers[name].range;
    const image = await niivue.NVImage.loadFromUrl({
      url: await niftiOf(name), name: name + ".nii", colormap, opacity, cal_min: low, cal_max: high, colorbarVisible: false,
    });
    viewer.addVolume(image);
    loaded.add(name);
  }

  async function startViewer(name) {
    const viewer = new niivue.Niivue({
      logLevel: "error", loadingText: "", backColor: [0, 0, 0, 1], crosshairColor: [1, 0.85, 0.2, 1], crosshairWidth: 1,
      crosshairGap: 12, crosshairWidthUnit: "percent",
      isRadiologicalConvention: true, sliceType: 3, multiplanarShowRender: 0, multiplanarEqualSize: false, show3Dcrosshair: false,
      isCornerOrientationText: false, isOrientationTextVisible: true, fontMinPx: 14, dragMode: 0, dragAndDropEnabled: false,
      isRuler: true, isColorbar: false, tileMargin: 4,
    });
    const canvas = byId("canvas-" + name);
    await viewer.attachToCanvas(canvas, false);
    // The panes have the focus, for both.
    canvas.tabIndex = -1;
    await addLayer(viewer, name, "gray", 1);
    viewer.onLocationChange = (place) => moved(viewer, Array.from(place.mm).slice(0, 3));
    viewers[name] = viewer;
  }

  function moved(viewer, point) {
    here = point;
    for (const other of Object.values(viewers)) {
      if (other === viewer) continue;
      other.scene.crosshairPos = other.mm2frac(point);
      other.drawScene();
    }
    describe();
  }

  function go(point) {
    here = point;
    for (const viewer of Object.values(viewers)) {
      viewer.scene.crosshairPos = viewer.mm2frac(point).map((part) => Math.min(1, Math.max(0, part)));
    }
    here = Array.from(viewers.result.frac2mm(viewers.result.scene.crosshairPos)).slice(0, 3);
    zoomTo(zoom);
    describe();
  }

  // The crosshair stays where it is on the screen's middle when the picture grows.
  function zoomTo(factor) {
    zoom = Math.min(16, Math.max(1, factor));
    const [x, y, z] = zoom > 1 ? here.map((part, axis) => home[axis] - part) : [0, 0, 0];
    for (const viewer of Object.values(viewers)) viewer.setPan2Dxyzmm([x, y, z, zoom]);
  }

  const LETTERS = [["R", "L"], ["A", "P"], ["S", "I"]];
  const number = (value) => Number(value.toPrecision(3)).toString().replace("-", "\u2212");

  let waiting = 0;
  function describe() {
    clearTimeout(waiting);
    waiting = setTimeout(() => { byId("position").textContent = sentence(); }, 60);
  }

  function sentence() {
    const place = here.map((part, axis) => `${LETTERS[axis][part < 0 ? 1 : 0]} ${Math.abs(part).toFixed(1)}`).join(", ");
    const parts = [`${place} mm`];
    for (const [name, viewer] of Object.entries(viewers)) {
      for (const image of viewer.volumes) {
        const [i, j, k] = image.mm2vox(here);
        const title = image === viewer.volumes[0] ? name : image.name.replace(".nii", "");
        const sign = title === "uncertainty" ? "\u00b1" : "";
        parts.push(`${title} ${sign}${number(image.getValue(i, j, k))}${facts.unit}`);
      }
    }
    return parts.join(" \u00b7 ");
  }

  function setWindow(level, width) {
    byId("level").value = String(Number(level.toPrecision(4)));
    byId("width").value = String(Number(width.toPrecision(4)));
    for (const viewer of Object.values(viewers)) {
      viewer.volumes[0].cal_min = level - width / 2;
      viewer.volumes[0].cal_max = level + width / 2;
      viewer.updateGLVolume();
    }
  }

  function choosePreset(index) {
    byId("window").value = String(index);
    const [, level, width] = facts.windows[index];
    setWindow(level, width);
  }

  function layout(kind) {
    const panes = byId("panes");
    const before = panes.dataset.layout;
    panes.dataset.layout = kind;
    byId("side").setAttribute("aria-pressed", String(kind === "side"));
    byId("flicker").setAttribute("aria-pressed", String(kind === "flicker"));
    const scan = byId("pane-scan"), result = byId("pane-result");
    const showScan = kind === "side" || (before === "flicker" && "hidden" in scan.dataset);
    const showResult = kind === "side" || !showScan;
    scan.toggleAttribute("data-hidden", !showScan);
    result.toggleAttribute("data-hidden", !showResult);
    for (const viewer of Object.values(viewers)) viewer.resizeListener();
    if (kind === "flicker") byId("position").textContent = (showScan ? "Scan" : "Result") + " \u00b7 " + sentence();
  }

  async function overlay(name, shown) {
    const viewer = viewers.result;
    const box = byId("show-" + name);
    box.checked = shown;
    byId("bar-" + name).hidden = !shown;
    if (!loaded.has(name)) {
      if (!shown) return;
      viewer.addColormap("sr-" + name, COLOURS[name]);
      await addLayer(viewer, name, "sr-" + name, 1);
    }
    const index = viewer.volumes.findIndex((image) => image.name === name + ".nii");
    if (index > 0) viewer.setOpacity(index, box.checked ? 1 : 0);
    describe();
  }

  function addOverlayControls(name) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const key = document.createElement("kbd");
    box.type = "checkbox";
    box.id = "show-" + name;
    box.setAttribute("aria-keyshortcuts", name[0]);
    box.addEventListener("change", () => overlay(name, box.checked));
    key.textContent = name[0].toUpperCase();
    label.append(box, ` ${TITLES[name]} `, key);
    byId("overlays").append(label);
    byId("bars").append(barOf(name));
  }

  function barOf(name) {
    const { R, G, B, A, I } = COLOURS[name];
    const [low, high] = facts.layers[name].range;
    const stops = I.map((at, index) => `rgba(${R[index]}, ${G[index]}, ${B[index]}, ${A[index] / 255}) ${at / 2.55}%`);
    const bar = document.createElement("div");
    const colours = document.createElement("i");
    const ends = document.createElement("span");
    bar.className = "bar";
    bar.id = "bar-" + name;
    bar.hidden = true;
    bar.append(`${TITLES[name]}: ${MEANINGS[name]}${facts.unit ? "," : ""}${facts.unit}`);
    colours.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
    for (const value of [low, (low + high) / 2, high]) {
      const end = document.createElement("b");
      end.textContent = number(value);
      ends.append(end);
    }
    bar.append(colours, ends);
    return bar;
  }

  function goToPlace(index) {
    const button = document.querySelectorAll(".places button")[index];
    if (!button) return;
    go(facts.places[index]);
    for (const each of document.querySelectorAll(".places button")) each.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
  }

  const nearest = (on) => {
    byId("nearest").checked = on;
    for (const viewer of Object.values(viewers)) viewer.setInterpolation(on);
  };
  const step = (axis, sign) => (event) => {
    const point = [...here];
    point[axis] += sign * facts.step[axis] * (event.shiftKey ? 10 : 1);
    go(point);
  };
  // On the screen the patient's right is on the left.
  const KEYS = {
    ArrowLeft: step(0, 1), ArrowRight: step(0, -1), ArrowUp: step(1, 1), ArrowDown: step(1, -1), PageUp: step(2, 1), PageDown: step(2, -1),
    f: () => layout("flicker"), s: () => layout("side"), v: () => nearest(!byId("nearest").checked),
    u: () => facts.layers.uncertainty && overlay("uncertainty", !byId("show-uncertainty").checked),
    r: () => facts.layers.residual && overlay("residual", !byId("show-residual").checked),
    w: () => facts.windows.length && choosePreset((byId("window").selectedIndex + 1) % facts.windows.length),
    "+": () => zoomTo(zoom * 1.5), "=": () => zoomTo(zoom * 1.5), "-": () => zoomTo(zoom / 1.5),
    c: () => { zoom = 1; go(home); },
  };

  function pressed(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = /^[0-9]$/.test(key) ? () => goToPlace((Number(key) + 9) % 10) : KEYS[key];
    // NiiVue has keys of its own, which do other things.
    event.stopPropagation();
    if (!action || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    action(event);
  }

  function listen() {
    byId("panes").addEventListener("keydown", pressed, true);
    byId("panes").addEventListener("keyup", (event) => event.stopPropagation(), true);
    byId("side").addEventListener("click", () => layout("side"));
    byId("flicker").addEventListener("click", () => layout("flicker"));
    byId("in").addEventListener("click", () => zoomTo(zoom * 1.5));
    byId("out").addEventListener("click", () => zoomTo(zoom / 1.5));
    byId("nearest").addEventListener("change", (event) => nearest(event.target.checked));
    byId("window").addEventListener("change", (event) => choosePreset(Number(event.target.value)));
    for (const id of ["level", "width"]) {
      byId(id).addEventListener("change", () => {
        const width = Number(byId("width").value);
        if (width > 0) setWindow(Number(byId("level").value), width);
      });
    }
    document.querySelectorAll(".places button").forEach((button, index) => {
      button.addEventListener("click", () => goToPlace(index));
    });
  }

  async function start() {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await inflated(bytesOf(byId("niivue").textContent.trim()), "gzip"));
    document.head.append(script);
    facts.windows.forEach(([title], index) => byId("window").append(new Option(title, String(index))));
    byId("presets").hidden = facts.windows.length === 0;
    const [low, high] = facts.layers.scan.range;
    byId("level").value = String(Number(((low + high) / 2).toPrecision(4)));
    byId("width").value = String(Number((high - low).toPrecision(4)));
    for (const name of ["uncertainty", "residual"]) if (facts.layers[name]) addOverlayControls(name);
    await startViewer("scan");
    await startViewer("result");
    listen();
    go(home);
    document.documentElement.dataset.drawn = String(Math.round(performance.now()));
    if (document.activeElement === document.body) byId("panes").focus({ preventScroll: true });
  }

  try {
    await start();
  } catch (error) {
    byId("position").className = "warning";
    byId("position").textContent = `The viewer could not start: ${error.message}. It needs WebGL 2; all else on this page can be read without it.`;
    throw error;
  }
})();
