"""Find the DICOM series in a folder tree, a .zip or a file, and choose one."""

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage, MRImageStorage

from sr_keras.dicom.frames import lookup
from sr_keras.dicom.parsing import class_name, has_magic, looks_like_dicom, number, numbers, parsed, quiet, shown, text
from sr_keras.errors import VolumeError
from sr_keras.resources import check_memory
from sr_keras.volumes.geometry import format_spacing

# Enough to see the magic word of a DICOM file.
HEAD_BYTES = 132
# SOP classes that only list other files: left out in silence.
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
IMAGE_CLASSES = (CTImageStorage, MRImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage)
# UIDs of the standard itself: what begins so and is not known was cut off.
STANDARD_ROOT = "1.2.840.10008."
DAMAGED = "{path}: every DICOM file must be whole. Received: {what}. Copy the scan again from its source."


@dataclass(frozen=True)
class Source:
    """A file, or a member of a .zip.

    Attributes:
        path: of the file or of the .zip.
        member: the name in the .zip; "" for a file.
    """

    path: Path
    member: str = ""

    def read(self, count: int = -1) -> bytes:
        """Return the first `count` bytes, or all.

        Raises:
            VolumeError: it cannot be read, or is too large for the memory.
        """
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    return file.read(count)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                if count < 0:
                    check_memory(archive.getinfo(self.member).file_size, f"A member of {self.path}")
                return file.read(count)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise VolumeError(
                f"{self.path}: every file of the scan must be readable. Received: {_reason(error)}. "
                "Copy it again from its source."
            ) from error


@dataclass(frozen=True)
class Series:
    """The image files of one series, unsorted.

    Attributes:
        uid: Series Instance UID.
        sources: where its files are.
        headers: their data sets without pixel data, in the same order.
    """

    uid: str
    sources: tuple[Source, ...]
    headers: tuple[Dataset, ...]

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
    """Say whether a path may be read as DICOM: a folder or .zip with a DICOM file in it, or a DICOM file."""
    try:
        return any(looks_like_dicom(source.read(HEAD_BYTES)) for source in _sources(path))
    except VolumeError:
        return False


@quiet()
def find_series(path: Path) -> list[Series]:
    """Return the series of images in a folder tree, a .zip or a file, by number.

    Raises:
        VolumeError: the path does not exist, holds no DICOM file, or no image.
    """
    sources: dict[str, list[Source]] = {}
    headers: dict[str, list[Dataset]] = {}
    others: dict[str, None] = {}
    for source in _sources(path):
        header = _header(source)
        if header is None:
            continue
        if not _is_image(header, path):
            others[class_name(header)] = None
            continue
        uid = text(header, "SeriesInstanceUID")
        sources.setdefault(uid, []).append(source)
        headers.setdefault(uid, []).append(header)
    if not sources:
        received = f"only {', '.join(others)}" if others else "no DICOM file"
        raise VolumeError(f"{path}: a scan must hold DICOM images. Received: {received}. Choose a series of images.")
    found = [Series(uid, tuple(sources[uid]), tuple(headers[uid])) for uid in sources]
    return sorted(found, key=lambda series: (series.number is None, series.number or 0, series.uid))


def choose_series(found: Sequence[Series], path: Path, choice: str | None) -> Series:
    """Return the one series, or the one of several that is chosen by number or UID.

    Args:
        found: at least one series.
        path: where they are, for messages.
        choice: a Series Number or a Series Instance UID; None where there is only one.

    Raises:
        VolumeError: there are several and none is chosen, or the choice fits none or several.
    """
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


def _sources(path: Path) -> Iterator[Source]:
    """Yield the files below a folder, the members of a .zip, or the file itself, sorted by name."""
    if path.is_dir():
        yield from (Source(each) for each in sorted(path.rglob("*")) if each.is_file())
    elif not path.is_file():
        raise VolumeError(f"{path} does not exist; check the path.")
    elif zipfile.is_zipfile(path):
        yield from (Source(path, name) for name in _members(path))
    else:
        yield Source(path)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise VolumeError(
            f"{path}: a .zip must be intact. Received: {_reason(error)}. Copy it again from its source."
        ) from error


def _header(source: Source) -> Dataset | None:
    """Return the data set of a file without its pixels; None for a file that is no DICOM object."""
    head = source.read(HEAD_BYTES)
    if not looks_like_dicom(head):
        return None
    try:
        header = parsed(source.read(), pixels=False)
        if "SOPClassUID" not in header:
            raise VolumeError(DAMAGED.format(path=source.path, what="no SOP Class UID"))
    except VolumeError:
        # A slice lost in silence would be a hole in the scan; another format that happens to begin alike is no loss.
        if has_magic(head):
            raise
        return None
    return None if text(header, "SOPClassUID") == DIRECTORY_CLASS else header


def _is_image(header: Dataset, path: Path) -> bool:
    if (number(header, "Rows") or 0) > 0 and (number(header, "Columns") or 0) > 0:
        return True
    # The file says its class twice: what one place lost may be in the other.
    stated = (UID(text(header, "SOPClassUID")), UID(text(header.file_meta, "MediaStorageSOPClassUID")))
    if any(uid in IMAGE_CLASSES or (uid.startswith(STANDARD_ROOT) and uid.name == uid) for uid in stated):
        raise VolumeError(DAMAGED.format(path=path, what="an image without rows and columns"))
    return False


def _reason(error: Exception) -> str:
    """Return why, in words that name no file."""
    return getattr(error, "strerror", None) or type(error).__name__
