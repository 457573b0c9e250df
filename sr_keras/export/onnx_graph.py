"""Conversion of a Keras network to an ONNX graph.

The graph computes channels-first, as runtimes do; its input and outputs are channels-last, as those of the network.
"""

from collections import Counter
from typing import Any

import numpy as np

from sr_keras.errors import ModelFileError
from sr_keras.export.onnx_blocks import BLOCK, Blocks, inputs_of, widened
from sr_keras.export.onnx_layers import LAYERS
from sr_keras.export.request import Shape

LAYOUT_CHANGES = {"Reshape", "Squeeze", "Transpose", "Unsqueeze"}
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
# Shape of the d stage's sub-pixel layer: batch and in-plane axis as they are, the channels interleaved with the depth.
DEPTH_SHUFFLE = np.array([0, 0, -1, 1])


def onnx_graph(onnx: Any, network: Any, shape: Shape, factors: tuple[int, int], *, for_processors: bool) -> Any:
    """Return a network as a graph of operators of opset 9, or 13 where it is optimised for CPUs.

    Args:
        onnx: the module.
        network: a Keras functional model with the input `lr`, (batch, height, width, 1), and a dictionary of outputs of
            that layout.
        shape: (batch, height, width) of the input; None is free.
        factors: upsampling factors of height and width.
        for_processors: whether the graph is optimised for CPUs: output convolutions emit blocks of pixels, see
            `onnx_blocks`, and images that are upsampled along the width only are transposed, since the depth of most
            scans is short and runtimes lose time at the end of each row.

    Returns:
        A GraphProto. Its names are the same in every export.

    Raises:
        ModelFileError: a layer has no counterpart here, or is used twice.
    """
    made = {id(operation.output) for operation in network.operations}
    if any(id(tensor) not in made for operation in network.operations for tensor in inputs_of(operation)):
        raise ModelFileError("A network that uses a layer twice cannot be exported to ONNX; choose another format.")
    blocks = Blocks(network, factors) if for_processors else None
    pairs = zip(shape[1:], factors, strict=True)
    height, width = (None if length is None else length * factor for length, factor in pairs)
    crop = not (height and width) or bool(height % BLOCK or width % BLOCK)
    converter = _Converter(onnx, blocks, factors, crop=crop)
    for operation in network.operations:
        converter.convert(operation)
    for name, tensor in network.output.items():
        converter.finish(name, tensor)
    names = ("batch", "height", "width"), ("batch", "upsampled_height", "upsampled_width")
    return onnx.helper.make_graph(
        converter.nodes,
        "sr_keras",
        [_described(onnx, "lr", shape, names[0])],
        [_described(onnx, name, (shape[0], height, width), names[1]) for name in network.output],
        converter.constants,
    )


