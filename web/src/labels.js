/** Label maps and masks are no scans: recognised as in sr_keras.volumes.label_maps. */

import constants from "./constants.json";

const { LABEL_INTENT, WORDS, MOST_LABELS, ALIKE, ALIKE_BY_NAME, FEW, FEWEST_PAIRS, MASKS } = constants.labels;

/**
 * @param {import("./volume.js").Scan} scan
 * @returns {string} why it seems to be a label map; "" for a scan
 */
export function labelMapReason(scan) {
  if (scan.header.intent_code[0] === LABEL_INTENT) return `intent ${LABEL_INTENT}`;
  let found = look(scan, Math.max(1, Math.floor(scan.shape[2] / FEW)));
  if (found && found.pairs < FEWEST_PAIRS) found = look(scan, 1);
  if (!found) return "";
  const { values, pairs, alike } = found;
  const word = wordOf(scan.name);
  if (word && (alike >= ALIKE_BY_NAME || !pairs)) return `"${word}" in its name, whole values alone`;
  if (values.length === 2 && values[0] === 0 && MASKS.includes(values[1])) return `the values 0 and ${values[1]} alone`;
  return values.length > 1 && values[0] >= 0 && alike >= ALIKE ? `${values.length} values, in regions` : "";
}

/**
 * @param {import("./volume.js").Scan} scan
 * @param {number} step between the slices that are looked at
 * @returns {{values: number[], pairs: number, alike: number}|null} null where they hold more values than labels
 */
function look({ voxels, shape }, step) {
  const [columns, rows, slices] = shape;
  const size = columns * rows;
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (let k = 0; k < slices; k += step) {
    for (const value of voxels.subarray(k * size, (k + 1) * size)) counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > MOST_LABELS || ![...counts.keys()].every(Number.isInteger)) return null;
  }
  const most = Math.max(...counts.values());
  const background = [...counts].find(([, count]) => count === most)?.[0];
  let [pairs, same] = [0, 0];
  /** @type {(one: number, other: number) => void} */
  const count = (one, other) => {
    if (voxels[one] === background || voxels[other] === background) return;
    pairs++;
    if (voxels[one] === voxels[other]) same++;
  };
  for (let k = 0; k < slices; k += step) {
    for (let n = k * size; n < (k + 1) * size; n++) {
      if ((n % columns) + 1 < columns) count(n, n + 1);
      if (n + columns < (k + 1) * size) count(n, n + columns);
    }
  }
  return { values: [...counts.keys()].sort((one, other) => one - other), pairs, alike: pairs ? same / pairs : 0 };
}

/** @param {string} name */
function wordOf(name) {
  const stem = name.toLowerCase().replace(/\.(nii|gz|mgz|mgh)/g, "");
  const last = stem.split(/[_\-.+ ]/).at(-1) ?? "";
  return WORDS.includes(last) ? last : "";
}
