"""Find the DICOM series in a folder tree, a .zip or a file, and choose one."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset

from sr_keras.dicom.frames import lookup
from sr_keras.dicom.headers import DAMAGED, header_of, is_directory, is_image, lost_slice
from sr_keras.dicom.parsing import class_name, has_magic, looks_like_dicom, number, numbers, quiet, shown, text
from sr_keras.dicom.sources import Source, is_zip, sources_in
from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import format_spacing


@dataclass(frozen=True)
class Series:
    """The image files of one series, unsorted.

    Attributes:
        uid: Series Instance UID.
        sources: where its files are.
        headers: their data sets without pixel data, in the same order.
        lost: what became of a slice whose file is among them but no DICOM; "" where none was lost.
    """

    uid: str
    sources: tuple[Source, ...]
    headers: tuple[Dataset, ...]
    lost: str = ""

    @property
    def number(self) -> int | None:
        """Series Number."""
        value = number(self.headers[0], "SeriesNumber")
        return None if value is None else int(value)

    @property
    def summary(self) -> str:
        """Number, description, size and spacing, as in '4 "T1 axial" 256x256x20 of 0.86x0.86x7 mm'."""
        header = self.headers[0]
        name = "no number" if self.number is None else str(self.number)
        description = shown(text(header, "SeriesDescription"), "no description")
        slices = sum(int(number(each, "NumberOfFrames") or 1) for each in self.headers)
        size = f"{number(header, 'Columns'):.0f}x{number(header, 'Rows'):.0f}x{slices}"
        return f'{name} "{description}" {size}{_spacing(header)}'


def is_dicom(path: Path) -> bool:
    """Say whether a path is to be read as DICOM: a folder with a DICOM file in it, a .zip, or a DICOM file.

    What cannot be read may be DICOM too: reading it will say why it cannot.
    """
    if not path.exists():
        return False
    try:
        return is_zip(path) or any(looks_like_dicom(source.head()) for source in sources_in(path))
    except VolumeError:
        return True


def has_dicom(folder: Path) -> bool:
    """Say whether a file that calls itself DICOM lies in a folder, not in those below it."""
    for path in folder.iterdir():
        with suppress(VolumeError):
            if path.is_file() and has_magic(Source(path).head()):
                return True
    return False


@quiet()
def find_series(path: Path) -> list[Series]:
    """Return the series of images in a folder tree, a .zip or a file, by number.

    Raises:
        VolumeError: the path does not exist, holds no DICOM file, or no image.
    """
    found: dict[str, list[tuple[Source, Dataset]]] = {}
    others: dict[str, None] = {}
    no_dicom: list[tuple[Source, bytes]] = []
    for source in sources_in(path):
        head = source.head()
        found_header = header_of(source, head)
        if found_header is None:
            no_dicom.append((source, head))
            continue
        header, place = found_header
        if is_directory(header):
            others["a DICOMDIR, which lists files but holds none"] = None
        elif is_image(header, source):
            found.setdefault(text(header, "SeriesInstanceUID"), []).append((replace(source, pixels=place), header))
        else:
            others[class_name(header)] = None
    if not found:
        received = f"only {', '.join(others)}" if others else "no DICOM file"
        raise VolumeError(f"{path}: a scan must hold DICOM images. Received: {received}. Choose a series of images.")
    series = [_series(uid, files, no_dicom) for uid, files in found.items()]
    return sorted(series, key=lambda each: (each.number is None, each.number or 0, each.uid))


def choose_series(found: Sequence[Series], path: Path, choice: str | None) -> Series:
    """Return the one series, or the one of several that is chosen by number or UID.

    Args:
        found: at least one series.
        path: where they are, for messages.
        choice: a Series Number or a Series Instance UID; None where there is only one.

    Raises:
        VolumeError: there are several and none is chosen, the choice fits none or several, or a slice of it is lost.
    """
    chosen = _chosen(found, path, choice)
    if chosen.lost:
        raise VolumeError(DAMAGED.format(path=path, what=chosen.lost))
    return chosen


def _series(uid: str, files: Sequence[tuple[Source, Dataset]], no_dicom: Sequence[tuple[Source, bytes]]) -> Series:
    sources, headers = zip(*files, strict=True)
    return Series(uid, sources, headers, lost_slice(no_dicom, sources))


def _chosen(found: Sequence[Series], path: Path, choice: str | None) -> Series:
    if choice is None:
        if len(found) == 1:
            return found[0]
        raise VolumeError(f"{path}: one series must be chosen. Received: {_listing(found)}. Add --series NUMBER.")
    matching = [series for series in found if choice == series.uid or choice == str(series.number)]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise VolumeError(
            f"{path}: --series must name a series that is there. Received: {choice}, and {_listing(found)}. "
            "Choose one of those."
        )
    uids = ", ".join(shown(series.uid, "unreadable") for series in matching)
    raise VolumeError(
        f"{path}: --series must name one series. Received: {choice}, the number of {len(matching)}. "
        f"Give the UID of one: {uids}."
    )


def _listing(found: Sequence[Series]) -> str:
    """Describe series; those that share a number with their UID, which is needed to choose one then."""
    shared = Counter(series.number for series in found)
    return "; ".join(
        f"{series.summary}, UID {shown(series.uid, 'unreadable')}"
        if shared[series.number] > 1 or series.number is None
        else series.summary
        for series in found
    )


def _spacing(header: Dataset) -> str:
    """Return the spacing of columns, rows and slices as " of 0.86x0.86x7 mm", as far as a header states it."""
    measures = lookup(header, 0, "PixelMeasuresSequence")
    rows, columns = numbers(measures, "PixelSpacing", 2) or (0.0, 0.0)
    slices = number(header, "SpacingBetweenSlices") or number(measures, "SliceThickness")
    stated = [value for value in (columns, rows, slices) if value]
    return f" of {format_spacing(stated)} mm" if len(stated) >= 2 else ""
