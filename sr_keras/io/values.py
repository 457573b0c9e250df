"""Voxel values that nothing can be computed of, or that a type on disk cannot hold."""

import os
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.volumes.volume import Array, Volume

# The networks compute in 32-bit floats, which end at 3.4e38; up to here differences and overshoots are finite too.
LARGEST_VALUE = 1e36
# A result may exceed its scan's range, at edges; up to this fraction of that range it is clipped to the type on disk.
LARGEST_OVERSHOOT = 1.0
# Of the type's range: leaves room for rounding where a scan has one value.
SMALLEST_OVERSHOOT = 0.01


def check_fill(nan_fill: float | None) -> None:
    """Refuse a value to put in place of NaN that is no use itself.

    Args:
        nan_fill: in the scan's units; None where nothing is replaced.

    Raises:
        ConfigurationError: it is NaN, infinite, or beyond 1e36.
    """
    if nan_fill is not None and not abs(nan_fill) <= LARGEST_VALUE:
        raise ConfigurationError(f"--nan-fill {nan_fill:g} is no usable value; give a finite number, such as 0.")


def parse_fill(text: str) -> float:
    """Return the value to put in place of NaN that a text denotes.

    Raises:
        ConfigurationError: it is none, or no use itself.
    """
    try:
        value = float(text)
    except ValueError as error:
        raise ConfigurationError(f"{text} is no number; give one such as 0.") from error
    check_fill(value)
    return value


def finite_voxels(voxels: Array, path: str | os.PathLike[str], nan_fill: float | None) -> Array:
    """Return voxels with another value where they are NaN or infinite.

    Args:
        voxels: any shape, integer or float, in the scan's units.
        path: of the scan, for messages.
        nan_fill: the value to put there; None refuses such a scan.

    Returns:
        The same array where it has no such voxel, else a copy.

    Raises:
        VolumeError: there are such voxels and `nan_fill` is None, or values are beyond 1e36 in magnitude.
        ConfigurationError: `nan_fill` is not finite.
    """
    check_fill(nan_fill)
    if voxels.dtype.kind != "f" or voxels.size == 0:
        return voxels
    if not _is_finite(voxels):
        finite = np.isfinite(voxels)
        if nan_fill is None:
            count = voxels.size - np.count_nonzero(finite)
            raise VolumeError(
                f"{path}: {count} voxels are NaN or infinite; replace them in the file, or those of a scan with "
                "--nan-fill where the command has it."
            )
        voxels = np.where(finite, voxels, voxels.dtype.type(nan_fill))
    largest = max(abs(float(voxels.min())), abs(float(voxels.max())))
    if largest > LARGEST_VALUE:
        raise VolumeError(f"{path}: values reach {largest:.3g}, too large for 32-bit floats; rescale the scan.")
    return voxels


def check_dtype_range(like: Volume, dtype: str | None) -> None:
    """Refuse a type on disk that would clip a scan.

    Args:
        like: the scan, real units.
        dtype: the type on disk that is asked for; None keeps the scan's.

    Raises:
        OutputError: it is an integer type, and the scan has values beyond its range.
    """
    if dtype is None or np.dtype(dtype).kind not in "iu":
        return
    limits = np.iinfo(dtype)
    _check_range(like.voxels, dtype, (float(limits.min), float(limits.max)), like.source)


def check_stored_range(volume: Volume, like: Volume, dtype: np.dtype[Any], scaling: tuple[float, float]) -> None:
    """Refuse to clip a volume, but for what a result exceeds its scan's range by at edges.

    Args:
        volume: what is to be written, real units.
        like: the scan that it was made of.
        dtype: on disk.
        scaling: slope and intercept: what is stored, times the one, plus the other, is the real value.

    Raises:
        OutputError: the volume has values further beyond the type's range than the scan's whole range.
    """
    if dtype.kind not in "iu":
        return
    limits, (slope, intercept) = np.iinfo(dtype), scaling
    least, greatest = sorted(float(limit) * slope + intercept for limit in (limits.min, limits.max))
    room = LARGEST_OVERSHOOT * (float(like.voxels.max()) - float(like.voxels.min()))
    room = max(room, SMALLEST_OVERSHOOT * (greatest - least))
    _check_range(volume.voxels, str(dtype), (least - room, greatest + room), volume.source)


def _check_range(voxels: Array, dtype: str, limits: tuple[float, float], source: str) -> None:
    least, greatest = float(voxels.min()), float(voxels.max())
    if least < limits[0] or greatest > limits[1]:
        raise OutputError(
            f"{source}: {dtype} cannot hold values of {least:g} to {greatest:g}; use {_wide_enough(least, greatest)}."
        )


def _wide_enough(least: float, greatest: float) -> str:
    """Return a type on disk that holds values."""
    limits = {name: np.iinfo(name) for name in ("int16", "uint16", "int32")}
    wide_enough = (name for name, each in limits.items() if each.min <= least and greatest <= each.max)
    return next(wide_enough, "float32")


def _is_finite(voxels: Array) -> bool:
    return bool(np.isfinite(voxels.min()) and np.isfinite(voxels.max()))
