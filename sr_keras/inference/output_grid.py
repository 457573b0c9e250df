"""The grid that a job gives: from a scale or a spacing to shape and affine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from nibabel.affines import voxel_sizes

from sr_keras.errors import ConfigurationError
from sr_keras.inference.planning import Available, Factors, factors_for_spacing, upsampled_shape
from sr_keras.volumes.geometry import Affine, rescaled_affine
from sr_keras.volumes.volume import Volume

# A last resampling that changes the spacing by less than this fraction would only smooth.
SAME_SPACING = 1e-6


@dataclass(frozen=True)
class OutputGrid:
    """Where the voxels of a result lie.

    Attributes:
        factors: by which the stages upsample, along i, j, k.
        shape: number of voxels along i, j, k.
        affine: 4 x 4, voxel indices to mm in RAS+.
        resampling_steps: spacing of the result over that of the upsampled volume, along i, j, k; 1 where the stages
            alone reach it.
        peak_voxels: voxels that exist at once where the result is made as a whole.
    """

    factors: Factors
    shape: tuple[int, int, int]
    affine: Affine
    resampling_steps: tuple[float, float, float]
    peak_voxels: int

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k, in mm."""
        i, j, k = (float(size) for size in voxel_sizes(self.affine))
        return i, j, k


def output_grid(
    volume: Volume, factors: Factors, spacing: Sequence[float] | None, stages: Iterable[Available]
) -> OutputGrid:
    """Return the grid that a job gives.

    Args:
        volume: the scan.
        factors: along i, j, k; without meaning where a spacing is given.
        spacing: to reach instead, in mm along i, j, k.
        stages: the stages at hand.

    Raises:
        ConfigurationError: a spacing is not above zero.
    """
    if spacing is None:
        _check_factors(factors)
        shape = upsampled_shape(volume.shape, factors)
        affine = rescaled_affine(volume.affine, [1 / factor for factor in factors])
        return OutputGrid(factors, shape, affine, (1.0, 1.0, 1.0), prod(shape))
    if len(spacing) != 3 or not all(0 < size < float("inf") for size in spacing):
        raise ConfigurationError(f"A spacing must be three numbers of mm above zero. Received: {tuple(spacing)}.")
    factors = factors_for_spacing(volume.spacing, spacing, stages)
    affine = rescaled_affine(volume.affine, [1 / factor for factor in factors])
    steps = np.divide(spacing, voxel_sizes(affine))
    shape, peak = _resampled(upsampled_shape(volume.shape, factors), list(steps))
    i, j, k = (float(step) if _resamples(step) else 1.0 for step in steps)
    return OutputGrid(factors, shape, rescaled_affine(affine, list(steps)), (i, j, k), peak)


def parse_scale(text: str) -> Factors:
    """Return the factors along i, j, k of "2" (all three alike) or "2x2x1".

    Raises:
        ConfigurationError: it is neither.
    """
    parts = text.lower().split("x")
    try:
        factors = [float(part) for part in parts]
    except ValueError:
        factors = []
    if len(factors) not in (1, 3) or not all(factor > 0 for factor in factors):
        raise ConfigurationError(f"{text!r} is no scale; write one whole number, or one for each axis as in 2x2x1.")
    if not all(factor.is_integer() for factor in factors):
        raise ConfigurationError(f"{text} is not whole; for other factors give the spacing in mm with --spacing.")
    i, j, k = (int(factor) for factor in (factors * 3 if len(factors) == 1 else factors))
    return i, j, k


def parse_spacing(text: str) -> tuple[float, float, float]:
    """Return the spacing in mm along i, j, k of "0.5" (all three alike) or "0.5x0.5x1".

    Raises:
        ConfigurationError: it is neither, or not above zero.
    """
    try:
        values = [float(part) for part in text.lower().split("x")]
        i, j, k = values * 3 if len(values) == 1 else values
    except ValueError:
        i = j = k = 0.0
    if not (min(i, j, k) > 0 and max(i, j, k) < float("inf")):
        raise ConfigurationError(
            f"{text!r} is no spacing; write one number of mm above zero, or one for each axis as in 0.5x0.5x1."
        )
    return i, j, k


def _check_factors(factors: Sequence[int]) -> None:
    if len(factors) != 3 or not all(isinstance(factor, (int, np.integer)) and factor > 0 for factor in factors):
        raise ConfigurationError(f"Factors must be three whole numbers above zero. Received: {tuple(factors)}.")


def _resamples(step: float) -> bool:
    return abs(step - 1) > SAME_SPACING


def _resampled(shape: tuple[int, int, int], steps: Sequence[float]) -> tuple[tuple[int, int, int], int]:
    """Return a shape resampled axis by axis, and the voxels that exist at once: two of before, one of after."""
    lengths, peak = list(shape), prod(shape)
    for axis, step in enumerate(steps):
        if _resamples(step):
            before = prod(lengths)
            lengths[axis] = max(1, round(lengths[axis] / step))
            peak = max(peak, 2 * before + prod(lengths))
    i, j, k = lengths
    return (i, j, k), peak
