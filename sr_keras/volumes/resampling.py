"""Cubic resampling along an axis, as a matrix that numpy and every Keras backend apply alike.

The kernel is that of R. G. Keys, "Cubic convolution interpolation for digital image processing" (1981),
DOI 10.1109/TASSP.1981.1163711, with a = -0.5. Where the grid gets coarser it is stretched by the step, which is the
antialiasing of MATLAB's `imresize`; beyond the border the samples are reflected, as there.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

KEYS_A = -0.5
# Half the width of the kernel, in samples.
KEYS_SUPPORT = 2.0
# Rows of a banded matrix that are multiplied together, with the columns that they need.
ROWS_AT_ONCE = 64


def keys_kernel(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the kernel's value at distances in samples, any shape, float64."""
    x = np.abs(distance)
    near = ((KEYS_A + 2.0) * x - (KEYS_A + 3.0)) * x**2 + 1.0
    far = KEYS_A * (((x - 5.0) * x + 8.0) * x - 4.0)
    return np.where(x <= 1.0, near, np.where(x < KEYS_SUPPORT, far, 0.0))


def cubic_matrix(length: int, new_length: int, step: float) -> npt.NDArray[np.float64]:
    """Return the matrix (new samples, old samples), float64, that resamples an axis.

    Args:
        length: samples of the old grid.
        new_length: samples of the new grid.
        step: new spacing over old spacing. Both grids begin at the same voxel edge, so new sample n lies at
            (n + 0.5) * step - 0.5 on the old grid.
    """
    return cubic_matrix_at(length, (np.arange(new_length, dtype=np.float64) + 0.5) * step - 0.5, step)


def cubic_matrix_at(length: int, centres: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Return the matrix (new samples, old samples), float64, that resamples an axis to samples anywhere on it.

    Args:
        length: samples of the old grid.
        centres: of the new samples, in samples of the old grid.
        step: new spacing over old spacing.
    """
    stretch, new_length = max(step, 1.0), len(centres)
    taps = 2 * int(np.ceil(KEYS_SUPPORT * stretch)) + 1
    indices = np.floor(centres - KEYS_SUPPORT * stretch).astype(int)[:, None] + np.arange(taps + 1)
    weights = keys_kernel((indices - centres[:, None]) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((new_length, length))
    rows = np.broadcast_to(np.arange(new_length)[:, None], indices.shape)
    np.add.at(matrix, (rows, reflected(indices, length)), weights)
    return matrix


def apply_banded(matrix: npt.NDArray[np.float32], plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the product of a matrix whose entries lie near its diagonal, and a plane: block by block.

    Args:
        matrix: (new samples, old samples), as `cubic_matrix` makes it.
        plane: (old samples, columns).

    Returns:
        (new samples, columns), float32.
    """
    result = np.empty((matrix.shape[0], plane.shape[1]), np.float32)
    for start in range(0, matrix.shape[0], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        used = np.flatnonzero(matrix[rows].any(axis=0))
        columns = slice(used[0], used[-1] + 1) if used.size else slice(0, 0)
        result[rows] = matrix[rows, columns] @ plane[columns]
    return result


def resample_axis(voxels: npt.NDArray[np.float32], axis: int, new_length: int, step: float) -> npt.NDArray[np.float32]:
    """Return the array with one axis resampled by cubic interpolation, float32.

    Args:
        voxels: any shape.
        axis: the axis to resample.
        new_length: its new number of samples.
        step: new spacing over old spacing.

    Returns:
        The shape of `voxels` but for `new_length` along `axis`.
    """
    matrix = cubic_matrix(voxels.shape[axis], new_length, step).astype(np.float32)
    return np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)


def interpolation_kernel(factors: tuple[int, int], taps: int) -> npt.NDArray[np.float64]:
    """Return cubic interpolation of images as the kernel of a convolution that gives all pixels made of one.

    Args:
        factors: upsampling factors along height and width.
        taps: odd number of taps along an axis that is upsampled; another one has a single tap.

    Returns:
        (taps along height, taps along width, 1, pixels), the pixels row by row.
    """
    rows, columns = (_interpolation_phases(factor, taps) for factor in factors)
    shape = (rows.shape[1], columns.shape[1], 1, rows.shape[0] * columns.shape[0])
    kernel: npt.NDArray[np.float64] = np.einsum("pa,qb->abpq", rows, columns).reshape(shape)
    return kernel


def _interpolation_phases(factor: int, taps: int) -> npt.NDArray[np.float64]:
    """Return the weights (pixels, taps) along an axis, around the centre of `taps` pixels."""
    if factor == 1:
        return np.ones((1, 1))
    middle = taps // 2 * factor
    return cubic_matrix(taps, taps * factor, 1 / factor)[middle : middle + factor]


def downsample_volume(voxels: npt.NDArray[np.float32], factors: Sequence[int]) -> npt.NDArray[np.float32]:
    """Downsample a volume by antialiased cubic interpolation.

    Args:
        voxels: one axis for each factor, each length a multiple of its factor.
        factors: along each axis, 1 or more.

    Returns:
        float32, each length divided by its factor.
    """
    for axis, factor in enumerate(factors):
        if factor > 1:
            voxels = resample_axis(voxels, axis, voxels.shape[axis] // factor, factor)
    return voxels


def reflected(indices: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Return indices reflected at the outer voxel edges: -1 is 0, `length` is `length` - 1."""
    period = np.mod(indices, 2 * length)
    return np.where(period < length, period, 2 * length - 1 - period)
