"""Pairs to learn from: in-plane slices, and what they become when one of their axes is sampled through plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import average_axis
from sr_keras.adaptation.corruption import Corruption
from sr_keras.adaptation.noise import Noise
from sr_keras.errors import VolumeError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reduction:
    """How a through-plane axis is sampled.

    Attributes:
        scale: of the d stage.
        profile: a name of `sr_keras.acquisition.profiles.PROFILES`.
        thickness: of a slice over the spacing of slices.
    """

    scale: int
    profile: str
    thickness: float


@dataclass(frozen=True)
class Pairs:
    """Pairs of one orientation.

    Attributes:
        low: (slice, in-plane, depth), float32, normalised.
        target: (slice, in-plane, depth * scale), float32, normalised.
    """

    low: Floats
    target: Floats


def make_pairs(
    slices: Floats,
    reduction: Reduction,
    coarsening: int,
    noise: Noise,
    generator: np.random.Generator,
    noise_kept: float = 1.0,
) -> Pairs:
    """Reduce the last axis of slices.

    Args:
        slices: (slice, in-plane, in-plane), float32, normalised.
        reduction: of the last axis.
        coarsening: pixels of a slice in a pixel of the target.
        noise: of the slices.
        generator: the source of the noise.
        noise_kept: how much of the noise that a target shares with its image is left in it, 0 to 1.
    """
    factor = reduction.scale * coarsening
    kept = slices[..., : slices.shape[2] // factor * factor]
    to_low, to_target = _matrices(kept.shape[2], reduction, coarsening)
    low, target = kept @ to_low.T, (kept.copy() if coarsening == 1 else kept @ to_target.T)
    if noise.deviation <= 0.0:
        return Pairs(low, target)
    corruption, removed = Corruption(to_low, kept.shape[1], noise), np.float32(1.0 - noise_kept)
    for one, other in zip(low, target, strict=True):
        drawn, correction = corruption.draw(generator)
        one += drawn
        other -= removed * (correction if coarsening == 1 else correction @ to_target.T)
    return Pairs(low, target)


def _matrices(length: int, reduction: Reduction, coarsening: int) -> tuple[Floats, Floats]:
    """Return what makes the low-resolution samples and the target's samples of an axis."""
    unit = np.eye(length, dtype=np.float32)
    to_low = average_axis(unit, 0, reduction.scale * coarsening, reduction.profile, reduction.thickness)
    return to_low, average_axis(unit, 0, coarsening, "cubic") if coarsening > 1 else unit


class PatchSampler:
    """Draws patches where there is detail: by the square root of the gradient, as ECLARE does.

    Args:
        pairs: of all orientations and scans.
        scale: of the stage.
        size: (height, depth) of a low-resolution patch, at most that of any image.

    Raises:
        VolumeError: no image shows any detail.
    """

    def __init__(self, pairs: Sequence[Pairs], scale: int, size: tuple[int, int]) -> None:
        self._pairs, self._scale, self._size = pairs, scale, size
        self._cumulated = [np.cumsum(_detail(each, scale, size).ravel(), dtype=np.float64) for each in pairs]
        self._shares = np.cumsum([each[-1] for each in self._cumulated])
        if not self._shares[-1] > 0.0:
            raise VolumeError("Slices without detail have nothing to learn from; super-resolve without adapting.")

    def draw(self, count: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return low-resolution patches (count, height, depth, 1) and their targets (count, height, depth * scale, 1).

        Half of them are mirrored along either axis.
        """
        height, depth = self._size
        low = np.empty((count, height, depth, 1), np.float32)
        target = np.empty((count, height, depth * self._scale, 1), np.float32)
        for number in range(count):
            index, row, column, pairs = self._place(generator)
            one = pairs.low[index, row : row + height, column : column + depth]
            other = pairs.target[index, row : row + height, column * self._scale : (column + depth) * self._scale]
            flip = tuple(slice(None, None, -1 if mirrored else 1) for mirrored in generator.random(2) < 0.5)
            low[number, ..., 0], target[number, ..., 0] = one[flip], other[flip]
        return low, target

    def _place(self, generator: np.random.Generator) -> tuple[int, int, int, Pairs]:
        chosen = int(np.searchsorted(self._shares, generator.random() * self._shares[-1], side="right"))
        pairs, cumulated = self._pairs[chosen], self._cumulated[chosen]
        flat = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))
        shape = _places(pairs, self._size)
        index, row, column = np.unravel_index(min(flat, cumulated.size - 1), shape)
        return int(index), int(row), int(column), pairs


def _places(pairs: Pairs, size: tuple[int, int]) -> tuple[int, int, int]:
    """Return how many slices there are, and places of a patch along each axis."""
    count, rows, columns = pairs.low.shape
    return count, rows - size[0] + 1, columns - size[1] + 1


def _detail(pairs: Pairs, scale: int, size: tuple[int, int]) -> Floats:
    """Return the square root of the mean gradient in the patch at each place."""
    count, rows, columns = _places(pairs, size)
    result = np.empty((count, rows, columns), np.float32)
    for index, image in enumerate(pairs.low):
        vertical, horizontal = np.gradient(image)
        magnitude = np.hypot(vertical, horizontal / scale)
        for axis, length in enumerate(size):
            summed = np.insert(magnitude.cumsum(axis, np.float64), 0, 0.0, axis)
            places = np.arange(summed.shape[axis] - length)
            magnitude = summed.take(places + length, axis) - summed.take(places, axis)
        # Rounding may leave less than nothing.
        result[index] = np.sqrt(np.maximum(magnitude, 0.0))
    return result
