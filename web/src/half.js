/** ONNX files in half precision, as sr_keras.export.onnx_precision.to_half: the input and the output stay float32. */

import { bytesField, fieldsOf, joined, textField, textOf, varintField } from "./protobuf.js";

// Numbers of fields and types in onnx.proto.
const MODEL = { graph: 7 };
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 };
const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5 };
const ATTRIBUTE = { name: 1, integer: 3, type: 20 };
const TENSOR = { type: 2, raw: 9 };
const [FLOAT, FLOAT16, INTEGER] = [1, 10, 2];

/**
 * @param {Uint8Array} model a float32 ONNX file whose constants are raw data, as those of sr_keras are
 * @returns {Uint8Array} the file with float16 weights and arithmetic
 */
export function inHalf(model) {
  return joined(fieldsOf(model).map((field) => (field.number === MODEL.graph ? bytesField(MODEL.graph, graphInHalf(field.content)) : field.whole)));
}

/** @param {Uint8Array} graph */
function graphInHalf(graph) {
  const fields = fieldsOf(graph);
  const [inputs, outputs] = [GRAPH.input, GRAPH.output].map((number) => fields.filter((field) => field.number === number).map(nameOf));
  const ends = new Set([...inputs, ...outputs]);
  const casts = (/** @type {string[]} */ names, /** @type {(name: string) => Uint8Array} */ cast) =>
    names.map((name) => bytesField(GRAPH.node, cast(name)));
  const nodes = fields.filter(({ number }) => number === GRAPH.node).map(({ content }) => bytesField(GRAPH.node, renamed(content, ends)));
  const constants = fields.filter(({ number }) => number === GRAPH.initializer).map(({ content }) => bytesField(GRAPH.initializer, constantInHalf(content)));
  // What was inferred of values is of float32, and is inferred again.
  const replaced = [GRAPH.node, GRAPH.initializer, GRAPH.valueInfo];
  const others = fields.filter(({ number }) => !replaced.includes(number)).map(({ whole }) => whole);
  return joined([
    ...casts(inputs, (name) => castNode(name, halfName(name), FLOAT16)),
    ...nodes,
    ...casts(outputs, (name) => castNode(halfName(name), name, FLOAT)),
    ...constants,
    ...others,
  ]);
}

/** @param {string} name */
const halfName = (name) => `${name}_half`;

/** @param {import("./protobuf.js").Field} field a value of a graph */
const nameOf = ({ content }) => textOf(fieldsOf(content)[0]);

/**
 * @param {Uint8Array} node
 * @param {Set<string>} ends of the graph, which nodes read and write in float16
 */
function renamed(node, ends) {
  return joined(fieldsOf(node).map((field) => {
    const name = field.number === NODE.input || field.number === NODE.output ? textOf(field) : "";
    return ends.has(name) ? textField(field.number, halfName(name)) : field.whole;
  }));
}

/**
 * @param {string} source
 * @param {string} target
 * @param {number} type that the values get
 */
function castNode(source, target, type) {
  const attribute = joined([textField(ATTRIBUTE.name, "to"), varintField(ATTRIBUTE.integer, type), varintField(ATTRIBUTE.type, INTEGER)]);
  return joined([
    textField(NODE.input, source),
    textField(NODE.output, target),
    textField(NODE.name, `${source}_cast`),
    textField(NODE.operator, "Cast"),
    bytesField(NODE.attribute, attribute),
  ]);
}

/** @param {Uint8Array} tensor */
function constantInHalf(tensor) {
  const fields = fieldsOf(tensor);
  if (fields.find(({ number }) => number === TENSOR.type)?.value !== FLOAT) return tensor;
  return joined(fields.map(({ number, content, whole }) => {
    if (number === TENSOR.type) return varintField(number, FLOAT16);
    return number === TENSOR.raw ? bytesField(number, halves(content)) : whole;
  }));
}

/**
 * @param {Uint8Array} floats float32, little-endian
 * @returns {Uint8Array} float16, rounded to nearest, ties to even
 */
export function halves(floats) {
  const [source, target] = [new DataView(floats.buffer, floats.byteOffset), new DataView(new ArrayBuffer(floats.length / 2))];
  for (let n = 0; n < floats.length; n += 4) target.setUint16(n / 2, halfOf(source.getUint32(n, true)), true);
  return new Uint8Array(target.buffer);
}

/**
 * @param {number} bits of a float32
 * @returns {number} those of a float16
 */
function halfOf(bits) {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = (bits & 0x7fffff) | 0x800000;
  // Below its smallest normal number a float16 loses a bit of the mantissa for each power of two.
  const dropped = exponent > 0 ? 13 : 14 - exponent;
  if (dropped > 24) return sign;
  const even = (mantissa >>> dropped) & 1;
  const rounded = (mantissa + (1 << (dropped - 1)) - 1 + even) >>> dropped;
  return sign | Math.min(0x7c00, exponent > 0 ? ((exponent - 1) << 10) + rounded : rounded);
}
