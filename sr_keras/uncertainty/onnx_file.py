"""The ONNX file of an estimator: a dozen operators, calibrated factors among them, that onnxruntime runs.

What finds edges, see `sr_keras.uncertainty.conformal.edges_of`, shares the convolutions: two more filters take the
differences, and their mean over 3 x 3 pixels goes through as one more channel.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.onnx_engine import METADATA_KEY
from sr_keras.framework import load_module
from sr_keras.uncertainty.conformal import EDGE, Factors
from sr_keras.uncertainty.network import FEATURES, FILTERS, GAIN, KERNEL_SIZE, LEAST, RADIUS

OPSET = 13
# Filters that take the differences across a pixel.
DIFFERENCES = 2
Constant = npt.NDArray[Any]


def onnx_model(network: Any, factors: Factors, record: Mapping[str, Any]) -> Any:
    """Return an estimator as an ONNX model: `lr` (batch, height, width), float32, to `half_widths` of the same shape.

    Args:
        network: the trained Keras model.
        factors: what conformal calibration found.
        record: what the file says of itself, as JSON can hold it.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    graph = _Graph(onnx)
    output = _half_widths(graph, network, factors)
    describe, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    inputs = [describe("lr", real, ["batch", "height", "width"])]
    outputs = [describe(output, real, ["batch", "height", "width"])]
    whole = onnx.helper.make_graph(graph.nodes, network.name, inputs, outputs, graph.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    version = onnx.helper.find_min_ir_version_for(opsets)
    model = onnx.helper.make_model(whole, producer_name="sr_keras", opset_imports=opsets, ir_version=version)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(record)})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants of a graph; each node is named after its output."""

    def __init__(self, onnx: Any) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._onnx = onnx

    def add(self, output: str, operator: str, *inputs: str | Constant, **attributes: Any) -> str:
        """Append a node and return its output; arrays become constants."""
        names = []
        for number, each in enumerate(inputs):
            names.append(each if isinstance(each, str) else f"{output}_{number}")
            if not isinstance(each, str):
                self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(each), names[-1]))
        self.nodes.append(self._onnx.helper.make_node(operator, names, [output], output, **attributes))
        return output


def _half_widths(graph: _Graph, network: Any, factors: Factors) -> str:
    # Zero beyond the borders would be an edge.
    beyond = np.array([0, RADIUS, RADIUS] * 2)
    images = graph.add("images", "Unsqueeze", graph.add("padded", "Pad", "lr", beyond, mode="edge"), np.array([1]))
    kernel, bias = _responses(network)
    responses = graph.add("responses", "Conv", images, kernel, bias, auto_pad="SAME_UPPER")
    # The absolute value, in a form that runtimes compute within the convolution.
    absolute = graph.add("absolute", "LeakyRelu", responses, alpha=-1.0)
    # A convolution of each channel by itself is several times as fast as an average pooling.
    channels = FILTERS + DIFFERENCES
    mean = np.full((channels, 1, 3, 3), 1 / 9, np.float32)
    around = graph.add("around", "Conv", absolute, mean, group=channels, pads=[1, 1, 1, 1])
    # The sum of two convolutions instead of one of both joined, which runtimes copy.
    at_kernel, around_kernel, bias = _features(network)
    at = graph.add("of_pixels", "Conv", absolute, at_kernel, bias)
    found = graph.add("found", "Add", graph.add("of_surroundings", "Conv", around, around_kernel), at)
    both = graph.add("both", "Conv", graph.add("features", "Relu", found), *_widths(network))
    start, middle, end = (np.array([each]) for each in range(3))
    widths = graph.add("least", "Max", graph.add("widths", "Slice", both, start, middle, middle), _scalar(LEAST))
    differences = graph.add("differences", "Slice", both, middle, end, middle)
    edges = graph.add("edges", "Greater", differences, _scalar(EDGE))
    factor = graph.add("factor", "Where", edges, _scalar(factors.edges), _scalar(factors.flat))
    scaled = graph.add("whole", "Squeeze", graph.add("scaled", "Mul", widths, factor), middle)
    first, last, axes = np.array([RADIUS] * 2), np.array([-RADIUS] * 2), np.array([1, 2])
    return graph.add("half_widths", "Slice", scaled, first, last, axes)


def _responses(network: Any) -> tuple[Constant, Constant]:
    """Return the first convolution, and after its filters those that take the differences across a pixel."""
    kernel, bias = _weights(network, "responses")
    middle, differences = KERNEL_SIZE // 2, np.zeros((KERNEL_SIZE, KERNEL_SIZE, 1, DIFFERENCES), np.float32)
    differences[middle - 1 : middle + 2, middle, 0, 0] = -1, 0, 1
    differences[middle, middle - 1 : middle + 2, 0, 1] = -1, 0, 1
    return np.concatenate([kernel * np.float32(GAIN), differences], axis=3).transpose(3, 2, 0, 1), np.pad(
        bias, (0, DIFFERENCES)
    )


def _features(network: Any) -> tuple[Constant, Constant, Constant]:
    """Return the second convolution for pixels and for their surroundings (out, in, 1, 1), and its bias: with one more
    channel, the sum of the mean differences.
    """
    kernel, bias = _weights(network, "features")
    at, around = np.zeros((2, FILTERS + DIFFERENCES, FEATURES + 1), np.float32)
    at[:FILTERS, :FEATURES], around[:FILTERS, :FEATURES] = np.split(kernel[0, 0], 2)
    around[FILTERS:, FEATURES] = 1.0
    return at.T[..., None, None], around.T[..., None, None], np.pad(bias, (0, 1))


def _widths(network: Any) -> tuple[Constant, Constant]:
    """Return the last convolution (out, in, 1, 1), which hands on the differences as they are."""
    kernel, bias = _weights(network, "widths")
    kernel = np.pad(kernel[0, 0], ((0, 1), (0, 1)))
    kernel[-1, -1] = 1.0
    return kernel.T[..., None, None], np.pad(bias, (0, 1))


def _scalar(value: float) -> Constant:
    return np.array([value], np.float32)


def _weights(network: Any, name: str) -> list[Constant]:
    return [np.asarray(each, np.float32) for each in network.get_layer(name).get_weights()]
