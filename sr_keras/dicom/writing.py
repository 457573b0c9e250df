"""Write a volume as a derived DICOM series that lies exactly over its source."""

import os
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmwrite

from sr_keras.dicom.classic import classic_object
from sr_keras.dicom.derived import Task, new_task
from sr_keras.dicom.enhanced import enhanced_object
from sr_keras.dicom.frames import PER_FRAME
from sr_keras.dicom.parsing import quiet
from sr_keras.dicom.provenance import SIDECAR, Processing, write_sidecar
from sr_keras.dicom.reading import DicomHeader
from sr_keras.errors import OutputError, SrKerasError
from sr_keras.files import check_parent, reserved, write_errors
from sr_keras.volumes.volume import Volume

# File names of eight characters, upper case and digits, as DICOM media ask.
FILE_NAME = "IM{:06d}.dcm"


@quiet()
def write_series(volume: Volume, folder: Path, *, like: Volume, processing: Processing) -> None:
    """Write a volume as a new series into a new folder, which appears whole or not at all.

    An enhanced multi-frame source gives one enhanced object; any other gives one object a slice.

    Args:
        volume: covers the field of view of `like`, axes (column, row, slice), real units.
        folder: made anew. A series that this package wrote there before is replaced.
        like: the volume that `read_series` returned and that `volume` was made of.
        processing: what was done to it.

    Raises:
        OutputError: `like` is not from DICOM, or the folder cannot be written.
    """
    with reserved(folder) as place, write_errors(folder):
        (place / "new").mkdir()
        write_objects(volume, place / "new", like=like, processing=processing)
        publish_series(place / "new", folder)


@quiet()
def write_objects(volume: Volume, folder: Path, *, like: Volume, processing: Processing) -> None:
    """Write a volume as `write_series` does, into an empty folder: an error leaves a part of the series behind.

    Args:
        volume: as in `write_series`.
        folder: exists and is empty.
        like: as in `write_series`.
        processing: as in `write_series`.

    Raises:
        OutputError: `like` is not from DICOM.
        OSError: a file cannot be written.
    """
    _check_origin(like)
    task = new_task(volume, like, processing)
    for number, make in enumerate(_makers(task), start=1):
        _write(make, folder / FILE_NAME.format(number))
    write_sidecar(folder, volume, like, processing, task.series_uid)


def publish_series(temporary: Path, folder: Path) -> None:
    """Move the finished folder of a series to its place. A series that this package wrote there before is replaced.

    Args:
        temporary: beside `folder`, in a folder of its own.
        folder: its place.

    Raises:
        OutputError: something else is there.
        OSError: it cannot be moved.
    """
    if folder.exists():
        if not _is_ours(folder):
            raise OutputError(f"{folder} exists and is no series of sr-keras; choose a new folder.")
        os.replace(folder, temporary.with_name("old"))
    os.replace(temporary, folder)


@quiet()
def check_source(volume: Volume) -> None:
    """Refuse a scan whose attributes cannot be written again: hours of work should not end there.

    Raises:
        OutputError: it is not from DICOM, or has an attribute that no DICOM file can hold.
    """
    _check_origin(volume)
    _write(_makers(new_task(volume, volume, Processing({}, "none")))[0], BytesIO())


def check_folder_output(folder: Path, scan: Path, *, force: bool) -> None:
    """Refuse an output folder before any work is done for it.

    Raises:
        OutputError: it exists and `force` is not given or it is no series of ours, it is in the scan's folder, or its
            parent cannot be written.
    """
    if scan.is_dir() and folder.resolve().is_relative_to(scan.resolve()):
        raise OutputError(f"{folder} is in the scan's folder; choose an output apart from it.")
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{folder} is a broken link; remove it or choose another output.")
    if folder.exists() and not force:
        raise OutputError(f"{folder} exists; use --force to overwrite.")
    if folder.exists() and not _is_ours(folder):
        raise OutputError(f"{folder} exists and is no series of sr-keras; choose a new folder.")
    check_parent(folder)


def _makers(task: Task) -> list[Callable[[], Dataset]]:
    """Return what makes each object of the series: one after the other, they need little memory."""
    if PER_FRAME in task.source.frames[0].header:
        return [partial(enhanced_object, task)]
    return [partial(classic_object, task, k) for k in range(task.volume.shape[2])]


def _check_origin(volume: Volume) -> None:
    if not isinstance(volume.header, DicomHeader):
        raise OutputError(
            f"Only a scan read from DICOM can be written as DICOM. Received: {volume.source}. "
            "Name the output .nii or .nii.gz."
        )


def _write(make: Callable[[], Dataset], file: Path | BytesIO) -> None:
    try:
        with quiet():
            dcmwrite(file, make(), enforce_file_format=True)
    except (OSError, SrKerasError):
        raise
    # An element of the source that could be read but has a value that its type forbids: any built-in exception.
    except Exception as error:
        raise OutputError(
            f"The source's attributes must be writable. Received: a value that no DICOM file can hold "
            f"({type(error).__name__}). Write NIfTI instead: -o NAME.nii.gz."
        ) from None


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is empty or holds a series written here and nothing else."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    ours = {SIDECAR} | {name for name in names if name.startswith("IM") and name.endswith(".dcm")}
    return not names or (SIDECAR in names and names <= ours)
