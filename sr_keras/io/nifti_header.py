"""The header of a NIfTI file for a new grid: that of the original, with qform and sform moved along."""

from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.spatialimages import HeaderDataError

from sr_keras.errors import OutputError, VolumeError
from sr_keras.io.freesurfer import MghHeader
from sr_keras.volumes.geometry import Affine, rescaled_affine
from sr_keras.volumes.volume import Volume, format_shape

# What a file's spatial unit is in mm; a file that names none means mm.
MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
# Grids whose corresponding entries differ by less than this fraction of a voxel are one grid with different rounding.
GRID_TOLERANCE = 1e-5
# A qform holds a rotation and spacings, no shear: one that is off by more than this fraction of a voxel says nothing.
QFORM_TOLERANCE = 1e-3
# NIfTI's codes of what coordinates mean.
SCANNER, ALIGNED = 1, 2


def affine_in_mm(image: Any) -> Affine:
    """Return a NIfTI image's best affine, in mm whatever unit its header is in.

    Raises:
        VolumeError: the unit's code is none of NIfTI.
    """
    try:
        scale = MM_PER_UNIT[image.header.get_xyzt_units()[0]]
    except KeyError as error:
        raise VolumeError(f"{image.get_filename()} has an unknown unit of length; repair its xyzt_units.") from error
    affine: Affine = np.diag([scale, scale, scale, 1.0]) @ image.affine
    return affine


def header_on_grid(shape: tuple[int, int, int], affine: Affine, like: Volume, dtype: str | None) -> Any:
    """Return the header of a scan's file, for a volume on another grid.

    Args:
        shape: of the new grid, along i, j, k.
        affine: of the new grid, 4 x 4, mm in RAS+.
        like: the scan; its header is copied where it has one.
        dtype: the type on disk; None keeps that of `like`, and its scaling.

    Returns:
        A NIfTI header. qform and sform keep their codes and move from the old grid to the new one alike. Where both
        codes are 0 and the grid is another one, nibabel centres the volume and ITK puts its first voxel at the origin:
        the sform then keeps the place that nibabel sees, the qform the one that ITK sees.

    Raises:
        OutputError: NIfTI-1 holds no axis of that length.
    """
    header = nifti_header_of(like)
    step = float(header["pixdim"][4])
    if dtype is not None:
        header.set_data_dtype(dtype)
        header.set_slope_inter(1.0, 0.0)
    steps = voxel_sizes(affine) / np.asarray(like.spacing)
    same_box = _is_same_grid(affine, rescaled_affine(like.affine, steps.tolist()), like)
    to_old = rescaled_affine(np.eye(4), steps.tolist()) if same_box else np.linalg.inv(like.affine) @ affine
    unit = MM_PER_UNIT[header.get_xyzt_units()[0]]
    zooms = np.asarray(header.get_zooms()[:3]) * steps if same_box else voxel_sizes(affine) / unit
    forms = _forms(header)
    _set_shape(header, shape)
    header.set_zooms(zooms)
    if not forms and not np.array_equal(to_old, np.eye(4)):
        forms = _places_without_codes(like.header)
    _set_forms(header, {name: (form @ to_old, code) for name, (form, code) in forms.items()})
    header["pixdim"][4] = step
    if not np.array_equal(np.abs(to_old[:3, :3]).argmax(axis=0), range(3)):
        # Which axis the scanner encoded how.
        header["dim_info"] = 0
    # When each slice was taken is not known of the slices between them.
    header["slice_end"] = header["slice_code"] = header["slice_duration"] = 0
    return header


def nifti_header_of(volume: Volume) -> Any:
    """Return the header of a volume's NIfTI file, or one for a volume from elsewhere: scanner coordinates, mm."""
    if isinstance(volume.header, nibabel.Nifti1Header):
        return volume.header.copy()
    header = nibabel.Nifti1Header()
    header.set_data_dtype(volume.voxels.dtype)
    header.set_data_shape(volume.shape)
    header.set_zooms(volume.spacing)
    header.set_xyzt_units("mm")
    if isinstance(volume.header, MghHeader) and volume.header.fields["tr"] > 0:
        header.set_xyzt_units("mm", "sec")
        header["pixdim"][4] = volume.header.fields["tr"] / 1000
    _set_forms(header, {"qform": (volume.affine, SCANNER), "sform": (volume.affine, SCANNER)})
    header.set_slope_inter(1.0, 0.0)
    return header


def orientation_warning(volume: Volume) -> str:
    """Return a warning where the format of a volume's file says nothing of its orientation, else an empty text."""
    header = volume.header
    if not isinstance(header, nibabel.AnalyzeHeader) or isinstance(header, nibabel.Nifti1Header):
        return ""
    return (
        "Warning: an Analyze 7.5 file does not say which side is left; the scan is taken to be stored from right to "
        "left, posterior to anterior, inferior to superior. Compare with a scan of known orientation."
    )


def _is_same_grid(one: Affine, other: Affine, like: Volume) -> bool:
    return np.allclose(one, other, rtol=0, atol=GRID_TOLERANCE * min(like.spacing))


def _set_shape(header: Any, shape: tuple[int, int, int]) -> None:
    try:
        header.set_data_shape(shape)
    except HeaderDataError as error:
        raise OutputError(
            f"{format_shape(shape)} voxels do not fit NIfTI-1, whose axes hold 32767; use a smaller scale."
        ) from error


def _forms(header: Any) -> dict[str, tuple[npt.NDArray[np.float64], int]]:
    """Return the transforms that a header states, each with its code."""
    found = {"qform": header.get_qform(coded=True), "sform": header.get_sform(coded=True)}
    return {name: (form, int(code)) for name, (form, code) in found.items() if code}


def _places_without_codes(header: Any) -> dict[str, tuple[npt.NDArray[np.float64], int]]:
    """Return where programs see a file without transforms: ITK as the qform, nibabel as the sform.

    The sform has the higher code, by which nibabel prefers it and ITK does not.
    """
    columns, rows, slices = header.get_zooms()[:3]
    by_itk = np.diag([-columns, -rows, slices, 1.0]).astype(np.float64)
    return {"qform": (by_itk, SCANNER), "sform": (header.get_base_affine(), ALIGNED)}


def _set_forms(header: Any, forms: dict[str, tuple[npt.NDArray[np.float64], int]]) -> None:
    if "qform" in forms:
        form, code = forms["qform"]
        header.set_qform(form, code)
        if not np.allclose(header.get_qform(), form, rtol=0, atol=QFORM_TOLERANCE * voxel_sizes(form).min()):
            header["qform_code"] = 0
            forms = {"sform": (form, code), **forms}
    if "sform" in forms:
        header.set_sform(*forms["sform"])
