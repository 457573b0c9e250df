"""NIfTI-1 and NIfTI-2 files: read into a `Volume`, write one back so that it lies exactly over its original."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import array_from_file
from nibabel.wrapstruct import WrapStructError

from sr_keras.errors import OutputError, VolumeError
from sr_keras.files import atomic_write
from sr_keras.io.compression import DamagedStreamError, decompressed, is_compressed
from sr_keras.io.nifti_header import affine_in_mm, header_on_grid
from sr_keras.io.nifti_writer import NiftiStream, opened
from sr_keras.io.values import check_dtype_range, check_fill, check_stored_range, finite_voxels
from sr_keras.resources import check_memory
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.slab_buffers import SlabBuffer, spans
from sr_keras.volumes.volume import Array, Modality, Volume, format_shape

SUFFIXES = (".nii", ".nii.gz")
# macOS puts such files beside those that it copies to other file systems: they hold no voxels.
APPLE_DOUBLE = "._"
# Slices that are converted to the type on disk together.
SLICES_AT_ONCE = 8
DTYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def is_nifti(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is named like a NIfTI file."""
    name = Path(path).name.lower()
    return name.endswith(SUFFIXES) and not name.startswith(APPLE_DOUBLE)


def read_volume(
    path: str | os.PathLike[str], *, modality: Modality | None = None, nan_fill: float | None = None
) -> Volume:
    """Read a NIfTI file.

    Args:
        path: a `.nii` or `.nii.gz` file of any on-disk type and scaling.
        modality: "CT" or "MR"; None infers it from the values.
        nan_fill: the value to put where a voxel is NaN or infinite, in the scan's units; None refuses such a scan.

    Returns:
        A volume whose voxels keep the file's integer type where it has no scaling and are float32 otherwise, with the
        affine in mm whatever unit the file is in.

    Raises:
        VolumeError: not a NIfTI file, truncated or corrupt, not three-dimensional, colour or complex, without a usable
            affine, larger than the free memory, or with voxels that are NaN, infinite or beyond 1e36.
        ConfigurationError: `nan_fill` is not finite.

    Example:
        >>> import numpy as np
        >>> from sr_keras import Volume, read_volume, write_volume
        >>> scan = Volume(np.zeros((8, 8, 4), np.int16), np.diag([1, 1, 3, 1]))
        >>> write_volume(scan, "scan.nii.gz", like=scan)
        >>> volume = read_volume("scan.nii.gz")
        >>> volume.summary
        '8x8x4 voxels of 1x1x3 mm, MR'
    """
    path = Path(path)
    check_fill(nan_fill)
    with _reading(path):
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise ImageFileError("another format")
        shape = _three_axes(image.shape, path)
        on_disk = image.get_data_dtype()
        if on_disk.kind not in "iuf":
            raise VolumeError(f"{path} has {_kind(on_disk)} voxels; convert it to one grey value a voxel.")
        check_memory(int(np.prod(shape, dtype=object)) * (on_disk.itemsize + 4), f"{path} ({format_shape(shape)})")
        voxels = _voxels(image, path).reshape(shape)
    voxels = finite_voxels(voxels, path, nan_fill)
    return Volume(voxels, affine_in_mm(image), modality, source=str(path), header=image.header.copy())


def read_geometry(path: str | os.PathLike[str]) -> tuple[tuple[int, int, int], Affine]:
    """Return shape and affine of a NIfTI file; its voxels are not read.

    Args:
        path: a `.nii` or `.nii.gz` file.

    Returns:
        Voxels along i, j, k, and the 4 x 4 matrix from voxel indices to mm in RAS+.

    Raises:
        VolumeError: not a NIfTI file, or not three-dimensional.
    """
    path = Path(path)
    with _reading(path):
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise ImageFileError("another format")
        i, j, k = _three_axes(image.shape, path)
        return (i, j, k), affine_in_mm(image)


def write_volume(volume: Volume, path: str | os.PathLike[str], *, like: Volume, dtype: str | None = None) -> None:
    """Write a volume as a NIfTI file, in the type, units and coordinates of another one.

    The header of `like` is carried over; qform and sform keep their codes and follow `volume.affine`: a volume that was
    resampled, cropped, shifted or rotated lies where it belongs.

    Args:
        volume: what to write, values in real units (HU for CT).
        path: a `.nii` or `.nii.gz` file. It appears whole or not at all; a file of that name is replaced.
        like: the scan that `volume` was made of.
        dtype: the type on disk, one of `DTYPES`; None keeps that of `like`, and its scaling. Integers are rounded; what
            a result exceeds the range of its scan by, at edges, is clipped to the range of the type.

    Raises:
        OutputError: the name is not that of a NIfTI file, the type is unknown or too narrow for the values, or the file
            cannot be written.

    Example:
        >>> import numpy as np
        >>> from sr_keras import Volume, read_volume, write_volume
        >>> scan = Volume(np.arange(256, dtype=np.int16).reshape(8, 8, 4), np.diag([1, 1, 3, 1]))
        >>> origin = scan.affine @ [2, 2, 0, 1]
        >>> crop = scan.with_voxels(scan.voxels[2:, 2:], np.column_stack([scan.affine[:, :3], origin]))
        >>> write_volume(crop, "crop.nii.gz", like=scan)
        >>> read_volume("crop.nii.gz").affine[:3, 3].tolist()
        [2.0, 2.0, 0.0]
    """
    check_nifti_output(path, dtype)
    path = Path(path)
    with atomic_write(path) as temporary:
        write_nifti(volume, temporary, like=like, dtype=dtype)


