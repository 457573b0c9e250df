"""ONNX counterparts of layers that no shipped family uses, for networks of one's own.

Each function takes what appends a node and returns its output's name, a layer, and the names of its inputs, which are
channels-first; it returns the name of its output, channels-first too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from sr_keras.errors import ModelFileError

Add = Callable[..., str]


def _concatenate(add: Add, layer: Any, *values: str) -> str:
    _require(layer, layer.axis in (-1, 3))
    return add("Concat", *values, axis=1)


def _multiply(add: Add, _: Any, *values: str) -> str:
    return _folded(add, "Mul", values)


def _subtract(add: Add, _: Any, *values: str) -> str:
    return _folded(add, "Sub", values)


def _batch_normalization(add: Add, layer: Any, value: str) -> str:
    """Scale and shift channels by the moving statistics, which are constants once the network is trained."""
    _require(layer, layer.axis in (-1, 3))
    mean, variance = (np.asarray(each) for each in (layer.moving_mean, layer.moving_variance))
    scale = (np.asarray(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    shift = (np.asarray(layer.beta) if layer.center else 0.0) - mean * scale
    return add("Add", add("Mul", value, _channels(scale)), _channels(shift))


def _relu(add: Add, layer: Any, value: str) -> str:
    _require(layer, layer.max_value is None and not layer.threshold)
    slope = float(layer.negative_slope)
    return add("LeakyRelu", value, alpha=slope) if slope else add("Relu", value)


def _leaky_relu(add: Add, layer: Any, value: str) -> str:
    return add("LeakyRelu", value, alpha=float(layer.negative_slope))


def _prelu(add: Add, layer: Any, value: str) -> str:
    slopes = np.asarray(layer.alpha)
    _require(layer, slopes.shape[:-1] == (1, 1))
    return add("PRelu", value, _channels(slopes.ravel())[0])


def _up_sampling2d(add: Add, layer: Any, value: str) -> str:
    """Repeat pixels: as many copies of all channels as a block has pixels, rearranged into blocks."""
    rows, columns = layer.size
    _require(layer, layer.interpolation == "nearest" and rows == columns)
    return add("DepthToSpace", add("Concat", *[value] * (rows * columns), axis=1), blocksize=rows)


def _unchanged(_: Add, __: Any, value: str) -> str:
    return value


LAYERS: dict[str, Callable[..., str]] = {
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
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


def _folded(add: Add, operator: str, values: tuple[str, ...]) -> str:
    first, *others = values
    for other in others:
        first = add(operator, first, other)
    return first


def _channels(values: Any) -> Any:
    """Return one value for each channel in a shape that all pixels share."""
    return np.asarray(values, np.float32).reshape(1, -1, 1, 1)


def _require(layer: Any, holds: bool) -> None:
    if not holds:
        raise ModelFileError(
            f"The {type(layer).__name__} {layer.name} cannot be exported to ONNX like this; choose another format."
        )
