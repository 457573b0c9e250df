"""The grid that a job gives: from a scale, a spacing or another image's grid to shape and affine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from nibabel.affines import voxel_sizes

from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.inference.planning import LARGEST_FACTOR, Available, Factors, factors_for_spacing, upsampled_shape
from sr_keras.volumes.geometry import SPACING_TOLERANCE, Affine, rescaled_affine
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.regridding import SAME_STEP, Regridding
from sr_keras.volumes.volume import Volume

# By how much a result is finer along i, j, k; not only whole numbers.
Scale = tuple[float, float, float]
# Fields of view that differ by less are one, rounded: in mm.
FIELD_OF_VIEW_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid to put a result onto.

    Attributes:
        shape: number of voxels along i, j, k.
        affine: 4 x 4, voxel indices to mm in RAS+.
        name: what it is the grid of, for messages.
    """

    shape: tuple[int, int, int]
    affine: Affine
    name: str = "the other image"


@dataclass(frozen=True, eq=False)
class OutputGrid:
    """Where the voxels of a result lie.

    Attributes:
        factors: by which the stages upsample, along i, j, k.
        shape: number of voxels along i, j, k.
        affine: 4 x 4, voxel indices to mm in RAS+.
        regridding: from the upsampled volume to the result; None where the stages alone reach it.
        note: what the grid does to the field of view or the scale, in a few words; empty where it does nothing.
    """

    factors: Factors
    shape: tuple[int, int, int]
    affine: Affine
    regridding: Regridding | None = None
    note: str = ""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k, in mm."""
        i, j, k = (float(size) for size in voxel_sizes(self.affine))
        return i, j, k

    def result_axis(self, axis: int) -> int:
        """Return the axis of the result along which slabs of an axis of the upsampled volume come."""
        return axis if self.regridding is None else self.regridding.result_axis(axis)

    def workspace_bytes(self, axis: int) -> int:
        """Return what the last resampling holds at once, for slabs of an axis of the upsampled volume."""
        return 0 if self.regridding is None else self.regridding.workspace_bytes(axis)


def output_grid(
    volume: Volume,
    factors: Scale,
    spacing: Sequence[float] | None,
    stages: Iterable[Available],
    like: Grid | None = None,
) -> OutputGrid:
    """Return the grid that a job gives.

    Args:
        volume: the scan.
        factors: along i, j, k, from 1 to 8; without meaning where a spacing or a grid is given. A factor that no stages
            make is made by larger ones and an antialiased resampling.
        spacing: to reach instead, in mm along i, j, k.
        stages: the stages at hand.
        like: the grid to put the result onto instead.

    Raises:
        ConfigurationError: a factor is not from 1 to 8, or a spacing not above zero.
        VolumeError: the scan lies wholly beyond the grid.
    """
    stages = list(stages)
    if like is not None:
        return _onto(volume, like, stages)
    if spacing is not None:
        return _at_spacing(volume, spacing, stages)
    _check_factors(factors)
    made = factors_for_spacing((1.0, 1.0, 1.0), [1 / factor for factor in factors], stages)
    # What no stages reach is refused with the steps; a whole number is named there as it was given.
    i, j, k = (max(one, ceil(other - SPACING_TOLERANCE)) for one, other in zip(made, factors, strict=True))
    if (i, j, k) == tuple(factors):
        shape = upsampled_shape(volume.shape, (i, j, k))
        return OutputGrid((i, j, k), shape, rescaled_affine(volume.affine, [1 / factor for factor in (i, j, k)]))
    return _at_scale(volume, factors, (i, j, k))


def _at_scale(volume: Volume, factors: Scale, made: Factors) -> OutputGrid:
    """Return a grid with the box of the scan, whatever the factors."""
    source = upsampled_shape(volume.shape, made)
    i, j, k = (max(1, round(length * factor)) for length, factor in zip(volume.shape, factors, strict=True))
    steps = np.divide(source, (i, j, k)).tolist()
    reached = np.divide((i, j, k), volume.shape)
    others = [
        f"{new:.6g} instead of {old:.6g} along {'ijk'[axis]}"
        for axis, (old, new) in enumerate(zip(factors, reached, strict=True))
        if abs(new - old) > SAME_STEP * old
    ]
    note = f"scale {', '.join(others)} to keep the field of view" if others else ""
    affine = rescaled_affine(volume.affine, (1 / reached).tolist())
    return OutputGrid(made, (i, j, k), affine, Regridding(source, (i, j, k), rescaled_affine(np.eye(4), steps)), note)


def _at_spacing(volume: Volume, spacing: Sequence[float], stages: Sequence[Available]) -> OutputGrid:
    """Return a grid that begins at the first edges of the scan."""
    if len(spacing) != 3 or not all(0 < size < float("inf") for size in spacing):
        raise ConfigurationError(f"A spacing must be three numbers of mm above zero. Received: {tuple(spacing)}.")
    made = factors_for_spacing(volume.spacing, spacing, stages)
    affine, source = (
        rescaled_affine(volume.affine, [1 / factor for factor in made]),
        upsampled_shape(volume.shape, made),
    )
    steps = [step if abs(step - 1) > SAME_STEP else 1.0 for step in np.divide(spacing, voxel_sizes(affine)).tolist()]
    i, j, k = (
        length if step == 1 else max(1, round(length / step)) for length, step in zip(source, steps, strict=True)
    )
    regridding = (
        Regridding(source, (i, j, k), rescaled_affine(np.eye(4), steps)) if max(steps) != 1 or min(steps) != 1 else None
    )
    final = rescaled_affine(affine, np.divide(spacing, voxel_sizes(affine)).tolist())
    boxes = zip(np.multiply(volume.shape, volume.spacing), np.multiply((i, j, k), spacing), strict=True)
    changes = [
        f"{new:g} instead of {old:g} mm along {'ijk'[axis]}"
        for axis, (old, new) in enumerate(boxes)
        if abs(new - old) > FIELD_OF_VIEW_TOLERANCE
    ]
    return OutputGrid(made, (i, j, k), final, regridding, f"field of view {', '.join(changes)}" if changes else "")


def _onto(volume: Volume, like: Grid, stages: Sequence[Available]) -> OutputGrid:
    """Return another image's grid; voxels beyond the scan hold its floor."""
    in_scan = Regridding(volume.shape, like.shape, np.linalg.inv(volume.affine) @ like.affine)
    made = factors_for_spacing((1.0, 1.0, 1.0), in_scan.steps, stages)
    upsampled = rescaled_affine(volume.affine, [1 / factor for factor in made])
    if in_scan.inside == 0:
        raise VolumeError(
            f"{volume.source} and {like.name} do not overlap; give an image in the same scanner coordinates."
        )
    floor = normalization_of(volume).floor
    source = upsampled_shape(volume.shape, made)
    regridding = Regridding(source, like.shape, np.linalg.inv(upsampled) @ like.affine, floor)
    outside = 100 * (1 - regridding.inside)
    beyond = f", {max(outside, 0.1):.1f} % of it beyond the scan and filled with {floor:g}" if outside else ""
    return OutputGrid(made, like.shape, like.affine, regridding, f"on the grid of {like.name}{beyond}")


