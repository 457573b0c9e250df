"""Data consistency by back-projection: the result, downsampled again, is the scan.

The downsampling D is that of `downsample_volume`, one matrix an axis. Of all volumes that D takes to the scan y, the
nearest to x in the least-squares sense is x + D^T (D D^T)^-1 (y - D x): back-projection with the exact inverse instead
of iterations (M. Irani and S. Peleg, "Improving Resolution by Image Registration" (1991), DOI
10.1016/1049-9652(91)90045-L).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.resampling import cubic_matrix
from sr_keras.volumes.volume import Array

Floats = npt.NDArray[np.float32]

# The upsampled volume is changed in place, in slabs of at most this many bytes.
SLAB_BYTES = 64 << 20


@dataclass(frozen=True)
class Residual:
    """How far an upsampled volume, downsampled again, is from its scan, in the scan's units.

    Attributes:
        root_mean_square: over all voxels of the scan.
        largest: absolute.
    """

    root_mean_square: float
    largest: float

    @classmethod
    def of(cls, difference: Floats) -> "Residual":
        """Return the figures of a difference, any shape."""
        square = np.mean(np.square(difference), dtype=np.float64)
        return cls(float(np.sqrt(square)), float(np.abs(difference).max()))


@dataclass(frozen=True)
class Projection:
    """The residual before and after `back_project`."""

    before: Residual
    after: Residual

    def describe(self, unit: str) -> str:
        """Return a sentence about it; `unit` is that of the scan, or empty."""
        before, after = self.before, self.after
        unit = f" {unit}" if unit else ""
        return (
            "Back-projection: the downsampled result differed from the scan by "
            f"{before.root_mean_square:.3g}{unit} (root mean square; {before.largest:.3g} at most) before, by "
            f"{after.root_mean_square:.2g} ({after.largest:.2g} at most) after."
        )


def residual_of(voxels: Floats, scan: Array, factors: Sequence[int]) -> Floats:
    """Return the scan minus the downsampled volume, float32, in the scan's units.

    Args:
        voxels: the upsampled volume, float32, real units.
        scan: the volume that it was made of, real units; each axis shorter by its factor.
        factors: how many times longer along each axis.
    """
    across, inner = _axes(factors)
    matrices = _downsampling_matrices(scan.shape, factors)
    residual = scan.astype(np.float32)
    for slab in _slabs(voxels, across):
        residual -= _applied(_applied_each(voxels[slab], matrices, inner), matrices[across][:, slab[across]], across)
    return residual


def back_project(voxels: Floats, scan: Array, factors: Sequence[int]) -> Projection:
    """Change an upsampled volume, in place and as little as possible, so that it gives its scan when downsampled.

    Args:
        voxels: the upsampled volume, float32, real units, writable.
        scan: the volume that it was made of, real units; each axis shorter by its factor.
        factors: how many times longer along each axis.

    Returns:
        The residual before and after; what is left is float32 rounding.
    """
    across, inner = _axes(factors)
    residual = residual_of(voxels, scan, factors)
    inverses = [
        np.linalg.pinv(matrix).astype(np.float32) for matrix in _downsampling_matrices(scan.shape, factors, np.float64)
    ]
    for slab in _slabs(voxels, across):
        part = _applied(residual, inverses[across][slab[across]], across)
        voxels[slab] += _applied_each(part, inverses, inner)
    return Projection(Residual.of(residual), Residual.of(residual_of(voxels, scan, factors)))


def _downsampling_matrices(
    shape: Sequence[int], factors: Sequence[int], dtype: npt.DTypeLike = np.float32
) -> list[Array]:
    """Return the matrix that downsamples each axis: (samples of the scan, samples of the upsampled volume)."""
    return [
        cubic_matrix(length * factor, length, factor).astype(dtype)
        for length, factor in zip(shape, factors, strict=True)
    ]


def _axes(factors: Sequence[int]) -> tuple[int, list[int]]:
    """Return the axis along which slabs are cut, and the others that grow: they are applied within a slab."""
    across = int(np.argmin(factors))
    return across, [axis for axis, factor in enumerate(factors) if factor > 1 and axis != across]


def _slabs(voxels: Floats, across: int) -> Iterator[tuple[slice, ...]]:
    """Cut an axis into stretches whose slabs fit the budget."""
    length = voxels.shape[across]
    thickness = max(1, SLAB_BYTES * length // voxels.nbytes)
    for start in range(0, length, thickness):
        yield tuple(
            slice(start, min(start + thickness, length)) if axis == across else slice(None)
            for axis in range(voxels.ndim)
        )


def _applied(voxels: Floats, matrix: Floats, axis: int) -> Floats:
    return np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)


def _applied_each(voxels: Floats, matrices: Sequence[Floats], axes: Sequence[int]) -> Floats:
    for axis in axes:
        voxels = _applied(voxels, matrices[axis], axis)
    return voxels