def write_nifti(volume: Volume, path: Path, *, like: Volume, dtype: str | None = None) -> None:
    """Write a volume as `write_volume` does, but not as a whole: an error leaves a part of the file behind.

    Args:
        volume: as in `write_volume`.
        path: as in `write_volume`.
        like: as in `write_volume`.
        dtype: as in `write_volume`.
    """
    check_stored_range(volume, like, stored_dtype(like, dtype), _scaling(like, dtype))
    with open_stream(path, volume.shape, volume.affine, like=like, dtype=dtype) as stream:
        for span in spans(volume.shape[2], SLICES_AT_ONCE):
            stream.write(2, span, volume.voxels[:, :, span])


@contextmanager
def open_stream(
    path: str | os.PathLike[str],
    shape: tuple[int, int, int],
    affine: Affine,
    *,
    like: Volume,
    dtype: str | None = None,
    store: SlabBuffer | None = None,
) -> Iterator[NiftiStream]:
    """Yield what writes a volume to a file slab by slab; the file is the one that `write_volume` writes.

    Args:
        path: a `.nii` or `.nii.gz` file, such as the temporary one of `atomic_write`.
        shape: of the volume, along i, j, k.
        affine: of the volume, 4 x 4, mm in RAS+.
        like: the scan that the volume is made of.
        dtype: as in `write_volume`.
        store: of the type on disk, keeps slabs that do not come in the order of the file; None where they do.

    Raises:
        OutputError: the name is not that of a NIfTI file, the type is unknown or clips the scan, or the file cannot be
            written.
    """
    path = Path(path)
    check_nifti_output(path, dtype)
    check_dtype_range(like, dtype)
    header = header_on_grid(shape, affine, like, dtype)
    with opened(path) as file:
        stream = NiftiStream(file, header, store)
        yield stream
        stream.finish()


def stored_dtype(like: Volume, dtype: str | None) -> np.dtype[Any]:
    """Return the type on disk of a volume that is made of another one.

    Args:
        like: the scan that it is made of.
        dtype: the type that is asked for; None keeps that of the scan's file, or of its voxels.
    """
    if dtype is not None:
        return np.dtype(dtype)
    found: np.dtype[Any] = like.voxels.dtype if like.header is None else like.header.get_data_dtype()
    return found


def check_nifti_output(path: str | os.PathLike[str], dtype: str | None) -> None:
    """Refuse a name or a type on disk that no NIfTI file has.

    Args:
        path: of the output.
        dtype: the type on disk; None keeps the scan's.

    Raises:
        OutputError: the name does not end in .nii or .nii.gz, or the type is not one of `DTYPES`.
    """
    if not is_nifti(path):
        raise OutputError(f"{Path(path).name} is no name of a NIfTI file; name the output .nii or .nii.gz.")
    if dtype is not None and dtype not in DTYPES:
        raise OutputError(f"{dtype} is no type on disk; choose one of {', '.join(DTYPES)}.")


def _scaling(like: Volume, dtype: str | None) -> tuple[float, float]:
    """Return the slope and intercept of a file that is written in the type of another one, or in one asked for."""
    slope, intercept = (None, None) if dtype is not None or like.header is None else like.header.get_slope_inter()
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def _three_axes(shape: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """Return the first three lengths of a shape whose further axes have one entry each."""
    if min(shape, default=0) < 1:
        raise VolumeError(f"{path} has a damaged header, with {format_shape(shape)} voxels; copy it again.")
    if len(shape) < 3 or any(length != 1 for length in shape[3:]):
        raise VolumeError(
            f"{path} has {len(shape)} axes, {format_shape(shape)}, instead of three; extract one volume first."
        )
    return shape[:3]


def _voxels(image: Any, path: Path) -> Array:
    """Read the voxels in real units: as stored where there is no scaling, else float32."""
    stored = _stored(image.dataobj, path)
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    image.header.set_slope_inter(slope, intercept)
    if (slope, intercept) == (1.0, 0.0):
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    with np.errstate(over="raise"):
        scaled: Array = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return scaled


def _stored(data: Any, path: Path) -> Array:
    """Read the voxels as they are stored, into memory: a mapped file that is truncated later ends the process."""
    # Three times as fast as the zlib that nibabel reads through.
    with decompressed(path) if is_compressed(path) else path.open("rb") as file:
        stored: Array = array_from_file(data.shape, data.dtype, file, data.offset, order=data.order, mmap=False)
    return stored


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what nibabel and gzip raise on a bad file into one error, and keep nibabel's own messages quiet."""
    try:
        with LoggingOutputSuppressor(), np.errstate(invalid="ignore", over="ignore"):
            yield
    except FileNotFoundError as error:
        raise VolumeError(f"{path} does not exist; check the path.") from error
    except (EOFError, zlib.error, DamagedStreamError) as error:
        raise VolumeError(f"{path} is truncated or corrupt ({error}); copy it again from its source.") from error
    except FloatingPointError as error:
        raise VolumeError(f"{path}: scaled values are too large for 32-bit floats; rescale the scan.") from error
    # A header of unknown codes ends in a KeyError of nibabel's tables.
    except (ImageFileError, HeaderDataError, WrapStructError, OSError, OverflowError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VolumeError(f"{path} is no complete NIfTI file ({reason}); convert it, or copy it again.") from error


def _kind(dtype: np.dtype[Any]) -> str:
    return f"colour ({len(dtype.names)} channels)" if dtype.names else str(dtype)
