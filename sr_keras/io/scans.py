"""Scans in any form that can be read: an image file, a DICOM file, a folder with a DICOM series, a .zip of one."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sr_keras.dicom.finding import has_dicom, is_dicom
from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.reading import read_series
from sr_keras.dicom.writing import check_folder_output, check_source, write_objects
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.files import check_output
from sr_keras.io.image_names import SUFFIXES, is_image, is_whole, output_files
from sr_keras.io.kinds import check_is_scan
from sr_keras.io.nifti import (
    check_image_output,
    check_image_writable,
    read_grid,
    read_volume,
    read_volumes,
    volume_count,
    write_image,
)
from sr_keras.io.nifti_header import nifti_header_of
from sr_keras.io.values import check_fill, finite_voxels
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Modality, Volume


@dataclass(frozen=True)
class Choice:
    """Which volume of a DICOM folder, or of an image file with several, to read.

    Attributes:
        series: Series Number or Series Instance UID; None where there is one series.
        frame_group: which of several volumes in the series, from 1; None where there is one.
        volume: which of several volumes in an image file, from 1; None where there is one.
    """

    series: str | None = None
    frame_group: int | None = None
    volume: int | None = None


def read_scan(
    path: str | os.PathLike[str],
    *,
    modality: Modality | None = None,
    nan_fill: float | None = None,
    choice: Choice | None = None,
    vouched: bool = True,
) -> Volume:
    """Read a scan.

    Args:
        path: an image file, a DICOM file, a .zip or folder with a DICOM series in it.
        modality: "CT" or "MR"; None takes the DICOM header's word, or infers it from the values, and refuses an image
            file that looks like a label map or a phase image.
        nan_fill: the value to put where a voxel is NaN or infinite, in the scan's units; None refuses such a scan.
        choice: of series and frame group, or of a volume; None where there is only one of each.
        vouched: whether who gives a modality knows that it is a scan; an image file is looked at otherwise.

    Raises:
        VolumeError: it is no scan, but a label map for instance, or one that cannot be read; see `read_volume` and
            `read_series`.
        ConfigurationError: a choice is given that the scan does not have, or `nan_fill` is not finite.
        MissingDependencyError: no installed library decodes the pixels.
    """
    path, choice = Path(path), choice or Choice()
    check_fill(nan_fill)
    if is_image_file(path):
        if choice.series or choice.frame_group:
            raise ConfigurationError(f"{path} is no DICOM series to choose from; leave --series and --frame-group out.")
        volume = read_volume(path, modality=modality, nan_fill=nan_fill, volume=choice.volume)
        if modality is None or not vouched:
            check_is_scan(volume, path)
        return volume
    if path.is_file() and not is_dicom(path):
        raise VolumeError(
            f"{path} is neither an image file ({', '.join(SUFFIXES)}) nor DICOM (a file, folder or .zip); "
            "convert it first."
        )
    if choice.volume:
        raise ConfigurationError(f"{path} is no image file with several volumes; leave --volume out.")
    volume = read_series(path, series=choice.series, frame_group=choice.frame_group, modality=modality)
    return volume.with_voxels(finite_voxels(volume.voxels, path, nan_fill))


def read_time_series(
    path: str | os.PathLike[str],
    *,
    modality: Modality | None = None,
    nan_fill: float | None = None,
    vouched: bool = True,
) -> Iterator[Volume]:
    """Yield the volumes of an image file one after another; the first is looked at as `read_scan` does.

    Args:
        path: of an image file.
        modality: as in `read_scan`.
        nan_fill: as in `read_scan`.
        vouched: as in `read_scan`.

    Raises:
        VolumeError: as in `read_scan`.
    """
    for number, volume in enumerate(read_volumes(path, modality=modality, nan_fill=nan_fill)):
        if number == 0 and (modality is None or not vouched):
            check_is_scan(volume, Path(path))
        yield volume


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is that of an image file by its name, and no folder, nor DICOM that is named .img."""
    path = Path(path)
    return is_image(path) and not path.is_dir() and (is_whole(path) or not is_dicom(path))


