"""Find the anatomical scans of a BIDS data set by the names of its folders and files; no file is opened."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sr_keras.cohort.bids_filters import Filters, accepts
from sr_keras.cohort.bids_names import BidsName, parse_name, result_name
from sr_keras.cohort.items import Scan
from sr_keras.cohort.parts import ALL, Part
from sr_keras.errors import ConfigurationError, OutputError, VolumeError

DESCRIPTION_FILE = "dataset_description.json"
# The folder that the standard has for scans of each suffix. CT is not in it yet: BEP024 proposes this one.
MR_FOLDER, CT_FOLDER = "anat", "ct"
CT_SUFFIX = "ct"
SUFFIXES = ("T1w", "T2w", "FLAIR", CT_SUFFIX)
# Suffixes whose values are labels, probabilities or tables: nothing that a network for images may change.
LABEL_MAPS = {"dseg", "probseg", "mask", "defacemask", "events", "xfm"}
# Parts of a complex image that are no magnitude.
NO_MAGNITUDE = {"phase", "real", "imag"}
# How the results' folder calls the data set that they were made of, in BIDS URIs.
LINK = "raw"


@dataclass(frozen=True)
class Selection:
    """Which scans of a data set are meant.

    Attributes:
        participants: labels without "sub-"; none means all.
        sessions: labels without "ses-"; none means all.
        suffixes: of the file names.
        filters: queries of a filter file.
        part: of the participants.
    """

    participants: Sequence[str] = ()
    sessions: Sequence[str] = ()
    suffixes: Sequence[str] = SUFFIXES
    filters: Filters = field(default_factory=dict)
    part: Part = ALL


def find_scans(root: Path, output: Path, selection: Selection, resolution: str) -> list[Scan]:
    """Return the scans that are meant, by name.

    Only the folders of the participants that are meant are read: a part of a thousand reads a thousandth of them.

    Args:
        root: of the data set.
        output: root of the results.
        selection: which scans are meant.
        resolution: label of the results' resolution.

    Raises:
        VolumeError: the root is no BIDS data set, a participant is not there, or nothing is found in all parts.
        OutputError: two scans would have one result.
        ConfigurationError: a suffix is that of a label map.
    """
    _check(root, selection)
    participants = _participants(root, selection)
    places = (place for each in participants for place in _places(root, each, selection.sessions))
    scans = [
        Scan(
            f"{place}/{file}",
            # Joined as text: with `/` the paths of a large data set take longer than its folders.
            Path(f"{root}/{place}/{file}"),
            Path(f"{output}/{place}/{result_name(name, resolution)}"),
            "CT" if name.suffix == CT_SUFFIX else "MR",
            f"bids:{LINK}:{place}/{file}",
        )
        for place in places
        for file, name in _files(root, place, selection)
    ]
    _check_results(scans)
    if not scans and selection.part == ALL:
        kinds = ", ".join(selection.suffixes)
        raise VolumeError(
            f"{root} has no scan of the kinds {kinds} among what was chosen; check --suffix and the labels."
        )
    return scans


def _check(root: Path, selection: Selection) -> None:
    if not root.is_dir():
        raise VolumeError(f"{root} is no folder; name the root of a BIDS data set.")
    if not (root / DESCRIPTION_FILE).is_file():
        raise VolumeError(f"{root} has no {DESCRIPTION_FILE}; name the root of a BIDS data set.")
    for suffix in selection.suffixes:
        if suffix in LABEL_MAPS or not suffix.isalnum():
            raise ConfigurationError(f"--suffix {suffix} is not that of an image; use such as T1w or ct.")


def _participants(root: Path, selection: Selection) -> list[str]:
    """Return the folders of participants that are meant and in this part, sorted."""
    if selection.participants:
        named = sorted({f"sub-{label.removeprefix('sub-')}" for label in selection.participants})
        missing = [name for name in named if not (root / name).is_dir()]
        if missing:
            raise VolumeError(f"{root} has no {', '.join(missing)}; check --participant-label.")
    else:
        with os.scandir(root) as entries:
            named = sorted(each.name for each in entries if each.name.startswith("sub-") and each.is_dir())
    return [name for name in named if selection.part.holds(name)]


def _places(root: Path, participant: str, sessions: Sequence[str]) -> Iterator[str]:
    """Yield the folders of a participant that scans are in, relative to the root."""
    wanted = {f"ses-{label.removeprefix('ses-')}" for label in sessions}
    with os.scandir(f"{root}/{participant}") as entries:
        names = sorted(each.name for each in entries if each.is_dir())
    if not wanted:
        yield from (f"{participant}/{name}" for name in names if name in (MR_FOLDER, CT_FOLDER))
    for session in names:
        if session.startswith("ses-") and (not wanted or session in wanted):
            with os.scandir(f"{root}/{participant}/{session}") as entries:
                kinds = sorted(each.name for each in entries if each.name in (MR_FOLDER, CT_FOLDER) and each.is_dir())
            yield from (f"{participant}/{session}/{kind}" for kind in kinds)


def _files(root: Path, place: str, selection: Selection) -> Iterator[tuple[str, BidsName]]:
    with os.scandir(f"{root}/{place}") as entries:
        files = sorted(each.name for each in entries)
    for file in files:
        name = parse_name(file)
        if name is not None and _is_meant(name, place, selection):
            yield file, name


def _is_meant(name: BidsName, place: str, selection: Selection) -> bool:
    if name.suffix not in selection.suffixes or name.entities.get("part") in NO_MAGNITUDE:
        return False
    return accepts(selection.filters, name, place.rpartition("/")[2])


def _check_results(scans: Sequence[Scan]) -> None:
    """Refuse scans of one result, such as x.nii beside x.nii.gz."""
    first: dict[Path, Scan] = {}
    for scan in scans:
        other = first.setdefault(scan.output, scan)
        if other is not scan:
            raise OutputError(f"{other.name} and {scan.name} would have one result; remove one of them.")
