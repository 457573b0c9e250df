"""Where a result contradicts its scan: acquired again it would give another one, or voxels leave their neighbours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import profile_matrix
from sr_keras.volumes.resampling import cubic_matrix
from sr_keras.volumes.volume import Array

Floats = npt.NDArray[np.float32]
Operator = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Profile:
    """How the slices of a scan were acquired.

    Attributes:
        axis: the through-plane axis: 0, 1 or 2.
        name: of `sr_keras.acquisition.profiles.PROFILES`.
        thickness: over the spacing of slices.
        source: where the thickness is from, in a few words.
    """

    axis: int
    name: str
    thickness: float
    source: str


class ResidualSum:
    """The scan minus the result downsampled to its grid, summed up slab by slab as the result is made.

    Args:
        scan: (i, j, k), in real units.
        factors: by how much the upsampled volume is longer along i, j, k.
        axis: that the slabs are spans of.
        profile: of the scan's slices, where it is known. Every other axis is downsampled by antialiased cubic
            interpolation.
    """

    def __init__(self, scan: Array, factors: Sequence[int], axis: int, profile: Profile | None = None) -> None:
        self.voxels: Floats = scan.astype(np.float32)
        self._factors, self._axis = factors, axis
        self._matrices = [
            _downsampling(length, factor, profile if profile and profile.axis == each else None)
            for each, (length, factor) in enumerate(zip(scan.shape, factors, strict=True))
        ]

    def add(self, span: slice, slab: Floats) -> None:
        """Take a slab (i, j, k) of the upsampled volume away from the scan."""
        for axis, factor in enumerate(self._factors):
            if factor > 1 and axis != self._axis:
                slab = _applied(slab, self._matrices[axis], axis)
        columns = self._matrices[self._axis][:, span]
        rows = np.flatnonzero(columns.any(axis=1))
        kept = slice(int(rows[0]), int(rows[-1]) + 1)
        place = (slice(None),) * self._axis + (kept,)
        self.voxels[place] -= _applied(slab, columns[kept], self._axis)


@dataclass
class Excess:
    """Voxels of a result that leave the range of their neighbours in the scan by more than the half-width of their
    interval.

    The neighbours of a voxel are the voxel of the scan that it lies in, and those next to that along all axes that were
    upsampled.

    Attributes:
        scan: (i, j, k), in real units.
        factors: by how much the upsampled volume is longer along i, j, k.
        axis: that its slabs are spans of.
        count: of such voxels.
        largest: by how much the furthest of them is beyond its interval, in the scan's units.
        place: its indices in the upsampled volume; None where there is none.
    """

    scan: Array
    factors: Sequence[int]
    axis: int
    count: int = 0
    largest: float = 0.0
    place: tuple[int, int, int] | None = field(default=None)

    def add(self, span: slice, slab: Floats, half_widths: Floats) -> None:
        """Look at a slab (i, j, k) of the upsampled volume and at the half-widths of its intervals."""
        lowest, highest = self._range(span)
        beyond = np.maximum(slab - highest, lowest - slab) - half_widths
        self.count += int(np.count_nonzero(beyond > 0))
        furthest = np.unravel_index(int(beyond.argmax()), beyond.shape)
        if beyond[furthest] > self.largest:
            self.largest = float(beyond[furthest])
            i, j, k = (int(index) + (span.start if axis == self.axis else 0) for axis, index in enumerate(furthest))
            self.place = i, j, k

    def _range(self, span: slice) -> tuple[Floats, Floats]:
        """Return the least and the greatest neighbour of each voxel of a slab."""
        factor, length = self.factors[self.axis], self.scan.shape[self.axis]
        margin = 1 if factor > 1 else 0
        first, last = span.start // factor, (span.stop - 1) // factor + 1
        start, stop = max(0, first - margin), min(length, last + margin)
        block = self.scan[(slice(None),) * self.axis + (slice(start, stop),)].astype(np.float32)
        inside = slice(span.start - start * factor, span.stop - start * factor)
        ranges = []
        for operator in (np.minimum, np.maximum):
            near = block
            for axis, each in enumerate(self.factors):
                near = _around(near, axis, operator).repeat(each, axis=axis) if each > 1 else near
            ranges.append(near[(slice(None),) * self.axis + (inside,)])
        return ranges[0], ranges[1]


def _downsampling(length: int, factor: int, profile: Profile | None) -> Floats:
    """Return the matrix (samples of the scan, samples of the upsampled volume) of an axis."""
    if profile is None or profile.name == "cubic" or factor == 1:
        return cubic_matrix(length * factor, length, factor).astype(np.float32)
    return profile_matrix(profile.name, length * factor, factor, profile.thickness).astype(np.float32)


def _applied(voxels: Floats, matrix: Floats, axis: int) -> Floats:
    return np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)


def _around(voxels: Floats, axis: int, operator: Operator) -> Floats:
    """Return the least or the greatest of each sample of an axis and its two neighbours."""
    before, after = (voxels.take(indices, axis) for indices in _neighbours(voxels.shape[axis]))
    return np.asarray(operator(operator(before, voxels), after))


def _neighbours(length: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    indices = np.arange(length)
    return np.maximum(indices - 1, 0), np.minimum(indices + 1, length - 1)
