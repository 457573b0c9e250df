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

  // Colours from zero to the end of the range; a map is the more transparent, the smaller it is.
  const ramp = (R, G, B) => ({ R, G, B, A: [0, 255, 255], I: [0, 128, 255] });
  const COLOURS = {
    uncertainty: [ramp([120, 235, 255], [0, 70, 235], [130, 40, 90])],
    residual: [ramp([255, 250, 255], [120, 130, 215], [90, 40, 60]), ramp([90, 40, 130], [150, 140, 235], [255, 255, 255])],
  };
  const OPACITY = 0.85;
  // The part of the range from which a map is no more transparent. One would leave NiiVue no negative values.
  const SOLID = 0.95;
  const TITLES = { uncertainty: "Uncertainty", residual: "Residual" };
  const MEANINGS = { uncertainty: "half of a 90 % interval", residual: "scan minus the result downsampled" };

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

  async function imageOf(name, options) {
    const [low, high] = facts.layers[name].range;
    const file = { url: await niftiOf(name), name: name + ".nii" };
    return niivue.NVImage.loadFromUrl({ ...file, cal_min: low, cal_max: high, colormap: "gray", ...options });
  }

  async function addMap(viewer, name) {
    loaded.add(name);
    COLOURS[name].forEach((colours, sign) => viewer.addColormap(name + sign, colours));
    const [, high] = facts.layers[name].range;
    const negative = COLOURS[name].length > 1 ? { colormapNegative: name + 1 } : {};
    const image = await imageOf(name, { colormap: name + 0, cal_min: SOLID * high, cal_max: high, opacity: OPACITY, ...negative });
    // In NiiVue: transparent below cal_min, by the square of the value over it.
    image.colormapType = 1;
    viewer.addVolume(image);
  }

  // Gradients shade rendered volumes, and this page has none: textures with one pixel a slice make them free.
  function withoutGradients(viewer) {
    const { TEXTURE6, TEXTURE8 } = viewer.gl;
    const texture = viewer.rgbaTex.bind(viewer);
    viewer.rgbaTex = (old, unit, dims, ...rest) =>
      texture(old, unit, unit === TEXTURE6 || unit === TEXTURE8 ? [3, 1, 1, dims[3]] : dims, ...rest);
  }

  async function startViewer(name) {
    const viewer = new niivue.Niivue({
      logLevel: "error", loadingText: "", backColor: [0, 0, 0, 1], crosshairColor: [1, 0.85, 0.2, 0.8], fontColor: [1, 0.85, 0.2, 1],
      crosshairWidth: 0.5, crosshairWidthUnit: "percent", crosshairGap: 8, fontMinPx: 15, isOrientationTextVisible: true, showAllOrientationMarkers: true,
      isRadiologicalConvention: true, sliceType: 3, multiplanarShowRender: 0, multiplanarPadPixels: 14, dragMode: 0, dragAndDropEnabled: false,
    });
    const canvas = byId("canvas-" + name);
    await viewer.attachToCanvas(canvas, false);
    // The panes have the focus, for both.
    canvas.tabIndex = -1;
    withoutGradients(viewer);
    viewer.addVolume(await imageOf(name));
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

  // The crosshair stays where it is on the screen.
  function zoomTo(factor) {
    zoom = Math.min(16, Math.max(1, factor));
    const [x, y, z] = here.map((part) => (1 - zoom) * part);
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
    if (kind !== before) requestAnimationFrame(() => Object.values(viewers).forEach((viewer) => viewer.resizeListener()));
    if (kind === "flicker") byId("position").textContent = (showScan ? "Scan" : "Result") + " \u00b7 " + sentence();
  }

  async function overlay(name, shown) {
    const viewer = viewers.result;
    const box = byId("show-" + name);
    box.checked = shown;
    byId("bar-" + name).hidden = !shown;
    if (loaded.has(name)) {
      const index = viewer.volumes.findIndex((image) => image.name === name + ".nii");
      if (index > 0) viewer.setOpacity(index, shown ? OPACITY : 0);
    } else if (shown) {
      await addMap(viewer, name);
      // It may have been switched off meanwhile.
      if (!box.checked) overlay(name, false);
    }
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

  // The colour of a value over the end of the range, from -1 to 1, as CSS has it.
  function colourOf(name, part) {
    const { R, G, B, I } = COLOURS[name][part < 0 ? 1 : 0];
    const at = 255 * Math.abs(part);
    const from = at < I[1] ? 0 : 1;
    const share = (at - I[from]) / (I[from + 1] - I[from]);
    const [red, green, blue] = [R, G, B].map((channel) => Math.round(channel[from] + share * (channel[from + 1] - channel[from])));
    return `rgba(${red}, ${green}, ${blue}, ${OPACITY * Math.min(1, (part / SOLID) ** 2)})`;
  }

  function barOf(name) {
    const [low, high] = facts.layers[name].range;
    const steps = Array.from({ length: 17 }, (_, index) => low + (index * (high - low)) / 16);
    const stops = steps.map((value) => colourOf(name, value / high));
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
