"""Scans in any form that can be read: a NIfTI file, a DICOM file, a folder with a DICOM series, a .zip of one."""

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel

from sr_keras.dicom.finding import is_dicom
from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.reading import DicomHeader, read_series
from sr_keras.dicom.writing import check_folder_output, check_source, write_series
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.files import check_output
from sr_keras.io.nifti import check_nifti_output, finite_voxels, is_nifti, read_volume, write_volume
from sr_keras.volumes.volume import Modality, Volume


@dataclass(frozen=True)
class Choice:
    """Which volume of a DICOM folder to read.

    Attributes:
        series: Series Number or Series Instance UID; None where there is one series.
        frame_group: which of several volumes in the series, from 1; None where there is one.
    """

    series: str | None = None
    frame_group: int | None = None


def read_scan(
    path: Path, *, modality: Modality | None = None, nan_fill: float | None = None, choice: Choice | None = None
) -> Volume:
    """Read a scan.

    Args:
        path: a NIfTI file, a DICOM file, a .zip or folder with a DICOM series in it.
        modality: "CT" or "MR"; None takes the DICOM header's word, or infers it from the values.
        nan_fill: the value to put where a voxel is NaN or infinite; None refuses such a scan.
        choice: of series and frame group.

    Raises:
        VolumeError: it is no scan, or one that cannot be read; see `read_volume` and `read_series`.
        ConfigurationError: a choice is given for a NIfTI file.
        MissingDependencyError: no installed library decodes the pixels.
    """
    choice = choice or Choice()
    if is_nifti(path) and not path.is_dir():
        if choice != Choice():
            raise ConfigurationError(
                f"--series and --frame-group choose from DICOM series. Received: {path}. Leave them out."
            )
        return read_volume(path, modality=modality, nan_fill=nan_fill)
    if path.is_file() and not is_dicom(path):
        raise VolumeError(
            f"{path}: a scan must be a NIfTI file (.nii, .nii.gz), a DICOM file, or a folder or .zip with a DICOM "
            "series. Received: something else. Convert it first."
        )
    volume = read_series(path, series=choice.series, frame_group=choice.frame_group, modality=modality)
    return volume.with_voxels(finite_voxels(volume.voxels, path, nan_fill))


def is_scan_folder(path: Path) -> bool:
    """Say whether a folder is one scan, a DICOM series, rather than a folder of NIfTI files."""
    return path.is_dir() and not any(is_nifti(each) for each in path.rglob("*")) and is_dicom(path)


def check_scan_output(scan: Path, output: Path, dtype: str | None, *, force: bool) -> None:
    """Refuse an output before any work is done for it: a NIfTI file, or for a DICOM scan a folder too.

    Raises:
        OutputError: it is neither, exists, or cannot be written.
        VolumeError: the scan does not exist.
        ConfigurationError: a type on disk is asked of DICOM.
    """
    if not scan.exists():
        raise VolumeError(f"The scan must exist. Received: {scan}. Check the path.")
    if is_nifti(output) or not is_dicom(scan):
        check_nifti_output(output, dtype)
        check_output(output, force=force)
        return
    if dtype is not None:
        raise ConfigurationError(
            f"A DICOM series has 16 bits a pixel. Received: --dtype {dtype}. Leave it out, or write NIfTI."
        )
    check_folder_output(output, scan, force=force)


def check_writable(volume: Volume, output: Path) -> None:
    """Refuse a scan whose attributes no DICOM file can hold before any work is done for it.

    Raises:
        OutputError: the output is a DICOM series, and the scan is not from DICOM or has such attributes.
    """
    if not is_nifti(output):
        check_source(volume)


def write_scan(volume: Volume, output: Path, *, like: Volume, dtype: str | None, processing: Processing) -> None:
    """Write a volume as a NIfTI file or as a DICOM series, by what the output is named.

    Args:
        volume: covers the field of view of `like`, real units.
        output: `.nii`, `.nii.gz`, or the folder of a new series.
        like: the scan that `volume` was made of.
        dtype: the type on disk of a NIfTI file; None keeps that of `like`.
        processing: what was done, for the new series.

    Raises:
        OutputError: it cannot be written.
    """
    if is_nifti(output):
        write_volume(volume, output, like=with_nifti_header(like), dtype=dtype)
    else:
        write_series(volume, output, like=like, processing=processing)


def with_nifti_header(volume: Volume) -> Volume:
    """Give a volume read from DICOM the header of a NIfTI file: qform and sform, scanner coordinates, mm."""
    if not isinstance(volume.header, DicomHeader):
        return volume
    header = nibabel.Nifti1Header()
    header.set_data_dtype(volume.voxels.dtype)
    header.set_data_shape(volume.shape)
    header.set_xyzt_units("mm")
    header.set_qform(volume.affine, "scanner")
    header.set_sform(volume.affine, "scanner")
    header.set_slope_inter(1.0, 0.0)
    return replace(volume, header=header)
