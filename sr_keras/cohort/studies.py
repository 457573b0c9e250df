"""A folder of DICOM studies: every series and every volume in it, found by headers."""

import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from nibabel.affines import voxel_sizes

from sr_keras.cohort.items import Folder, Geometry, Scan
from sr_keras.cohort.parts import Part
from sr_keras.dicom.finding import Series, find_series
from sr_keras.dicom.reading import geometries_of
from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Modality

# Characters of a hash that tell series of one number apart.
SHORT = 8


def find_folders(root: Path, output: Path, part: Part) -> list[Folder]:
    """Return what lies in a folder of studies: each folder, .zip and file in it is searched for itself.

    Args:
        root: the folder.
        output: root of the results.
        part: of what lies in it.

    Raises:
        VolumeError: there is no such folder, or nothing in it.
    """
    if not root.is_dir():
        raise VolumeError(f"{root} is no folder; name a folder of DICOM studies.")
    with os.scandir(root) as entries:
        names = sorted(each.name for each in entries if not each.name.startswith("."))
    if not names:
        raise VolumeError(f"{root} is empty; name a folder of DICOM studies.")
    return [Folder(name, root / name, output / name) for name in names if part.holds(name)]


def search(folder: Folder, modality: Modality | None) -> tuple[list[Scan], dict[str, str]]:
    """Return the volumes in a folder, and of what is none the reason, by name.

    Args:
        folder: of one or more studies.
        modality: of all scans; None takes the headers' word.
    """
    refused: dict[str, str] = {}
    found = list(_pieces(folder.path, folder.name, refused))
    counts = Counter(series.uid for series in found)
    scans: list[Scan] = []
    for series in found:
        name = f"{folder.name}/{_label(series)}"
        if counts[series.uid] > 1:
            refused[name] = "lies in several folders, one of which has a damaged file; copy the study again"
            continue
        try:
            geometries = geometries_of(series, "it", modality)
        except VolumeError as error:
            refused[name] = str(error).removeprefix("it: ")
            continue
        scans += _scans(folder, series, [(shape, _spacing(affine)) for shape, affine in geometries])
    return scans, refused


def _pieces(path: Path, name: str, refused: dict[str, str]) -> Iterator[Series]:
    """Yield the series in a folder; where a file in it is damaged, those in each of its subfolders."""
    try:
        yield from find_series(path)
        return
    except VolumeError as error:
        subfolders = sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []
        if not subfolders or "no DICOM file" in str(error):
            refused[name] = str(error).removeprefix(str(path)).lstrip(": ")
            return
        if any(each.is_file() for each in path.iterdir()):
            refused[name] = "files beside its subfolders were left out: one file of the folder is damaged"
    for each in subfolders:
        yield from _pieces(each, f"{name}/{each.name}", refused)


def _spacing(affine: Affine) -> tuple[float, float, float]:
    i, j, k = (round(float(size), 3) for size in voxel_sizes(affine))
    return i, j, k


def _scans(folder: Folder, series: Series, geometries: Sequence[Geometry]) -> Iterator[Scan]:
    label = _label(series)
    zipped = zipfile.is_zipfile(folder.path) if folder.path.is_file() else False
    files: Sequence[Path] = sorted({source.path for source in series.sources})
    several = len(geometries) > 1
    for group, geometry in enumerate(geometries, start=1):
        title = f"{label}_group-{group}" if several else label
        # A .zip is read as it is; see `Scan.series`.
        yield Scan(
            f"{folder.name}/{title}",
            folder.path,
            folder.output / title,
            files=() if zipped else tuple(files),
            frame_group=group if several else None,
            geometry=geometry,
            series=series.uid if zipped else None,
        )


def _label(series: Series) -> str:
    """Return a name that says nothing about the patient: the number, and a hash of the UID."""
    number = "none" if series.number is None else f"{series.number:04d}"
    return f"series-{number}-{hashlib.sha256(series.uid.encode()).hexdigest()[:SHORT]}"
