"""Lower precisions of an ONNX graph."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.export.onnx_graph import LAYOUT_CHANGES
from sr_keras.export.request import quiet
from sr_keras.framework import load_module

# Activations are calibrated to this percentile; the range of a few bright pixels would coarsen all others.
CALIBRATION_PERCENTILE = 99.999


def to_half(onnx: Any, model: Any) -> Any:
    """Return the model with float16 weights and arithmetic; its input and outputs stay float32.

    `onnxruntime.transformers.float16` gives the same results, but unsorted nodes, which onnx.checker refuses, and adds
    the folder of its own modules to sys.path.

    Args:
        onnx: the module.
        model: a float32 model; it is changed.
    """
    graph, types = model.graph, onnx.TensorProto
    for constant in graph.initializer:
        if constant.data_type == types.FLOAT:
            values = onnx.numpy_helper.to_array(constant).astype(np.float16)
            constant.CopyFrom(onnx.numpy_helper.from_array(values, constant.name))
    names = {value.name: f"{value.name}_half" for value in (*graph.input, *graph.output)}
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    make = onnx.helper.make_node
    before = [
        make("Cast", [value.name], [names[value.name]], f"{value.name}_to_half", to=types.FLOAT16)
        for value in graph.input
    ]
    after = [
        make("Cast", [names[value.name]], [value.name], f"{value.name}_to_float", to=types.FLOAT)
        for value in graph.output
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def to_int8(onnx: Any, model: Any, batches: Iterator[Images]) -> Any:
    """Return the model quantised after training, in the Q/DQ form that TensorRT reads.

    Convolutions are quantised to int8: weights per channel, activations per tensor, both symmetric. Biases, sums, and
    the first and the last convolution, through which the image itself passes, stay float32. So do the values between a
    convolution and its ReLU, whose negative half would cost a bit of precision.

    Args:
        onnx: the module.
        model: a float32 model of opset 13 or later.
        batches: real slices for calibration, (batch, height, width), normalised.
    """
    quantization = load_module("onnxruntime.quantization", FORMATS["onnx"].install)
    convolutions, image = [node for node in model.graph.node if node.op_type == "Conv"], _image_values(model.graph)
    first = [node.name for node in convolutions if node.input[0] in image]
    last = [node.name for node in convolutions if node.name not in first][-1:]
    with TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantization.quantize_static(
            source,
            target,
            _reader(quantization, batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=first + last,
            extra_options={
                "ActivationSymmetric": True,
                "CalibPercentile": CALIBRATION_PERCENTILE,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
                "QuantizeBias": False,
            },
        )
        return onnx.load(target)


def _image_values(graph: Any) -> set[str]:
    """Return the names of the values that hold the input itself, in any layout."""
    names = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type in LAYOUT_CHANGES and node.input[0] in names:
            names.update(node.output)
    return names


def _reader(quantization: Any, batches: Iterator[Images]) -> Any:
    """Return batches as a calibration data reader of onnxruntime."""

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> dict[str, Images] | None:
            """Return the next input, None after the last."""
            images = next(batches, None)
            return None if images is None else {"lr": images[..., None]}

    return Reader()
