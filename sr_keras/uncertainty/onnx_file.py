"""The ONNX file of an estimator: a dozen operators, calibrated factors among them, that onnxruntime runs.

What finds edges, see `sr_keras.uncertainty.conformal.edges_of`, shares the convolutions: two more filters take the
differences, and their mean goes through as one more channel.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.onnx_engine import METADATA_KEY
from sr_keras.framework import load_module
from sr_keras.networks import StageName
from sr_keras.uncertainty.conformal import EDGE, Factors
from sr_keras.uncertainty.network import KERNEL_SIZE, LEAST

OPSET = 13
Constant = npt.NDArray[Any]


def onnx_model(network: Any, stage: StageName, scale: int, factors: Factors, record: Mapping[str, Any]) -> Any:
    """Return an estimator as an ONNX model: `lr` (batch, height, width), float32, to `half_widths` (batch, height *
    scale, width * scale), for the d stage (batch, in-plane, depth * scale).

    Args:
        network: the trained Keras model.
        stage: "hw" or "d".
        scale: upsampling factor of the stage.
        factors: what conformal calibration found.
        record: what the file says of itself, as JSON can hold it.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    graph = _Graph(onnx)
    output = _half_widths(graph, network, stage, scale, factors)
    describe, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    inputs = [describe("lr", real, ["batch", "height", "width"])]
    outputs = [describe(output, real, ["batch", "upsampled_height", "upsampled_width"])]
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


def _half_widths(graph: _Graph, network: Any, stage: StageName, scale: int, factors: Factors) -> str:
    images = graph.add("images", "Unsqueeze", "lr", np.array([1]))
    kernel, bias = _responses(network)
    responses = graph.add("responses", "Conv", images, kernel, bias, auto_pad="SAME_UPPER")
    absolute = graph.add("absolute", "Abs", responses)
    around = graph.add("around", "AveragePool", absolute, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    features = graph.add("features", "Relu", graph.add("convolved", "Conv", around, *_passing(network, "features")))
    both = graph.add("both", "Conv", features, *_passing(network, "widths"))
    pixels = network.get_layer("widths").filters
    starts, ends, channels = (np.array([each]) for each in (0, pixels, 1))
    widths = graph.add("widths", "Slice", both, starts, ends, channels)
    differences = graph.add("differences", "Slice", both, ends, ends + 1, channels)
    edges = graph.add("edges", "Greater", differences, _scalar(EDGE))
    factor = graph.add("factor", "Where", edges, _scalar(factors.edges), _scalar(factors.flat))
    widths = graph.add("least", "Max", widths, _scalar(LEAST))
    scaled = graph.add("scaled", "Mul", widths, factor)
    if stage == "hw":
        return graph.add(
            "half_widths", "Squeeze", graph.add("shuffled", "DepthToSpace", scaled, blocksize=scale), channels
        )
    last = graph.add("last", "Transpose", scaled, perm=[0, 2, 3, 1])
    return graph.add("half_widths", "Reshape", last, np.array([0, 0, -1]))


def _responses(network: Any) -> tuple[Constant, Constant]:
    """Return the first convolution, and after its filters those that take the differences across a pixel."""
    kernel, bias = _weights(network, "responses")
    middle, differences = KERNEL_SIZE // 2, np.zeros((KERNEL_SIZE, KERNEL_SIZE, 1, 2), np.float32)
    differences[middle - 1 : middle + 2, middle, 0, 0] = -1, 0, 1
    differences[middle, middle - 1 : middle + 2, 0, 1] = -1, 0, 1
    return np.concatenate([kernel, differences], axis=3).transpose(3, 2, 0, 1), np.pad(bias, (0, 2))


def _passing(network: Any, name: str) -> tuple[Constant, Constant]:
    """Return a pointwise convolution (out, in, 1, 1) with one more channel, which is the sum of all incoming ones that
    the trained convolution does not know.
    """
    kernel, bias = _weights(network, name)
    more = 2 if name == "features" else 1
    kernel = np.pad(kernel[0, 0], ((0, more), (0, 1)))
    kernel[-more:, -1] = 1.0
    return kernel.T[..., None, None], np.pad(bias, (0, 1))


def _scalar(value: float) -> Constant:
    return np.array([value], np.float32)


def _weights(network: Any, name: str) -> list[Constant]:
    return [np.asarray(each, np.float32) for each in network.get_layer(name).get_weights()]
