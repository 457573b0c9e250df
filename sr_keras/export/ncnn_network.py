"""Conversion of a Keras network to the two parts of an ncnn model: layers as text, and weights.

ncnn computes one image at a time, channels first: (channels, height, width).
"""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ModelFileError
from sr_keras.export.ncnn_layers import ACTIVATIONS, LAYERS, Layer, Parameters
from sr_keras.export.onnx_blocks import inputs_of

# First line of a .param.
MAGIC = "7767517"
# What comes before weights that may have several types: 0 for float32, else this number for float16.
FLOAT32, FLOAT16 = np.uint32(0), np.uint32(0x01306B47)


def ncnn_network(network: Any, *, half: bool) -> tuple[str, bytes]:
    """Return a network as the text of a .param and the bytes of its .bin.

    Args:
        network: a Keras functional model with the input `lr`, (batch, height, width, 1), and a dictionary of outputs of
            that layout. The blobs `lr` and those of the outputs are (1, height, width).
        half: whether kernels are stored as float16.

    Raises:
        ModelFileError: a layer has no counterpart here, or is used twice.
    """
    made = {id(operation.output) for operation in network.operations}
    if any(id(tensor) not in made for operation in network.operations for tensor in inputs_of(operation)):
        raise ModelFileError("A network that uses a layer twice cannot be exported to ncnn; choose another format.")
    converter = _Converter()
    for operation in network.operations:
        converter.convert(operation)
    layers = _with_splits(converter.layers, {name: converter.value(each) for name, each in network.output.items()})
    blobs = sum(len(layer.outputs) for layer in layers)
    lines = [MAGIC, f"{len(layers)} {blobs}", *map(str, layers)]
    return "\n".join(lines) + "\n", b"".join(part for layer in layers for part in _stored(layer, half=half))


class _Converter:
    """Converts one operation after another; layers and their outputs are numbered by kind."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._counts: Counter[str] = Counter()
        self._values: dict[int, str] = {}

    def value(self, tensor: Any) -> str:
        """Return the name of the blob that holds a Keras tensor."""
        return self._values[id(tensor)]

    def convert(self, operation: Any) -> None:
        """Append the layers of an operation of the Keras model."""
        kind = type(operation).__name__
        method = getattr(self, f"_convert_{kind.lower()}", None)
        values = [self.value(tensor) for tensor in inputs_of(operation)]
        if method is not None:
            value = method(operation, *values)
        elif kind in LAYERS:
            value = LAYERS[kind](self._add, operation, *values)
        else:
            raise ModelFileError(f"The {kind} {operation.name} cannot be exported to ncnn; choose another format.")
        self._values[id(operation.output)] = value

    def _convert_inputlayer(self, _: Any) -> str:
        self.layers.append(Layer("Input", "lr", (), ("lr",), {}))
        return "lr"

    def _convert_activation(self, layer: Any, value: str) -> str:
        return self._activated(layer, value)

    def _convert_conv2d(self, layer: Any, value: str) -> str:
        same = layer.padding == "same" or set(layer.kernel_size) == {1}
        if not same or layer.groups != 1 or {*layer.strides, *layer.dilation_rate} != {1}:
            raise ModelFileError(f"The Conv2D {layer.name} cannot be exported to ncnn; choose another format.")
        kernel, *bias = layer.get_weights()
        rows, columns, _, filters = kernel.shape
        parameters: Parameters = {0: filters, 1: columns, 11: rows, 5: len(bias), 6: kernel.size}
        parameters |= {4: (columns - 1) // 2, 14: (rows - 1) // 2, 15: columns // 2, 16: rows // 2}
        fused = layer.activation.__name__ == "relu"
        parameters |= {9: 1} if fused else {}
        output = self._add("Convolution", value, parameters=parameters, kernel=kernel.transpose(3, 2, 0, 1), raw=bias)
        return output if fused else self._activated(layer, output)

    def _activated(self, layer: Any, value: str) -> str:
        name = layer.activation.__name__
        if name == "linear":
            return value
        if name not in ACTIVATIONS:
            raise ModelFileError(f"The activation {name} cannot be exported to ncnn; choose another format.")
        return self._add(ACTIVATIONS[name], value)

    def _add(
        self,
        kind: str,
        *inputs: str,
        parameters: Parameters | None = None,
        kernel: npt.NDArray[Any] | None = None,
        raw: list[npt.NDArray[Any]] | None = None,
    ) -> str:
        """Append a layer and return the name of its output."""
        self._counts[kind] += 1
        name = f"{kind.lower()}{self._counts[kind]}"
        self.layers.append(Layer(kind, name, inputs, (name,), parameters or {}, kernel, tuple(raw or ())))
        return name


def _with_splits(layers: list[Layer], outputs: dict[str, str]) -> list[Layer]:
    """Return layers with outputs of the model named, and a Split for each value that is read more than once.

    Args:
        layers: with one output each.
        outputs: names of the values that the outputs of the model are.
    """
    copies: dict[str, list[str]] = defaultdict(list)
    for name in (name for layer in layers for name in layer.inputs):
        copies[name].append(f"{name}_{len(copies[name])}")
    copies = {name: [name] if len(each) == 1 else each for name, each in copies.items()}
    for output, value in outputs.items():
        copies[value] = [*(f"{value}_0" if name == value else name for name in copies.get(value, ())), output]
    left = {name: iter(each) for name, each in copies.items()}
    result = []
    for layer in layers:
        inputs, (value,) = tuple(next(left[name]) for name in layer.inputs), layer.outputs
        single = len(copies[value]) == 1
        result.append(layer.between(inputs, tuple(copies[value]) if single else (value,)))
        if not single:
            result.append(Layer("Split", f"split_{value}", (value,), tuple(copies[value]), {}))
    return result


def _stored(layer: Layer, *, half: bool) -> list[bytes]:
    """Return the weights of a layer as the .bin stores them."""
    parts = []
    if layer.kernel is not None:
        kernel = layer.kernel.astype("<f2" if half else "<f4").tobytes()
        # Each array begins at a multiple of four bytes.
        parts = [(FLOAT16 if half else FLOAT32).astype("<u4").tobytes(), kernel, bytes(-len(kernel) % 4)]
    return parts + [array.astype("<f4").tobytes() for array in layer.raw]