def is_scan_folder(path: str | os.PathLike[str]) -> bool:
    """Say whether a folder is one scan, a DICOM series, rather than a folder of image files.

    Raises:
        VolumeError: image and DICOM files lie in it side by side.
    """
    path = Path(path)
    if not path.is_dir():
        return False
    images = [each for each in path.rglob("*") if is_whole(each)]
    if not images:
        return is_dicom(path)
    mixed = sorted(folder for folder in {each.parent for each in images} if has_dicom(folder))
    if mixed:
        name = min(each.name for each in images if each.parent == mixed[0])
        raise VolumeError(
            f"{mixed[0]} holds DICOM files and image files ({name}); move one kind away, or name an image file itself."
        )
    return False


def dicom_folders(path: str | os.PathLike[str]) -> list[Path]:
    """Return the folders below a folder, and itself, with a DICOM file in them, sorted."""
    path = Path(path)
    return [each for each in sorted([path, *path.rglob("*")]) if each.is_dir() and has_dicom(each)]


def count_volumes(path: str | os.PathLike[str], choice: Choice | None = None) -> int:
    """Return how many volumes of a scan are read: those of an image file, one of any other or where one is chosen.

    Raises:
        VolumeError: the file's header cannot be read.
    """
    chosen = choice is not None and choice.volume is not None
    return volume_count(path) if is_image_file(path) and Path(path).exists() and not chosen else 1


def scan_grid(path: str | os.PathLike[str], choice: Choice | None = None) -> tuple[tuple[int, int, int], Affine]:
    """Return the shape and the affine of a scan; the voxels of an image file are not read.

    Raises:
        VolumeError: it is no scan, or its header cannot be read.
    """
    if is_image_file(path):
        return read_grid(path)
    volume = read_scan(path, choice=choice)
    return volume.shape, volume.affine


def check_scan_output(
    scan: str | os.PathLike[str], output: str | os.PathLike[str], dtype: str | None, *, force: bool
) -> None:
    """Refuse an output before any work is done for it: an image file, or for a DICOM scan a folder too.

    Args:
        scan: what will be read.
        output: what will be written.
        dtype: the type on disk; None keeps the scan's.
        force: whether an output that exists is replaced.

    Raises:
        OutputError: it is neither, exists, or cannot be written.
        VolumeError: the scan does not exist.
        ConfigurationError: a type on disk is asked of DICOM.
    """
    scan, output = Path(scan), Path(output)
    if not scan.exists():
        raise VolumeError(f"{scan} does not exist; check the path.")
    if is_image(output) or is_image_file(scan) or not is_dicom(scan):
        check_image_output(output, dtype)
        for path in output_files(output):
            check_output(path, force=force)
        return
    if dtype is not None:
        raise ConfigurationError(
            f"--dtype {dtype} is for NIfTI, a DICOM series has 16 bits a pixel; leave it out, or write a .nii.gz."
        )
    check_folder_output(output, scan, force=force)


def check_writable(volume: Volume, output: str | os.PathLike[str], dtype: str | None = None) -> None:
    """Refuse a scan that the output cannot hold, before any work is done for it.

    Args:
        volume: the scan.
        output: what will be written.
        dtype: the type on disk of an image file; None keeps the scan's.

    Raises:
        OutputError: the output is an image file of a type that clips the scan, or of a format that cannot hold it, or
            it is a DICOM series and the scan is not from DICOM or has attributes that no DICOM file can hold.
    """
    if is_image(output):
        check_image_writable(volume, output, dtype)
    else:
        check_source(volume)


def write_scan(
    volume: Volume, output: str | os.PathLike[str], *, like: Volume, dtype: str | None, processing: Processing
) -> None:
    """Write a volume as an image file or as a DICOM series, by what the output is named.

    Args:
        volume: covers the field of view of `like`, real units.
        output: an image file, or the folder of a new series.
        like: the scan that `volume` was made of.
        dtype: the type on disk of an image file; None keeps that of `like`.
        processing: what was done, for the new series.

    Raises:
        OutputError: it cannot be written.
    """
    if is_image(output):
        write_image(volume, Path(output), like=like, dtype=dtype)
    else:
        write_objects(volume, Path(output), like=like, processing=processing)


def with_nifti_header(volume: Volume) -> Volume:
    """Give a volume from another format the header of a NIfTI file: qform and sform, scanner coordinates, mm."""
    if volume.header is None:
        return volume
    return replace(volume, header=nifti_header_of(volume))
