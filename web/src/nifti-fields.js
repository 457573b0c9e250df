/** The fields of NIfTI headers, by name: kind, count, offset in NIfTI-1; then the same of NIfTI-2 where they differ. */

/** @typedef {"u1"|"i2"|"i4"|"i8"|"f4"|"f8"} Kind */

/** @type {Record<string, [Kind, number, number, Kind, number]>} */
const FIELDS = {
  dim_info: ["u1", 1, 39, "u1", 524],
  dim: ["i2", 8, 40, "i8", 16],
  intent_p: ["f4", 3, 56, "f8", 80],
  intent_code: ["i2", 1, 68, "i4", 504],
  datatype: ["i2", 1, 70, "i2", 12],
  bitpix: ["i2", 1, 72, "i2", 14],
  slice_start: ["i2", 1, 74, "i8", 224],
  pixdim: ["f4", 8, 76, "f8", 104],
  vox_offset: ["f4", 1, 108, "i8", 168],
  scl_slope: ["f4", 1, 112, "f8", 176],
  scl_inter: ["f4", 1, 116, "f8", 184],
  slice_end: ["i2", 1, 120, "i8", 232],
  slice_code: ["u1", 1, 122, "i4", 496],
  xyzt_units: ["u1", 1, 123, "i4", 500],
  cal_max: ["f4", 1, 124, "f8", 192],
  cal_min: ["f4", 1, 128, "f8", 200],
  slice_duration: ["f4", 1, 132, "f8", 208],
  toffset: ["f4", 1, 136, "f8", 216],
  descrip: ["u1", 80, 148, "u1", 240],
  aux_file: ["u1", 24, 228, "u1", 320],
  qform_code: ["i2", 1, 252, "i4", 344],
  sform_code: ["i2", 1, 254, "i4", 348],
  quatern: ["f4", 3, 256, "f8", 352],
  qoffset: ["f4", 3, 268, "f8", 376],
  srow: ["f4", 12, 280, "f8", 400],
  intent_name: ["u1", 16, 328, "u1", 508],
};
export const [HEADER_1, HEADER_2] = [348, 540];
/** @type {Record<Kind, number>} */
const SIZES = { u1: 1, i2: 2, i4: 4, i8: 8, f4: 4, f8: 8 };

/** @typedef {Record<string, number[]>} Fields every field is a list, also of one number */

/**
 * @param {DataView} view of a whole header
 * @param {1|2} version
 * @param {boolean} little its byte order
 * @returns {Fields}
 */
export function readFields(view, version, little) {
  return Object.fromEntries(
    Object.entries(FIELDS).map(([name, [kind1, count, offset1, kind2, offset2]]) => {
      const [kind, offset] = version === 1 ? [kind1, offset1] : [kind2, offset2];
      return [name, Array.from({ length: count }, (_, n) => get(view, kind, offset + n * SIZES[kind], little))];
    }),
  );
}

/**
 * @param {Fields} fields
 * @returns {Uint8Array} a little-endian header of NIfTI-1, and the four bytes that say that no extensions follow
 */
export function writeFields(fields) {
  const bytes = new Uint8Array(HEADER_1 + 4);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, HEADER_1, true);
  for (const [name, [kind, count, offset]] of Object.entries(FIELDS)) {
    for (let n = 0; n < count; n++) set(view, kind, offset + n * SIZES[kind], fields[name][n]);
  }
  bytes.set([...("n+1")].map((letter) => letter.charCodeAt(0)), 344);
  return bytes;
}

/** @returns {Fields} all zero */
export const emptyFields = () =>
  Object.fromEntries(Object.entries(FIELDS).map(([name, [, count]]) => [name, new Array(count).fill(0)]));

/**
 * @param {DataView} view
 * @param {Kind} kind
 * @param {number} offset
 * @param {boolean} little
 */
function get(view, kind, offset, little) {
  switch (kind) {
    case "u1": return view.getUint8(offset);
    case "i2": return view.getInt16(offset, little);
    case "i4": return view.getInt32(offset, little);
    case "i8": return Number(view.getBigInt64(offset, little));
    case "f4": return view.getFloat32(offset, little);
    case "f8": return view.getFloat64(offset, little);
  }
}

/**
 * @param {DataView} view
 * @param {Kind} kind
 * @param {number} offset
 * @param {number} value
 */
function set(view, kind, offset, value) {
  if (kind === "u1") view.setUint8(offset, value);
  else if (kind === "i2") view.setInt16(offset, value, true);
  else view.setFloat32(offset, value, true);
}