def parse_scale(text: str) -> Scale:
    """Return the factors along i, j, k of "2" (all three alike), "2.5" or "2x2x1".

    Raises:
        ConfigurationError: it is neither, or a factor is not from 1 to 8.
    """
    parts = text.lower().split("x")
    try:
        factors = [float(part) for part in parts]
    except ValueError:
        factors = []
    if len(factors) not in (1, 3) or not all(factor > 0 for factor in factors):
        raise ConfigurationError(
            f"{text!r} is no scale; write one number from 1 to 8, or one for each axis as in 2x2x1."
        )
    i, j, k = (
        int(factor) if factor.is_integer() else factor for factor in (factors * 3 if len(factors) == 1 else factors)
    )
    _check_factors((i, j, k))
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


def _check_factors(factors: Sequence[float]) -> None:
    if len(factors) != 3 or not all(
        isinstance(factor, (int, float, np.integer, np.floating)) and 1 <= factor <= LARGEST_FACTOR
        for factor in factors
    ):
        wanted = "x".join(f"{factor:g}" if isinstance(factor, float) else str(factor) for factor in factors)
        raise ConfigurationError(
            f"A scale has one factor for each of three axes, from 1 to {LARGEST_FACTOR}, not {wanted}; for a coarser "
            "result give --spacing."
        )
