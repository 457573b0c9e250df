/** Images of any size on a network: constant ones are run once, large ones in tiles, as sr_keras.engines does. */

/** @typedef {(images: Float32Array, count: number, height: number, width: number) => Promise<Float32Array>} Run */
/** @typedef {{start: number, stop: number, keepFrom: number, keepTo: number}} Tile */

// The longest side of an image that is run at once: it bounds the memory.
export const LONGEST_SIDE = 512;
// Crops begin and end at multiples of this: few different sizes occur.
const STEP = 16;

/** Runs images one after another; equal images outside of their constant borders need no arithmetic. */
export class TiledStage {
  /**
   * @param {Run} run a batch (count, height, width)
   * @param {number[]} factors of height and width
   * @param {number[]} radius of the receptive field along height and width
   * @param {number[]} margins by how many pixels images are mirrored beyond their borders, along height and width: cubic
   *   interpolation has not learned, as networks have, what the zeros there do
   */
  constructor(run, factors, radius, margins = [0, 0]) {
    this.runBatch = run;
    this.factors = factors;
    this.radius = radius;
    this.margins = margins;
    this.constant = { key: "", output: new Float32Array() };
  }

  /**
   * @param {Float32Array} image
   * @param {number} height
   * @param {number} width
   * @returns {Promise<Float32Array>} (height * factor, width * factor)
   */
  async run(image, height, width) {
    const [above, before] = this.margins;
    if (!above && !before) return this.runWhole(image, height, width);
    const size = [height + 2 * above, width + 2 * before];
    const output = await this.runWhole(mirrored(image, height, width, this.margins), size[0], size[1]);
    const [down, along] = this.factors;
    const [length, line] = [width * along, size[1] * along];
    const result = new Float32Array(height * down * length);
    for (let y = 0; y < height * down; y++) {
      const start = (y + above * down) * line + before * along;
      result.set(output.subarray(start, start + length), y * length);
    }
    return result;
  }

  /**
   * @param {Float32Array} image
   * @param {number} height
   * @param {number} width
   * @returns {Promise<Float32Array>}
   */
  async runWhole(image, height, width) {
    const value = borderOf(image, height, width);
    const crop = value === null ? null : cropOf(image, height, width, value, this.radius);
    if (crop && !crop.length) return (await this.constantOutput(image[0], height, width)).slice();
    const [rows, columns] = crop ?? [whole(height), whole(width)];
    const result = crop
      ? (await this.constantOutput(/** @type {number} */ (value), height, width)).slice()
      : new Float32Array(height * width * this.factors[0] * this.factors[1]);
    for (const row of tiles(rows, this.radius[0])) {
      for (const column of tiles(columns, this.radius[1])) await this.runTile(image, width, row, column, result);
    }
    return result;
  }

  /**
   * @param {Float32Array} image
   * @param {number} width
   * @param {Tile} row
   * @param {Tile} column
   * @param {Float32Array} result
   */
  async runTile(image, width, row, column, result) {
    const [height, length] = [row.stop - row.start, column.stop - column.start];
    const tile = new Float32Array(height * length);
    for (let y = 0; y < height; y++) {
      const place = (row.start + y) * width + column.start;
      tile.set(image.subarray(place, place + length), y * length);
    }
    const output = await this.runBatch(tile, 1, height, length);
    const [down, along] = this.factors;
    const [from, to] = [(column.keepFrom - column.start) * along, (column.keepTo - column.start) * along];
    for (let y = row.keepFrom * down; y < row.keepTo * down; y++) {
      const line = (y - row.start * down) * length * along;
      result.set(output.subarray(line + from, line + to), y * width * along + column.keepFrom * along);
    }
  }

  /**
   * @param {number} value
   * @param {number} height
   * @param {number} width
   */
  async constantOutput(value, height, width) {
    const key = `${value} ${height} ${width}`;
    if (this.constant.key !== key) {
      const output = new Float32Array(height * width * this.factors[0] * this.factors[1]);
      const image = new Float32Array(height * width).fill(value);
      for (const row of tiles(whole(height), this.radius[0])) {
        for (const column of tiles(whole(width), this.radius[1])) await this.runTile(image, width, row, column, output);
      }
      this.constant = { key, output };
    }
    return this.constant.output;
  }
}

/**
 * @param {Tile} range of an axis
 * @param {number} radius
 * @returns {Tile[]} overlapping tiles that cover it
 */
export function tiles({ start, stop, keepFrom, keepTo }, radius) {
  const found = [];
  for (let kept = keepFrom; kept < keepTo; ) {
    const first = Math.max(start, Math.min(kept - radius, stop - LONGEST_SIDE));
    const last = Math.min(stop, first + LONGEST_SIDE);
    const end = last === stop ? keepTo : last - radius;
    found.push({ start: first, stop: last, keepFrom: kept, keepTo: end });
    kept = end;
  }
  return found;
}

/**
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 * @param {number[]} margins along height and width
 * @returns {Float32Array} the image and as many pixels beyond each border, mirrored
 */
function mirrored(image, height, width, [above, before]) {
  const size = [height + 2 * above, width + 2 * before];
  const result = new Float32Array(size[0] * size[1]);
  for (let y = 0, n = 0; y < size[0]; y++) {
    const line = reflected(y - above, height) * width;
    for (let x = 0; x < size[1]; x++, n++) result[n] = image[line + reflected(x - before, width)];
  }
  return result;
}

/**
 * @param {number} index may lie beyond the ends
 * @param {number} length
 */
function reflected(index, length) {
  const period = 2 * length;
  const place = ((index % period) + period) % period;
  return place < length ? place : period - 1 - place;
}

/**
 * @param {number} length
 * @returns {Tile}
 */
const whole = (length) => ({ start: 0, stop: length, keepFrom: 0, keepTo: length });

/**
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 * @returns {number|null} the value of a side that is constant
 */
function borderOf(image, height, width) {
  const [last, end] = [image.length - width, width - 1];
  /** @type {[number, number, number][]} */
  const sides = [[0, 1, width], [last, 1, width], [0, width, height], [end, width, height]];
  for (const [first, step, count] of sides) {
    let n = 1;
    while (n < count && image[first + n * step] === image[first]) n++;
    if (n === count) return image[first];
  }
  return null;
}

/**
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 * @param {number} value of its border
 * @param {number[]} radius
 * @returns {Tile[]} rows and columns outside of which the output is that of a constant image; none where all is
 */
function cropOf(image, height, width, value, radius) {
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let y = 0, n = 0; y < height; y++) {
    for (let x = 0; x < width; x++, n++) {
      if (image[n] === value) continue;
      if (y < top) top = y;
      bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  return bottom < 0 ? [] : [cropped(top, bottom, height, radius[0]), cropped(left, right, width, radius[1])];
}

/**
 * @param {number} first line with other values
 * @param {number} last
 * @param {number} length
 * @param {number} radius
 * @returns {Tile}
 */
function cropped(first, last, length, radius) {
  const start = Math.floor(Math.max(0, first - 2 * radius) / STEP) * STEP;
  const stop = Math.min(length, Math.ceil((last + 1 + 2 * radius) / STEP) * STEP);
  return { start, stop, keepFrom: start ? start + radius : 0, keepTo: stop < length ? stop - radius : length };
}
