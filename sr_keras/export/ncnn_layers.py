"""ncnn layers, and the counterparts of Keras layers other than convolutions.

Each function takes what appends an ncnn layer and returns its output's name, a Keras layer, and the names of its
inputs; it returns the name of its output.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ModelFileError

Add = Callable[..., str]
Parameters = dict[int, int | float]
ACTIVATIONS = {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "TanH"}
ADDITION, SUBTRACTION, MULTIPLICATION = 0, 1, 2
NEAREST = 1


@dataclass(frozen=True)
class Layer:
    """One layer of an ncnn model.

    Attributes:
        kind: its type in ncnn, "Convolution".
        name: of the layer.
        inputs: names of the blobs that it reads.
        outputs: names of the blobs that it makes.
        parameters: by the numbers that ncnn gives them.
        kernel: weights whose type the .bin states, in ncnn's order.
        raw: further weights, always float32.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Parameters
    kernel: npt.NDArray[Any] | None = None
    raw: tuple[npt.NDArray[Any], ...] = ()

    def between(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> "Layer":
        """Return the layer with other blobs."""
        return replace(self, inputs=inputs, outputs=outputs)

    def __str__(self) -> str:
        parameters = (f"{number}={value}" for number, value in sorted(self.parameters.items()))
        blobs = (len(self.inputs), len(self.outputs), *self.inputs, *self.outputs)
        return " ".join(map(str, (self.kind, self.name, *blobs, *parameters)))


def _add(add: Add, _: Any, *values: str) -> str:
    return _folded(add, ADDITION, values)


def _subtract(add: Add, _: Any, *values: str) -> str:
    return _folded(add, SUBTRACTION, values)


def _multiply(add: Add, _: Any, *values: str) -> str:
    return _folded(add, MULTIPLICATION, values)


def _concatenate(add: Add, layer: Any, *values: str) -> str:
    _require(layer, layer.axis in (-1, 3))
    return add("Concat", *values)


def _batch_normalization(add: Add, layer: Any, value: str) -> str:
    _require(layer, layer.axis in (-1, 3))
    mean, variance = (np.asarray(each) for each in (layer.moving_mean, layer.moving_variance))
    scale = np.asarray(layer.gamma) if layer.scale else np.ones_like(mean)
    shift = np.asarray(layer.beta) if layer.center else np.zeros_like(mean)
    parameters = {0: len(mean), 1: float(layer.epsilon)}
    return add("BatchNorm", value, parameters=parameters, raw=[scale, mean, variance, shift])


def _relu(add: Add, layer: Any, value: str) -> str:
    _require(layer, layer.max_value is None and not layer.threshold)
    return add("ReLU", value, parameters={0: float(layer.negative_slope)})


def _leaky_relu(add: Add, layer: Any, value: str) -> str:
    return add("ReLU", value, parameters={0: float(layer.negative_slope)})


def _prelu(add: Add, layer: Any, value: str) -> str:
    slopes = np.asarray(layer.alpha)
    _require(layer, slopes.shape[:-1] == (1, 1))
    return add("PReLU", value, parameters={0: slopes.size}, raw=[slopes.ravel()])


def _up_sampling2d(add: Add, layer: Any, value: str) -> str:
    rows, columns = layer.size
    _require(layer, layer.interpolation == "nearest")
    return add("Interp", value, parameters={0: NEAREST, 1: float(rows), 2: float(columns)})


def _depth_to_space(add: Add, operation: Any, value: str) -> str:
    return add("PixelShuffle", value, parameters={0: operation.block_size})


def _depth_shuffle(add: Add, layer: Any, value: str) -> str:
    """Interleave channels along the width by a transposed convolution: reshapes would fix the size of the image."""
    factor = layer.scale
    parameters = {0: 1, 1: factor, 11: 1, 3: factor, 13: 1, 5: 0, 6: factor * factor}
    return add("Deconvolution", value, parameters=parameters, kernel=np.eye(factor))


def _unchanged(_: Add, __: Any, value: str) -> str:
    return value


LAYERS: dict[str, Callable[..., str]] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "DepthShuffle": _depth_shuffle,
    "DepthToSpace": _depth_to_space,
    "Dropout": _unchanged,
    "GaussianNoise": _unchanged,
    "LeakyReLU": _leaky_relu,
    "Multiply": _multiply,
    "PReLU": _prelu,
    "ReLU": _relu,
    "SpatialDropout2D": _unchanged,
    "Subtract": _subtract,
    "UpSampling2D": _up_sampling2d,
}


def _folded(add: Add, operator: int, values: tuple[str, ...]) -> str:
    first, *others = values
    for other in others:
        first = add("BinaryOp", first, other, parameters={0: operator})
    return first


def _require(layer: Any, holds: bool) -> None:
    if not holds:
        raise ModelFileError(
            f"The {type(layer).__name__} {layer.name} cannot be exported to ncnn like this; choose another format."
        )
