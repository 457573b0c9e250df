"""NIfTI-1 and NIfTI-2 files: read into a `Volume`, write one back so that it lies exactly over its original."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import array_from_file

from sr_keras.errors import OutputError, VolumeError
from sr_keras.files import atomic_write, check_memory
from sr_keras.io.compression import DamagedStreamError, decompressed, is_compressed
from sr_keras.io.nifti_writer import NiftiStream, opened
from sr_keras.volumes.geometry import Affine, rescaled_affine
from sr_keras.volumes.slab_buffers import SlabBuffer, spans
from sr_keras.volumes.volume import Array, Modality, Volume, format_shape

SUFFIXES = (".nii", ".nii.gz")
# What a file's spatial unit is in mm; a file that names none means mm.
MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
# Slices that are turned into what is stored together.
SLICES_AT_ONCE = 8
DTYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def is_nifti(path: Path) -> bool:
    """Say whether a path is named like a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES)


def read_volume(path: Path, *, modality: Modality | None = None, nan_fill: float | None = None) -> Volume:
    """Read a NIfTI file.

    Args:
        path: a `.nii` or `.nii.gz` file of any on-disk type and scaling.
        modality: "CT" or "MR"; None infers it from the values.
        nan_fill: the value to put where a voxel is NaN or infinite; None refuses such a scan.

    Returns:
        A volume whose voxels keep the file's integer type where it has no scaling and are float32 otherwise, with the
        affine in mm whatever unit the file is in.

    Raises:
        VolumeError: not a NIfTI file, truncated or corrupt, not three-dimensional, colour or complex, without a usable
            affine, larger than the free memory, or with NaN or infinite voxels.
    """
    with _reading(path):
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise ImageFileError("another format")
        shape = _three_axes(image.shape, path)
        on_disk = image.get_data_dtype()
        if on_disk.kind not in "iuf":
            raise VolumeError(
                f"{path}: a voxel must be one real number. Received: {_kind(on_disk)}. Convert the scan to grey values."
            )
        check_memory(int(np.prod(shape, dtype=object)) * (on_disk.itemsize + 4), f"{path} ({format_shape(shape)})")
        voxels = _voxels(image, path).reshape(shape)
    voxels = finite_voxels(voxels, path, nan_fill)
    return Volume(voxels, _affine_in_mm(image), modality, source=str(path), header=image.header.copy())


def write_volume(volume: Volume, path: Path, *, like: Volume, dtype: str | None = None) -> None:
    """Write a volume that covers the field of view of another one, in that one's type, units and orientation.

    The header of `like` is carried over; shape, spacing, qform and sform follow the new grid, each with the code that
    it had.

    Args:
        volume: what to write, values in real units (HU for CT).
        path: a `.nii` or `.nii.gz` file. It appears whole or not at all.
        like: the scan that `volume` was made of.
        dtype: the type on disk, one of `DTYPES`; None keeps that of `like`, and its scaling. Integers are rounded and
            clipped to their range.

    Raises:
        OutputError: the name is not that of a NIfTI file, the type is unknown, or the file cannot be written.
    """
    with open_stream(path, volume.shape, volume.spacing, like=like, dtype=dtype) as stream:
        for span in spans(volume.shape[2], SLICES_AT_ONCE):
            stream.write(2, span, volume.voxels[:, :, span])


@contextmanager
def open_stream(
    path: Path,
    shape: tuple[int, int, int],
    spacing: Sequence[float],
    *,
    like: Volume,
    dtype: str | None = None,
    store: SlabBuffer | None = None,
) -> Iterator[NiftiStream]:
    """Yield what writes a volume to a file slab by slab; the file is the one that `write_volume` writes.

    Args:
        path: a `.nii` or `.nii.gz` file. It appears whole, when all went well, or not at all.
        shape: of the volume, along i, j, k.
        spacing: in mm along i, j, k.
        like: the scan that the volume is made of.
        dtype: as in `write_volume`.
        store: of the type on disk, keeps slabs that do not come in the order of the file; None where they do.

    Raises:
        OutputError: as in `write_volume`.
    """
    check_nifti_output(path, dtype)
    header = _header(shape, spacing, like, dtype)
    with atomic_write(path) as temporary, opened(temporary) as file:
        stream = NiftiStream(file, header, store)
        yield stream
        stream.finish()


def stored_dtype(like: Volume, dtype: str | None) -> np.dtype[Any]:
    """Return the type on disk of a volume that is made of `like`, where `dtype` is asked for or None."""
    if dtype is not None:
        return np.dtype(dtype)
    found: np.dtype[Any] = like.voxels.dtype if like.header is None else like.header.get_data_dtype()
    return found


