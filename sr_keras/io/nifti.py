"""Image files: read into a `Volume`, write one back so that it lies exactly over its original.

NIfTI, as single files and as pairs, and FreeSurfer's MGH are written slab by slab, NRRD and MetaImage as a whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.files import reserved, write_errors
from sr_keras.io.freesurfer import mgh_dtype, mgh_header
from sr_keras.io.image_names import FREESURFER, ITK, NIFTI, PAIRS, SUFFIXES, has_suffix, is_image, output_files
from sr_keras.io.itk_files import check_no_shear, load_simpleitk, read_itk, read_itk_grid, write_itk
from sr_keras.io.nibabel_files import NibabelFile
from sr_keras.io.nifti_header import header_on_grid
from sr_keras.io.nifti_writer import NiftiStream, opened
from sr_keras.io.values import check_dtype_range, check_fill, check_stored_range
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.slab_buffers import SlabBuffer, spans
from sr_keras.volumes.volume import Modality, Volume

# Slices that are converted to the type on disk together.
SLICES_AT_ONCE = 8
DTYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def is_nifti(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is named like a NIfTI file."""
    return has_suffix(path, NIFTI)


def is_streamed(path: str | os.PathLike[str]) -> bool:
    """Say whether an image file of this name is written slab by slab: NIfTI, also as a pair, and MGH."""
    return is_image(path) and not has_suffix(path, ITK)


def holds_series(path: str | os.PathLike[str]) -> bool:
    """Say whether an image file of this name holds several volumes: NIfTI, also as a pair."""
    return has_suffix(path, (*NIFTI, *PAIRS))


def volume_count(path: str | os.PathLike[str]) -> int:
    """Return how many volumes an image file holds: more than 1 for a time series or a diffusion scan.

    Raises:
        VolumeError: its header cannot be read.
    """
    return 1 if has_suffix(path, ITK) else NibabelFile(Path(path)).count


def read_grid(path: str | os.PathLike[str]) -> tuple[tuple[int, int, int], Affine]:
    """Return the shape and the affine of an image file; its voxels are not read.

    Raises:
        VolumeError: its header cannot be read.
        MissingDependencyError: the format needs SimpleITK, which is not installed.
    """
    if has_suffix(path, ITK):
        return read_itk_grid(Path(path))
    file = NibabelFile(Path(path))
    return file.shape, file.affine


def read_volume(
    path: str | os.PathLike[str],
    *,
    modality: Modality | None = None,
    nan_fill: float | None = None,
    volume: int | None = None,
) -> Volume:
    """Read an image file: NIfTI, a pair of `.hdr` and `.img`, MGH, NRRD or MetaImage.

    Args:
        path: `.nii`, `.nii.gz`, `.hdr`, `.img`, `.mgz`, `.mgh`, `.nrrd`, `.nhdr`, `.mha` or `.mhd`, of any on-disk type
            and scaling. A name of no such file is read as NIfTI.
        modality: "CT" or "MR"; None infers it from the values.
        nan_fill: the value to put where a voxel is NaN or infinite, in the scan's units; None refuses such a scan.
        volume: which volume of a time series, from 1; None where there is one.

    Returns:
        A volume whose voxels keep the file's integer type where it has no scaling and are float32 otherwise, with the
        affine in mm whatever unit the file is in.

    Raises:
        VolumeError: not such a file, truncated or corrupt, not three-dimensional, colour or complex, without a usable
            affine, larger than the free memory, or with voxels that are NaN, infinite or beyond 1e36.
        ConfigurationError: `nan_fill` is not finite, or there is no such volume.
        MissingDependencyError: the format needs SimpleITK, which is not installed.

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
    if has_suffix(path, ITK):
        _chosen(path, 1, volume)
        return read_itk(path, modality, nan_fill)
    file = NibabelFile(path)
    number = _chosen(path, file.count, volume)
    return next(file.volumes(modality, nan_fill, range(number, number + 1)))


def read_volumes(
    path: str | os.PathLike[str], *, modality: Modality | None = None, nan_fill: float | None = None
) -> Iterator[Volume]:
    """Yield the volumes of an image file one after another, with one in memory; raises as `read_volume`.

    Args:
        path: as in `read_volume`.
        modality: "CT" or "MR"; None infers it from the values of the first volume.
        nan_fill: as in `read_volume`.
    """
    check_fill(nan_fill)
    if has_suffix(path, ITK):
        yield read_itk(Path(path), modality, nan_fill)
    else:
        yield from NibabelFile(Path(path)).volumes(modality, nan_fill)


def write_volume(
    volume: Volume, path: str | os.PathLike[str], *, like: Volume | None = None, dtype: str | None = None
) -> None:
    """Write a volume as an image file, in the type, units and coordinates of another one.

    The header of `like` is carried over; qform and sform keep their codes and follow `volume.affine`: a volume that was
    resampled, cropped, shifted or rotated lies where it belongs.

    Args:
        volume: what to write, values in real units (HU for CT).
        path: of any format that `read_volume` reads. It appears whole or not at all; a file of that name is replaced.
        like: the scan that `volume` was made of; None takes the header that the volume carries, of the file it came
            from.
        dtype: the type on disk, one of `DTYPES`; None keeps that of `like`, and its scaling. Integers are rounded; what
            a result exceeds the range of its scan by, at edges, is clipped to the range of the type.

    Raises:
        OutputError: the name is not that of an image file, the type is unknown or too narrow for the values, or the
            file cannot be written.
        MissingDependencyError: the format needs SimpleITK, which is not installed.

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
    check_image_output(path, dtype)
    path = Path(path)
    with reserved(path) as folder, write_errors(path):
        write_image(volume, folder / path.name, like=like or volume, dtype=dtype)
        for name in output_files(path):
            os.replace(folder / name.name, name)


