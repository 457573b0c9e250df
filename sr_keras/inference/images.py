"""Images of other libraries as volumes, and results back as images of the same kind, over the originals."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage

from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.io.itk_files import LPS_TO_RAS
from sr_keras.io.kinds import check_is_scan
from sr_keras.io.nifti import read_volume
from sr_keras.io.nifti_header import affine_in_mm, header_on_grid
from sr_keras.io.scans import is_image_file, read_scan, with_nifti_header
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Array, Volume, format_shape

# Turns a result into the kind of image that its scan came as.
Back = Callable[[Volume], Any]


def to_volume(image: Any, affine: Any = None, spacing: Any = None) -> tuple[Volume, Back]:
    """Return an image as a volume, and what turns a result back into the kind of the image.

    Args:
        image: a path, a nibabel image, a SimpleITK image, a NumPy array (i, j, k) or a `Volume`.
        affine: of an array, 4 x 4, voxel indices to mm in RAS+.
        spacing: of an array without an affine, in mm along i, j, k; its first voxel's centre is at the origin.

    Raises:
        VolumeError: it is none of those, no volume of grey values, or an image that looks like a label map or a phase
            image; arrays and volumes are taken at their word.
        ConfigurationError: an array comes without affine and spacing, or another image with an affine.
    """
    if isinstance(image, np.ndarray):
        return Volume(image, _array_affine(affine, spacing), source="the array"), lambda result: result.voxels
    if affine is not None:
        raise ConfigurationError("affine= is for NumPy arrays, and other images have their own; leave it out.")
    if isinstance(image, (Volume, str, os.PathLike)):
        volume = image if isinstance(image, Volume) else _read(image)
        return volume, lambda result: _with_own_header(result, volume)
    if isinstance(image, SpatialImage):
        volume = _checked(_nibabel_volume(image))
        return volume, lambda result: _nibabel_image(result, image, volume)
    if type(image).__module__.partition(".")[0] == "SimpleITK":
        return _checked(_simpleitk_volume(image)), lambda result: _simpleitk_image(result, image)
    raise VolumeError(
        f"A {type(image).__name__} is no scan; give a path, a nibabel or SimpleITK image, a NumPy array or a Volume."
    )


def _read(path: str | os.PathLike[str]) -> Volume:
    return _checked(read_volume(path)) if is_image_file(path) else read_scan(path)


def _checked(volume: Volume) -> Volume:
    check_is_scan(volume, Path(volume.source), "give a Volume of it if it is a scan")
    return volume


def _with_own_header(result: Volume, scan: Volume) -> Volume:
    """Return a result whose header is on its own grid, so that it can be written without its scan."""
    like = with_nifti_header(scan)
    if not isinstance(like.header, nibabel.Nifti1Header):
        return result
    return replace(result, header=header_on_grid(result.shape, result.affine, like, None))


def _array_affine(affine: Any, spacing: Any) -> Affine:
    if affine is not None:
        return np.asarray(affine, np.float64)
    if spacing is None:
        raise ConfigurationError("An array does not say how large its voxels are; give affine= or spacing= in mm.")
    return np.diag([*spacing, 1.0]).astype(np.float64)


def _nibabel_volume(image: SpatialImage) -> Volume:
    source = image.get_filename() or "the image"
    shape = image.shape
    if len(shape) < 3 or any(length != 1 for length in shape[3:]):
        raise VolumeError(
            f"{source} has {len(shape)} axes, {format_shape(shape)}, instead of three; extract one volume first."
        )
    if image.affine is None:
        raise VolumeError(
            f"{source} has no affine, so nobody knows how large its voxels are; make it with one, or give its array "
            "with spacing= in mm."
        )
    voxels = np.asanyarray(image.dataobj).reshape(shape[:3])
    if voxels.dtype == np.float64:
        voxels = voxels.astype(np.float32)
    if isinstance(image, nibabel.Nifti1Pair):
        return Volume(voxels, affine_in_mm(image), source=source, header=image.header.copy())
    return Volume(voxels, image.affine, source=source)


def _nibabel_image(result: Volume, image: SpatialImage, volume: Volume) -> SpatialImage:
    if isinstance(image, nibabel.Nifti1Pair):
        header = header_on_grid(result.shape, result.affine, volume, "float32")
        return type(image)(result.voxels, header.get_best_affine(), header)
    header = image.header.copy()
    header.set_data_dtype(np.float32)
    return type(image)(result.voxels, result.affine, header)


def _simpleitk_volume(image: Any) -> Volume:
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise VolumeError(
            f"The image has {image.GetDimension()} axes and {image.GetNumberOfComponentsPerPixel()} values a voxel; "
            "extract one three-dimensional volume of grey values first."
        )
    import SimpleITK

    # Slowest axis first in SimpleITK's arrays, and x, y, z in everything else of it.
    voxels: Array = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    to_lps = np.eye(4)
    to_lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    to_lps[:3, 3] = image.GetOrigin()
    return Volume(voxels, LPS_TO_RAS @ to_lps, source="the image")


def _simpleitk_image(result: Volume, image: Any) -> Any:
    import SimpleITK

    upsampled: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(result.voxels.transpose(2, 1, 0)))
    upsampled.SetSpacing(result.spacing)
    upsampled.SetDirection(image.GetDirection())
    upsampled.SetOrigin((LPS_TO_RAS @ result.affine)[:3, 3].tolist())
    return upsampled


def three(value: Any) -> tuple[Any, Any, Any]:
    """Return one number three times, or three numbers as they are; whole ones as integers.

    Raises:
        ConfigurationError: it is neither.
    """
    values: Sequence[Any] = [value] * 3 if np.ndim(value) == 0 else list(value)
    try:
        i, j, k = (int(each) if float(each).is_integer() else float(each) for each in values)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"Give one number, or one for each of three axes. Received: {value!r}.") from error
    return i, j, k
