"""Fold a conditional chain for one scan: NumPy alone, so that it needs no Keras where scans are super-resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.resampling import interpolation_kernel

Floats = npt.NDArray[np.float32]
# The kernel and the bias of each convolution of a plain chain, by name.
Kernels = dict[str, tuple[Floats, Floats]]
# What of a conditional chain is stored with less precision: by far the most numbers, of which each matters least.
STORED = {"kernel": np.float16, "bases": np.float16}
# How much of a scan's noise is kept by default: all of it, as docs/acquisition-experiments.md says why.
KEPT_NOISE = 1.0
# Standardised descriptions beyond this many standard deviations of the training mixture count as this far.
LARGEST_DEVIATION = 4.0
# Largest scores along the principal axes of the mixture's fingerprints, in standard deviations: along the first, on
# which noise lies, and along the others, where a scan stands out by what it shows rather than by how it was acquired.
LARGEST_FIRST_SCORE, LARGEST_SCORE = 2.5, 1.5
# Taps of the linear part along an upsampled axis, around the low-resolution pixel whose phases it gives.
LINEAR_TAPS = 7
# Scans this far from the nearest acquisition of the training mixture begin to be interpolated; those as far as the
# second are interpolated only. The largest difference of a number, in standard deviations of the mixture.
NEAR, FAR = 2.0, 3.0


@dataclass(frozen=True)
class ConditionalWeights:
    """What a conditional chain has learned, by the names of its layers.

    Attributes:
        mean: (length,), of the descriptions in the training mixture.
        deviation: (length,), their standard deviations.
        members: (members, length - 1), fingerprints of the training mixture.
        hidden: the weights and the bias of each dense layer between a description and the convolutions.
        convolutions: for each convolution by its name: `kernel` (height, width, in, out), `bias` (out,), `bases` (n,
            height, width, in, out), `mixing` (features, n) and `film` (features, 2 * out).
    """

    mean: Floats
    deviation: Floats
    members: Floats
    hidden: Sequence[tuple[Floats, Floats]]
    convolutions: Mapping[str, Mapping[str, Floats]]

    def plausible(self, description: Floats) -> Floats:
        """Return a description whose fingerprint is cut off along the principal axes of the training mixture.

        Numbers that are each common can be of a combination that the mixture hardly has, for which a network has
        learned little.

        Args:
            description: (length,), as in `fold`.
        """
        mean, deviation = self.mean[:-1].astype(float), self.deviation[:-1]
        members = (self.members - mean) / deviation
        _, _, axes = np.linalg.svd(members, full_matrices=False)
        scores = (description[:-1] - mean) / deviation @ axes.T
        largest = largest_scores(len(axes)) * (members @ axes.T).std(axis=0)
        cut = np.clip(scores, -largest, largest) - scores
        return np.append(description[:-1] + cut @ axes * deviation, description[-1:]).astype(np.float32)

    def distance(self, description: Floats) -> float:
        """Return how far a scan is from the nearest acquisition of the training mixture.

        Args:
            description: (length,), as in `fold`.

        Returns:
            The largest difference of a number of the fingerprint, in standard deviations of the mixture.
        """
        differences = (self.members - description[:-1]) / self.deviation[:-1]
        return float(np.abs(differences).max(axis=1).min())

    def trust(self, description: Floats) -> float:
        """Return how much of the network's details a scan gets: 1 within the mixture, 0 far outside of it."""
        return float(np.clip((FAR - self.distance(description)) / (FAR - NEAR), 0.0, 1.0))


def largest_scores(axes: int) -> Floats:
    """Return how far a fingerprint may lie along each principal axis, (axes,), in standard deviations, float32."""
    return np.array([LARGEST_FIRST_SCORE] + [LARGEST_SCORE] * (axes - 1), np.float32)


def fold(weights: ConditionalWeights, description: Floats) -> Kernels:
    """Return the kernel (height, width, in, out) and the bias (out,) of each convolution for one scan, float32.

    Outside of the training mixture the chain turns into cubic interpolation.

    Args:
        weights: of the conditional chain.
        description: (length,), the scan's fingerprint and how much of its noise is kept.
    """
    description = np.asarray(description, np.float32)
    standard = (weights.plausible(description) - weights.mean) / weights.deviation
    features = np.clip(standard, -LARGEST_DEVIATION, LARGEST_DEVIATION)
    (first, first_bias), (second, second_bias) = weights.hidden
    features = np.tanh(np.maximum(features @ first + first_bias, 0.0) @ second + second_bias)
    folded = {name: _folded_layer(layer, features) for name, layer in weights.convolutions.items()}
    trust = np.float32(weights.trust(description))
    if trust < 1.0:
        folded["details"] = tuple(trust * each for each in folded["details"])  # type: ignore[assignment]
        folded["linear"] = _towards_interpolation(*folded["linear"], trust)
    return folded


def _folded_layer(layer: Mapping[str, Floats], features: Floats) -> tuple[Floats, Floats]:
    kernel = layer["kernel"] + np.tensordot(features @ layer["mixing"], layer["bases"], axes=1)
    scale, offset = np.split(features @ layer["film"], 2)
    return (
        np.asarray(kernel * (1.0 + scale), np.float32),
        np.asarray(layer["bias"] * (1.0 + scale) + offset, np.float32),
    )


def _towards_interpolation(kernel: Floats, bias: Floats, trust: np.float32) -> tuple[Floats, Floats]:
    """Return the linear part of a chain, mixed with cubic interpolation."""
    height, width, _, pixels = kernel.shape
    factors = (round(pixels**0.5),) * 2 if height > 1 else (1, pixels)
    cubic = interpolation_kernel((factors[0], factors[1]), width).astype(np.float32)
    return trust * kernel + (1 - trust) * cubic, trust * bias


def save_conditional_weights(path: str | PathLike[str], weights: ConditionalWeights) -> None:
    """Write the weights of a conditional chain to an `.npz` file, packed, and the kernels in float16."""
    arrays: dict[str, Any] = {"mean": weights.mean, "deviation": weights.deviation, "members": weights.members}
    for number, (kernel, bias) in enumerate(weights.hidden):
        arrays |= {f"hidden{number}/kernel": kernel, f"hidden{number}/bias": bias}
    for name, layer in weights.convolutions.items():
        arrays |= {f"{name}/{part}": values.astype(STORED.get(part, np.float32)) for part, values in layer.items()}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_conditional_weights(path: str | PathLike[str]) -> ConditionalWeights:
    """Read what `save_conditional_weights` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
        KeyError: an array is missing.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(values, np.float32) for name, values in file.items()}
    except (BadZipFile, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    layers: dict[str, dict[str, Floats]] = {}
    for name, values in arrays.items():
        layer, _, part = name.partition("/")
        if part:
            layers.setdefault(layer, {})[part] = values
    hidden = [layers.pop(name) for name in sorted(layers) if name.startswith("hidden")]
    return ConditionalWeights(
        arrays["mean"],
        arrays["deviation"],
        arrays["members"],
        [(layer["kernel"], layer["bias"]) for layer in hidden],
        layers,
    )