def check_nifti_output(path: Path, dtype: str | None) -> None:
    """Refuse a name or a type on disk that no NIfTI file has.

    Raises:
        OutputError: the name does not end in .nii or .nii.gz, or the type is not one of `DTYPES`.
    """
    if not is_nifti(path):
        raise OutputError(f"An output must be named .nii or .nii.gz. Received: {path.name}. Rename it.")
    if dtype is not None and dtype not in DTYPES:
        raise OutputError(
            f"The type on disk must be one of {', '.join(DTYPES)}. Received: {dtype}. Choose one of those."
        )


def _header(shape: tuple[int, int, int], spacing: Sequence[float], like: Volume, dtype: str | None) -> Any:
    """Return the header of `like`, moved to a grid of another shape and spacing over the same field of view."""
    header = nibabel.Nifti1Header() if like.header is None else like.header.copy()
    if like.header is None:
        header.set_data_dtype(like.voxels.dtype)
        header.set_data_shape(like.shape)
        header.set_zooms(like.spacing)
        header.set_xyzt_units("mm")
        header.set_sform(like.affine, "scanner")
        header.set_slope_inter(1.0, 0.0)
    if dtype is not None:
        header.set_data_dtype(dtype)
        header.set_slope_inter(1.0, 0.0)
    steps = np.divide(spacing, like.spacing)
    qform, qform_code = header.get_qform(coded=True)
    sform, sform_code = header.get_sform(coded=True)
    zooms = np.asarray(header.get_zooms()[:3]) * steps
    try:
        header.set_data_shape(shape)
    except HeaderDataError as error:
        raise OutputError(
            f"A NIfTI-1 axis holds at most 32767 voxels. Received: {format_shape(shape)}. Choose a smaller scale."
        ) from error
    header.set_zooms(zooms)
    if qform_code:
        header.set_qform(rescaled_affine(qform, list(steps)), int(qform_code))
    if sform_code:
        header.set_sform(rescaled_affine(sform, list(steps)), int(sform_code))
    # When each slice was taken is not known of the slices between them.
    header["slice_end"] = header["slice_code"] = header["slice_duration"] = 0
    return header


def _affine_in_mm(image: Any) -> Affine:
    scale = MM_PER_UNIT[image.header.get_xyzt_units()[0]]
    affine: Affine = np.diag([scale, scale, scale, 1.0]) @ image.affine
    return affine


def _three_axes(shape: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """Return the first three lengths of a shape whose further axes have one entry each."""
    if len(shape) < 3 or any(length != 1 for length in shape[3:]):
        raise VolumeError(
            f"{path}: a scan must have three axes. Received: {len(shape)} axes, {format_shape(shape)}. "
            "Extract one three-dimensional volume first."
        )
    return shape[:3]


def _voxels(image: Any, path: Path) -> Array:
    """Read the voxels in real units: as stored where there is no scaling, else float32."""
    stored = _stored(image.dataobj, path)
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    image.header.set_slope_inter(slope, intercept)
    if (slope, intercept) == (1.0, 0.0):
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    scaled: Array = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return scaled


def _stored(data: Any, path: Path) -> Array:
    """Read the voxels as they are stored; a file that is not compressed is mapped into memory."""
    if not is_compressed(path):
        return np.asarray(data.get_unscaled())
    # Three times as fast as the zlib that nibabel reads through.
    with decompressed(path) as file:
        stored: Array = array_from_file(data.shape, data.dtype, file, data.offset, order=data.order)
    return stored


def finite_voxels(voxels: Array, path: Path, nan_fill: float | None) -> Array:
    """Return voxels with `nan_fill` where they are NaN or infinite.

    Raises:
        VolumeError: there are such voxels and `nan_fill` is None.
    """
    if voxels.dtype.kind != "f":
        return voxels
    finite = np.isfinite(voxels)
    if finite.all():
        return voxels
    if nan_fill is None:
        raise VolumeError(
            f"{path}: every voxel must be a finite number. Received: {voxels.size - np.count_nonzero(finite)} voxels "
            "that are NaN or infinite. Give the value to put there with --nan-fill VALUE."
        )
    return np.where(finite, voxels, voxels.dtype.type(nan_fill))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what nibabel and gzip raise on a bad file into one error."""
    try:
        yield
    except FileNotFoundError as error:
        raise VolumeError(f"The scan must exist. Received: {path}. Check the path.") from error
    except (EOFError, zlib.error, DamagedStreamError) as error:
        raise VolumeError(
            f"{path}: the file is truncated or corrupt ({error}). Copy it again from its source."
        ) from error
    except (ImageFileError, HeaderDataError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VolumeError(
            f"{path}: a scan must be a complete NIfTI file (.nii, .nii.gz). Received: {reason}. "
            "Convert it, or copy it again from its source."
        ) from error


def _kind(dtype: np.dtype[Any]) -> str:
    return f"colour with {len(dtype.names)} channels" if dtype.names else f"dtype {dtype}"
