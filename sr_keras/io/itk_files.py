"""NRRD and MetaImage files, by SimpleITK where it is installed. ITK's coordinates are LPS, those of a `Volume` RAS."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes

from sr_keras.errors import OutputError, VolumeError
from sr_keras.framework import load_module, silent_libraries
from sr_keras.io.image_names import has_suffix
from sr_keras.io.values import check_stored_range, finite_voxels
from sr_keras.resources import check_memory
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.volume import Modality, Volume, format_shape

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Beginnings of header fields that ITK makes itself, and ends of those that say where a segment lies in its grid.
OWN_FIELDS = ("ITK_", "NRRD_", "space", "kinds")
GRID_FIELDS = ("_Extent", "_ReferenceImageExtentOffset")
# ITK refuses a direction that is further than this from a rotation, so that a shear is refused here, by its name.
ORTHOGONAL = 1e-3
NRRD = (".nrrd", ".nhdr")
# No field of a header is longer, in bytes; what is read of a line at once.
LONGEST_FIELD, LONGEST_LINE = 500, 1 << 16


class ItkHeader(dict[str, str]):
    """Fields of a header that say nothing of the grid, such as names and colours of segments."""


def load_simpleitk() -> Any:
    """Import SimpleITK.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return load_module("SimpleITK", "sr_keras[itk]")


def read_itk(path: Path, modality: Modality | None = None, nan_fill: float | None = None) -> Volume:
    """Read a `.nrrd`, `.nhdr`, `.mha` or `.mhd` file.

    Raises:
        VolumeError: it is damaged, not three-dimensional, has several values a voxel, or voxels that are not finite.
        MissingDependencyError: SimpleITK is not installed.
    """
    reader, shape, affine = _opened(path)
    check_memory(8 * int(np.prod(shape, dtype=object)), f"{path} ({format_shape(shape)})")
    try:
        with silent_libraries():
            image = reader.Execute()
    except RuntimeError as error:
        raise _refused(path, error) from error
    voxels = load_simpleitk().GetArrayFromImage(image).reshape(shape[::-1]).T
    fields = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if _is_kept(key)}
    kept = ItkHeader((key, value) for key, value in fields.items() if value.isprintable())
    return Volume(finite_voxels(voxels, path, nan_fill), affine, modality, source=str(path), header=kept)


def read_itk_grid(path: Path) -> tuple[tuple[int, int, int], Affine]:
    """Return the shape and the affine of a file, whose voxels are not read; raises as `read_itk`."""
    return _opened(path)[1:]


def write_itk(volume: Volume, path: Path, *, like: Volume, dtype: str | None) -> None:
    """Write a file, compressed.

    Args:
        volume: real units.
        path: `.nrrd`, `.nhdr`, `.mha` or `.mhd`; the two with detached data write a second file beside it.
        like: the scan that it was made of; fields of its header that say nothing of the grid are carried over.
        dtype: the type on disk; None keeps that of the scan's voxels.

    Raises:
        OutputError: the type is too narrow, or the grid has a shear, which the formats do not hold.
        MissingDependencyError: SimpleITK is not installed.
    """
    itk = load_simpleitk()
    stored_type = np.dtype(dtype) if dtype else like.voxels.dtype.newbyteorder("=")
    check_stored_range(volume, like, stored_type, (1.0, 0.0))
    image = itk.GetImageFromArray(stored_values(volume.voxels, stored_type).T)
    lps = LPS_TO_RAS @ volume.affine
    spacing = voxel_sizes(lps)
    direction = lps[:3, :3] / spacing
    check_no_shear(volume.affine, path)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    for key, value in (like.header if isinstance(like.header, ItkHeader) else {}).items():
        image.SetMetaData(key, value)
    try:
        itk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(_reason(error)) from error


def check_no_shear(affine: Affine, path: Path) -> None:
    """Refuse a grid whose axes are not at right angles.

    Raises:
        OutputError: as said.
    """
    direction = affine[:3, :3] / voxel_sizes(affine)
    if not np.allclose(direction.T @ direction, np.eye(3), rtol=0, atol=ORTHOGONAL):
        raise OutputError(f"{path.name}: the scan's axes are not at right angles, as this format needs; write .nii.gz.")


def _opened(path: Path) -> tuple[Any, tuple[int, int, int], Affine]:
    """Return a reader that has read the header, the shape and the affine."""
    reader = load_simpleitk().ImageFileReader()
    reader.SetFileName(str(path))
    if not path.is_file():
        raise VolumeError(f"{path} does not exist; check the path.")
    if has_suffix(path, NRRD):
        _check_fields(path)
    try:
        # ITK prints warnings of its own about a damaged header.
        with silent_libraries():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise _refused(path, error) from error
    lengths, parts = reader.GetSize(), reader.GetNumberOfComponents()
    if parts != 1 or len(lengths) < 3 or any(length != 1 for length in lengths[3:]):
        values = f", {parts} values a voxel" if parts != 1 else ""
        raise VolumeError(
            f"{path} has {len(lengths)} axes, {format_shape(lengths)}{values}; extract one volume of grey values first."
        )
    size, spacing = len(lengths), np.array(reader.GetSpacing()[:3])
    affine = np.eye(4)
    affine[:3, :3] = np.array(reader.GetDirection()).reshape(size, size)[:3, :3] * spacing
    affine[:3, 3] = reader.GetOrigin()[:3]
    return reader, lengths[:3], LPS_TO_RAS @ affine


def _check_fields(path: Path) -> None:
    """Refuse a NRRD header with a field longer than any: ITK writes what it says of one beyond its buffer."""
    with path.open("rb") as file:
        for line in iter(partial(file.readline, LONGEST_LINE), b""):
            if not line.strip():
                return
            # Comments, and keys of anybody's own.
            if len(line) > LONGEST_FIELD and not line.startswith(b"#") and b":=" not in line:
                raise VolumeError(f"{path} has a damaged header, with a field of {len(line)} bytes; copy it again.")


def _is_kept(key: str) -> bool:
    # Keys that are no text cannot be asked for.
    return key.isprintable() and not key.startswith(OWN_FIELDS) and not key.endswith(GRID_FIELDS)


def _refused(path: Path, error: RuntimeError) -> VolumeError:
    return VolumeError(f"{path} is no complete {path.suffix[1:].upper()} file ({_reason(error)}); copy it again.")


def _reason(error: RuntimeError) -> str:
    """Return ITK's reason: the last line of what it says, without the file and line of its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("): ")[2] if lines else "no reason given"
