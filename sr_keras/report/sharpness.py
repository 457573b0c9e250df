"""How sharp a volume is along each axis: how wide its strongest edges are, and how strong its frequencies are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from nibabel.orientations import io_orientation

from sr_keras.inference.spectrum import middle_slices, power_spectrum
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float64]
# The part of the rises and falls along an axis that are its edges: the highest.
EDGES = 0.01
# An axis with fewer voxels has no spectrum worth drawing.
SHORTEST = 8


@dataclass(frozen=True)
class Sharpness:
    """What a volume shows along one of its axes.

    Attributes:
        spacing: of the voxels, mm.
        edge_width: mm; NaN where nothing rises or falls along the axis.
        frequencies: (count,), cycles per mm, up to the Nyquist frequency of the axis.
        power: (count,), squared units of the volume times mm; empty like `frequencies` on a short axis.
    """

    spacing: float
    edge_width: float
    frequencies: Floats
    power: Floats


def measure_sharpness(volume: Volume, axis: int) -> Sharpness:
    """Return what slices from the middle of a volume show along one of its axes.

    Args:
        volume: a scan.
        axis: 0, 1 or 2.
    """
    across, spacing = _across(axis), volume.spacing[axis]
    images = middle_slices(volume, across)
    width = edge_width(np.moveaxis(images, axis, -1), spacing)
    if volume.shape[axis] < SHORTEST:
        return Sharpness(spacing, width, np.zeros(0), np.zeros(0))
    frequencies, power = power_spectrum(images, axis)
    # Per line and per window, so that grids of two spacings over one box have one density where they share detail.
    density = power * spacing / np.square(np.hanning(volume.shape[axis])).sum()
    return Sharpness(spacing, width, frequencies / spacing, density)


def edge_width(lines: Floats, spacing: float) -> float:
    """Return how wide the strongest edges along lines are: their height over their steepest slope.

    An edge is a rise or a fall without a turn. For an edge that a Gaussian blurred this is its width from 10 to 90 % of
    its height, within 3 %; no edge of voxels is narrower than their spacing.

    Args:
        lines: (..., samples).
        spacing: mm between samples.

    Returns:
        The median over the highest hundredth of all edges, in mm; NaN without any.
    """
    heights, slopes = _edges(np.diff(lines, axis=-1))
    if not heights.size:
        return float("nan")
    strongest = heights >= np.quantile(heights, 1 - EDGES)
    return float(np.median(heights[strongest] / slopes[strongest])) * spacing


def matching_axes(affine: Affine, other: Affine) -> list[int]:
    """Return, for each axis of a grid, the axis of another grid that runs along the same direction of the patient."""
    directions, others = (io_orientation(each)[:, 0].astype(int).tolist() for each in (affine, other))
    return [others.index(direction) for direction in directions]


def _across(axis: int) -> int:
    """Return the axis that slices along another one are cut across."""
    return 2 if axis != 2 else 1


def _edges(steps: Floats) -> tuple[Floats, Floats]:
    """Return the height and the steepest step of each run of steps of one sign."""
    signs = np.sign(steps)
    starts = np.ones(steps.shape, bool)
    starts[..., 1:] = signs[..., 1:] != signs[..., :-1]
    places = np.flatnonzero(starts)
    if not places.size:
        return np.zeros(0), np.zeros(0)
    sizes = np.abs(steps).ravel()
    heights, slopes = np.add.reduceat(sizes, places), np.maximum.reduceat(sizes, places)
    rising = heights > 0
    return heights[rising], slopes[rising]
