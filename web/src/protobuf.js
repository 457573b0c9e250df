/** Messages of protocol buffers, read and written field by field. */

// Types of fields.
const [VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES] = [0, 1, 2, 5];

/**
 * @typedef {object} Field
 * @property {number} number
 * @property {number} value of a field that is an integer
 * @property {Uint8Array} content of a field that is a message, a text or bytes
 * @property {Uint8Array} whole the field as it is written
 */

/**
 * @param {Uint8Array} message
 * @returns {Field[]}
 */
export function fieldsOf(message) {
  const fields = [];
  for (let place = 0; place < message.length; ) {
    const start = place;
    const varint = () => {
      let value = 0;
      for (let scale = 1, more = true; more; scale *= 128, place++) {
        value += (message[place] & 127) * scale;
        more = message[place] > 127;
      }
      return value;
    };
    const key = varint();
    const type = key % 8;
    const value = type === VARINT || type === BYTES ? varint() : 0;
    const first = place;
    place += { [BYTES]: value, [EIGHT_BYTES]: 8, [FOUR_BYTES]: 4 }[type] ?? 0;
    fields.push({ number: Math.floor(key / 8), value, content: message.subarray(first, place), whole: message.subarray(start, place) });
  }
  return fields;
}

/** @param {Field} field */
export const textOf = ({ content }) => new TextDecoder().decode(content);

/** @param {number} value */
function varintOf(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Uint8Array.from([...bytes, value]);
}

/** @type {(number: number, value: number) => Uint8Array} */
export const varintField = (number, value) => joined([varintOf(number * 8 + VARINT), varintOf(value)]);

/** @type {(number: number, content: Uint8Array) => Uint8Array} */
export const bytesField = (number, content) => joined([varintOf(number * 8 + BYTES), varintOf(content.length), content]);

/** @type {(number: number, text: string) => Uint8Array} */
export const textField = (number, text) => bytesField(number, new TextEncoder().encode(text));

/** @param {Uint8Array[]} parts */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}
