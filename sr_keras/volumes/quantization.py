"""From values in real units to the integers or floats that a file stores."""

from typing import Any

import numpy as np

from sr_keras.volumes.volume import Array

# Rows that are rounded and transposed at a time, so that they stay in the processor's cache.
ROWS = 16


def stored_values(voxels: Array, dtype: np.dtype[Any], slope: float = 1.0, intercept: float = 0.0) -> Array:
    """Return the values that a file has to store so that stored * slope + intercept gives the voxels.

    Args:
        voxels: (i, j, k), in the scan's own units.
        dtype: of the stored values. Integers are rounded, and clipped to its range.
        slope: of the file's scaling, not zero.
        intercept: of the file's scaling, in the scan's own units.

    Returns:
        (i, j, k), of type `dtype`, first axis fastest in memory.
    """
    unscaled = (slope, intercept) == (1.0, 0.0)
    if unscaled and voxels.dtype == dtype:
        return np.asfortranarray(voxels)
    stored = np.empty(voxels.shape, dtype, order="F")
    # All integers of 16 bits are floats of 32 bits: the shorter way gives the same.
    enough = unscaled and voxels.dtype == np.float32 and dtype.itemsize <= 2
    for k in range(voxels.shape[2]):
        for start in range(0, voxels.shape[0], ROWS):
            rows = slice(start, start + ROWS)
            values: Array = voxels[rows, :, k].astype(np.float32 if enough else np.float64)
            if not unscaled:
                values = (values - intercept) / slope
            if dtype.kind in "iu":
                values = _rounded(values, dtype).astype(dtype)
            stored[rows, :, k] = values
    return stored


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    # The largest 64-bit integers are no doubles: the next double below them is the largest that converts back.
    highest = float(limits.max) if int(float(limits.max)) <= limits.max else np.nextafter(float(limits.max), 0)
    rounded: Array = np.clip(np.rint(values, out=values), float(limits.min), highest, out=values)
    return rounded