class _Converter:
    """Appends the nodes of one operation after another; operators are numbered, values named after them."""

    def __init__(self, onnx: Any, blocks: Blocks | None, factors: tuple[int, int], *, crop: bool) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._onnx, self._blocks, self._crop = onnx, blocks, crop
        self._transposed = blocks is not None and blocks.complete and factors[0] < factors[1]
        self._factors = factors[::-1] if self._transposed else factors
        self._counts: Counter[str] = Counter()
        # Values by Keras tensor; which of them are channels-last, and what those are called channels-first.
        self._values: dict[int, str] = {}
        self._channels_last: dict[str, str | None] = {"lr": None}
        # Names of outputs of the model by value.
        self._finished: dict[str, str] = {}
        self._output_size = ""

    def convert(self, operation: Any) -> None:
        """Append the nodes of an operation of the Keras model."""
        kind = type(operation).__name__
        method = getattr(self, f"_convert_{kind.lower()}", None)
        values = [self._values[id(tensor)] for tensor in inputs_of(operation)]
        if method is not None:
            value = method(operation, *values)
        elif kind in LAYERS:
            value = LAYERS[kind](self._add, operation, *map(self._first, values))
        else:
            raise ModelFileError(f"The {kind} {operation.name} cannot be exported to ONNX; choose another format.")
        if self._blocks and id(operation.output) in self._blocks.images:
            value = self._unblocked(value)
        self._values[id(operation.output)] = value

    def finish(self, name: str, tensor: Any) -> None:
        """Append what gives a tensor the layout and the name of an output of the model."""
        value = self._values[id(tensor)]
        if value in self._finished:
            output = self._add("Identity", self._finished[value])
        else:
            output = value if value in self._channels_last else self._moved(value, before=1, after=3)
        self._finished.setdefault(value, name)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == output else each for each in names]

    def _convert_inputlayer(self, _: Any) -> str:
        return "lr"

    def _convert_activation(self, layer: Any, value: str) -> str:
        return self._activated(layer, value)

    def _convert_add(self, _: Any, *values: str) -> str:
        return self._add("Add", *map(self._first, values))

    def _convert_conv2d(self, layer: Any, value: str) -> str:
        same = layer.padding == "same" or set(layer.kernel_size) == {1}
        if not same or layer.groups != 1 or {*layer.strides, *layer.dilation_rate} != {1}:
            raise ModelFileError(f"The Conv2D {layer.name} cannot be exported to ONNX; choose another format.")
        kernel, *bias = layer.get_weights()
        kernel = kernel.transpose((3, 2, 1, 0) if self._transposed else (3, 2, 0, 1))
        attributes: dict[str, Any] = {"auto_pad": "SAME_UPPER"}
        if self._blocks and id(layer) in self._blocks.convolutions:
            shuffle = self._factors if self._blocks.convolutions[id(layer)] else (1, 1)
            kernel, bias, attributes = widened(kernel, bias, shuffle)
        output = self._add("Conv", self._first(value), kernel, *bias, kernel_shape=kernel.shape[2:], **attributes)
        return self._activated(layer, output)

    def _convert_depthtospace(self, operation: Any, value: str) -> str:
        if self._is_image(operation):
            return value
        return self._add("DepthToSpace", self._first(value), blocksize=operation.block_size)

    def _convert_depthshuffle(self, operation: Any, value: str) -> str:
        if self._is_image(operation):
            return value
        value = self._add("Reshape", self._add("Transpose", self._first(value), perm=(0, 2, 3, 1)), DEPTH_SHUFFLE)
        self._channels_last[value] = None
        return value

    def _is_image(self, operation: Any) -> bool:
        """Return whether the channels that a sub-pixel layer would rearrange are pixels already."""
        return self._blocks is not None and id(operation.input) in self._blocks.images

    def _activated(self, layer: Any, value: str) -> str:
        name = layer.activation.__name__
        if name == "linear":
            return value
        if name not in ACTIVATIONS:
            raise ModelFileError(f"The activation {name} cannot be exported to ONNX; choose another format.")
        return self._add(ACTIVATIONS[name], value)

    def _first(self, value: str) -> str:
        """Return a value channels-first, transposed at most once."""
        if value not in self._channels_last:
            return value
        self._channels_last[value] = self._channels_last[value] or self._moved(value, before=3, after=1)
        return str(self._channels_last[value])

    def _moved(self, value: str, *, before: int, after: int) -> str:
        """Return a value with its channel axis moved, and with rows and columns exchanged in a transposed graph."""
        if not self._transposed:
            return self._add("Transpose", value, perm=(0, 3, 1, 2) if after == 1 else (0, 2, 3, 1))
        # Of one channel. onnxruntime transposes matrices ten times as fast as images.
        matrices = self._add("Transpose", self._add("Squeeze", value, np.array([before])), perm=(0, 2, 1))
        return self._add("Unsqueeze", matrices, np.array([after]))

    def _unblocked(self, value: str) -> str:
        """Return the image of a value whose channels are the pixels of blocks."""
        image = self._add("DepthToSpace", value, blocksize=BLOCK)
        if not self._crop:
            return image
        if not self._output_size:
            axes = np.array([2, 1] if self._transposed else [1, 2])
            size = self._add("Gather", self._add("Shape", "lr"), axes)
            self._output_size = self._add("Mul", size, np.array(self._factors))
        return self._add("Slice", image, np.array([0, 0]), self._output_size, np.array([2, 3]))

    def _add(self, operator: str, *inputs: str | np.ndarray[Any, Any], **attributes: Any) -> str:
        """Append a node and return the name of its output; arrays become constants."""
        self._counts[operator] += 1
        name, names = f"{operator.lower()}{self._counts[operator]}", []
        for number, each in enumerate(inputs):
            names.append(each if isinstance(each, str) else f"{name}_input{number}")
            if not isinstance(each, str):
                self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(each), names[-1]))
        self.nodes.append(self._onnx.helper.make_node(operator, names, [f"{name}_output"], name, **attributes))
        return f"{name}_output"


def _described(onnx: Any, name: str, shape: Shape, axes: tuple[str, str, str]) -> Any:
    """Return the description of a float32 input or output: fixed lengths, and names of the free axes."""
    lengths = [axis if length is None else length for length, axis in zip(shape, axes, strict=True)]
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [*lengths, 1])
