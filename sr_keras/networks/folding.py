"""Fold a conditional chain for one scan: NumPy alone, so that it needs no Keras where scans are super-resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# Standardised descriptions beyond this many standard deviations of the training mixture count as this far.
LARGEST_DEVIATION = 4.0


@dataclass(frozen=True)
class ConditionalWeights:
    """What a conditional chain has learned, by the names of its layers.

    Attributes:
        mean: (length,), of the descriptions in the training mixture.
        deviation: (length,), their standard deviations.
        hidden: the weights and the bias of each dense layer between a description and the convolutions.
        convolutions: for each convolution by its name: `kernel` (height, width, in, out), `bias` (out,), `bases` (n,
            height, width, in, out), `mixing` (features, n) and `film` (features, 2 * out).
    """

    mean: Floats
    deviation: Floats
    hidden: Sequence[tuple[Floats, Floats]]
    convolutions: Mapping[str, Mapping[str, Floats]]


def fold(weights: ConditionalWeights, description: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return the kernel (height, width, in, out) and the bias (out,) of each convolution for one scan, float32.

    Args:
        weights: of the conditional chain.
        description: (length,), the scan's fingerprint and how much of its noise is kept.
    """
    standard = (description.astype(np.float32) - weights.mean) / weights.deviation
    features = np.clip(standard, -LARGEST_DEVIATION, LARGEST_DEVIATION)
    (first, first_bias), (second, second_bias) = weights.hidden
    features = np.tanh(np.maximum(features @ first + first_bias, 0.0) @ second + second_bias)
    folded = {}
    for name, layer in weights.convolutions.items():
        kernel = layer["kernel"] + np.tensordot(features @ layer["mixing"], layer["bases"], axes=1)
        scale, offset = np.split(features @ layer["film"], 2)
        folded[name] = (
            np.asarray(kernel * (1.0 + scale), np.float32),
            np.asarray(layer["bias"] * (1.0 + scale) + offset, np.float32),
        )
    return folded


def save_conditional_weights(path: Path, weights: ConditionalWeights) -> None:
    """Write the weights of a conditional chain to an `.npz` file."""
    arrays: dict[str, Floats] = {"mean": weights.mean, "deviation": weights.deviation}
    for number, (kernel, bias) in enumerate(weights.hidden):
        arrays |= {f"hidden{number}/kernel": kernel, f"hidden{number}/bias": bias}
    for name, layer in weights.convolutions.items():
        arrays |= {f"{name}/{part}": values for part, values in layer.items()}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_conditional_weights(path: Path) -> ConditionalWeights:
    """Read what `save_conditional_weights` wrote."""
    with np.load(path) as file:
        arrays = dict(file)
    layers: dict[str, dict[str, Floats]] = {}
    for name, values in arrays.items():
        layer, _, part = name.partition("/")
        if part:
            layers.setdefault(layer, {})[part] = values
    hidden = [layers.pop(name) for name in sorted(layers) if name.startswith("hidden")]
    return ConditionalWeights(
        arrays["mean"], arrays["deviation"], [(layer["kernel"], layer["bias"]) for layer in hidden], layers
    )
