import assert from "node:assert/strict";
import { test } from "node:test";

import { LONGEST_SIDE, TiledStage } from "../src/tiling.js";

const RADIUS = 2;
let runs = 0;

/** Nearest-neighbour upsampling by 2 of the mean of 5 x 5 pixels, with zeros beyond the border: a network's shape. */
async function run(images, count, height, width) {
  runs += 1;
  assert.equal(count, 1);
  assert.ok(height <= LONGEST_SIDE && width <= LONGEST_SIDE);
  return direct(images, height, width);
}

function direct(image, height, width) {
  const output = new Float32Array(4 * height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let b = Math.max(0, y - RADIUS); b <= Math.min(height - 1, y + RADIUS); b++) {
        for (let a = Math.max(0, x - RADIUS); a <= Math.min(width - 1, x + RADIUS); a++) sum += image[b * width + a];
      }
      for (const n of [0, 1, 2 * width, 2 * width + 1]) output[4 * y * width + 2 * x + n] = sum;
    }
  }
  return output;
}

async function check(image, height, width) {
  const output = await new TiledStage(run, [2, 2], [RADIUS, RADIUS]).run(image, height, width);
  assert.deepEqual(output, direct(image, height, width));
}

const noise = (length) => Float32Array.from({ length }, (_, n) => (n * 7919) % 101);

test("large images are run in tiles without a seam", async () => {
  const [height, width] = [LONGEST_SIDE + 40, 2 * LONGEST_SIDE + 3];
  runs = 0;
  await check(noise(height * width), height, width);
  assert.equal(runs, 6);
});

test("an image with a constant border gives what the whole would", async () => {
  const [height, width] = [90, 120];
  const image = new Float32Array(height * width).fill(3);
  for (let y = 40; y < 50; y++) for (let x = 33; x < 61; x++) image[y * width + x] = y + x;
  await check(image, height, width);
});

test("an object at the edge of a constant image is not cut off", async () => {
  const [height, width] = [70, 80];
  const image = new Float32Array(height * width);
  for (let y = 0; y < 9; y++) for (let x = 70; x < width; x++) image[y * width + x] = 1 + y;
  await check(image, height, width);
});

test("a constant image is run once however often it comes", async () => {
  const stage = new TiledStage(run, [2, 2], [RADIUS, RADIUS]);
  runs = 0;
  const image = new Float32Array(60 * 50).fill(0.5);
  const [one, other] = [await stage.run(image, 60, 50), await stage.run(image, 60, 50)];
  assert.equal(runs, 1);
  assert.deepEqual(one, direct(image, 60, 50));
  assert.deepEqual(one, other);
  assert.notEqual(one, other);
});

test("with margins an image is mirrored beyond its borders", async () => {
  const [height, width] = [3, 4];
  const image = noise(height * width);
  // Two lines and one column beyond each border, mirrored: of four columns 0 0 1 2 3 3, of three lines 1 0 0 1 2 2 1.
  const [lines, columns] = [[1, 0, 0, 1, 2, 2, 1], [0, 0, 1, 2, 3, 3]];
  const wide = Float32Array.from(lines.flatMap((y) => columns.map((x) => image[y * width + x])));
  const whole = direct(wide, 7, 6);
  const expected = Array.from({ length: 6 }, (_, y) => [...whole.subarray((y + 4) * 12 + 2, (y + 4) * 12 + 10)]).flat();
  const output = await new TiledStage(run, [2, 2], [RADIUS, RADIUS], [2, 1]).run(image, height, width);
  assert.deepEqual([...output], expected);
});