def write_image(volume: Volume, path: Path, *, like: Volume, dtype: str | None = None) -> None:
    """Write a volume as `write_volume` does, but not as a whole: an error leaves a part of the file behind.

    Args:
        volume: as in `write_volume`.
        path: as in `write_volume`.
        like: as in `write_volume`.
        dtype: as in `write_volume`.
    """
    if has_suffix(path, ITK):
        write_itk(volume, path, like=like, dtype=dtype)
        return
    check_stored_range(volume, like, stored_dtype(like, dtype, path), _scaling(path, like, dtype))
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
    count: int = 1,
) -> Iterator[NiftiStream]:
    """Yield what writes volumes to a file slab by slab; the file is the one that `write_volume` writes.

    Args:
        path: a file that `is_streamed`, such as the temporary one of `reserved`.
        shape: of a volume, along i, j, k.
        affine: of the volumes, 4 x 4, mm in RAS+.
        like: the scan that they are made of.
        dtype: as in `write_volume`.
        store: of the type on disk, keeps slabs that do not come in the order of the file; None where they do.
        count: of volumes; after each of them but the last, `next_volume` of the stream is called.

    Raises:
        OutputError: the name is not that of such a file, the type is unknown or clips the scan, or the file cannot be
            written.
    """
    path = Path(path)
    check_image_output(path, dtype)
    check_dtype_range(like, dtype)
    header = mgh_header if has_suffix(path, FREESURFER) else header_on_grid
    with opened(path) as file:
        stream = NiftiStream(file, header(shape, affine, like, dtype), store, path=path, count=count)
        yield stream
        stream.finish()


def stored_dtype(like: Volume, dtype: str | None, path: str | os.PathLike[str] = "") -> np.dtype[Any]:
    """Return the type on disk of a volume that is made of another one.

    Args:
        like: the scan that it is made of.
        dtype: the type that is asked for; None keeps that of the scan's file, or of its voxels.
        path: of the file, for formats that have few types; without a suffix it is NIfTI.
    """
    if has_suffix(path, FREESURFER):
        return np.dtype(mgh_dtype(like, dtype)).newbyteorder(">")
    if dtype is not None:
        return np.dtype(dtype)
    plain = has_suffix(path, ITK) or not hasattr(like.header, "get_data_dtype")
    found: np.dtype[Any] = like.voxels.dtype if plain else like.header.get_data_dtype()
    return found


def check_image_output(path: str | os.PathLike[str], dtype: str | None) -> None:
    """Refuse a name or a type on disk that no image file has.

    Args:
        path: of the output.
        dtype: the type on disk; None keeps the scan's.

    Raises:
        OutputError: the name has none of the suffixes, or the type is not one of `DTYPES`.
        MissingDependencyError: the format needs SimpleITK, which is not installed.
    """
    if not is_image(path):
        raise OutputError(
            f"{Path(path).name} is no name of an image file; name the output .nii.gz, or one of {', '.join(SUFFIXES)}."
        )
    if dtype is not None:
        parse_dtype(dtype)
    if has_suffix(path, ITK):
        load_simpleitk()


def parse_dtype(text: str) -> str:
    """Return the name of a type on disk.

    Raises:
        OutputError: it is not one of `DTYPES`.
    """
    if text not in DTYPES:
        raise OutputError(f"{text} is no type on disk; choose one of {', '.join(DTYPES)}.")
    return text


def check_image_writable(volume: Volume, path: str | os.PathLike[str], dtype: str | None) -> None:
    """Refuse a scan that an image file cannot hold.

    Args:
        volume: the scan.
        path: of the output.
        dtype: the type on disk; None keeps the scan's.

    Raises:
        OutputError: the type clips the scan, the format has not that type, or holds no axes that are not at right
            angles.
    """
    check_dtype_range(volume, dtype)
    if has_suffix(path, FREESURFER):
        mgh_dtype(volume, dtype)
    if has_suffix(path, ITK):
        check_no_shear(volume.affine, Path(path))


def _scaling(path: Path, like: Volume, dtype: str | None) -> tuple[float, float]:
    """Return the slope and intercept of a file that is written in the type of another one, or in one asked for."""
    if dtype is not None or has_suffix(path, FREESURFER) or not hasattr(like.header, "get_slope_inter"):
        return 1.0, 0.0
    slope, intercept = like.header.get_slope_inter()
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def _chosen(path: Path, count: int, volume: int | None) -> int:
    """Return the number, from 0, of the volume to read.

    Raises:
        VolumeError: there are several, and none is chosen.
        ConfigurationError: there is no such volume.
    """
    if volume is None and count > 1:
        raise VolumeError(f"{path} holds {count} volumes; extract one into a file first, as fslroi does.")
    if volume is not None and not 1 <= volume <= count:
        raise ConfigurationError(f"{path} has no volume {volume}; choose --volume 1 to {count}.")
    return (volume or 1) - 1
