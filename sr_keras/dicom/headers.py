"""What the files of a scan say of themselves, read without their pixels."""

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage, MRImageStorage

from sr_keras.dicom.frames import MOST_FRAMES
from sr_keras.dicom.parsing import has_magic, looks_like_dicom, number, parsed, parsed_before_frames, text
from sr_keras.dicom.sources import Source
from sr_keras.errors import VolumeError

# The class of DICOMDIR, which only lists other files; it stands in the file meta information alone.
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
IMAGE_CLASSES = (CTImageStorage, MRImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage)
# UIDs of the standard itself: what begins so and is not known was cut off.
STANDARD_ROOT = "1.2.840.10008."
# What nothing but DICOM is called.
SUFFIXES = (".dcm", ".dicom", ".ima")
# No deflated file is smaller than its content by a greater factor.
DEFLATE_RATIO = 1032
# Bytes of a compressed frame: the head of an item, and two of it.
SMALLEST_FRAME = 10
DAMAGED = "{path}: every DICOM file must be whole. Received: {what}. Copy the scan again from its source."


def header_of(source: Source, head: bytes) -> tuple[Dataset, int] | None:
    """Return the data set of a file without its pixels, and where these begin; None for a file that is no DICOM object.

    Args:
        source: the file.
        head: its first bytes.

    Returns:
        The data set, and the bytes before the element of the pixel data; 0 where that is not known.

    Raises:
        VolumeError: it is DICOM, and damaged.
    """
    if not looks_like_dicom(head):
        return None
    try:
        with source.beginning() as file:
            header, described = parsed_before_frames(file)
            most = source.size * (DEFLATE_RATIO if file.deflated else 1)
            place = 0 if file.deflated or described else file.tell()
        if described:
            _check_claims(header, most, source)
            with source.beginning() as file:
                header = parsed(file, pixels=False)
        if "SOPClassUID" not in header and not is_directory(header):
            raise VolumeError(DAMAGED.format(path=source.label, what="no SOP Class UID"))
    except VolumeError as error:
        # A slice lost in silence would be a hole in the scan; another format that happens to begin alike is no loss.
        if has_magic(head):
            raise _named(error, source) from error
        return None
    return header, place


def _named(error: VolumeError, source: Source) -> VolumeError:
    """Return an error that names the file, which what parses it does not know."""
    said = str(error)
    return error if said.startswith(str(source.path)) else VolumeError(f"{source.label}: {said[0].lower()}{said[1:]}")


def is_directory(header: Dataset) -> bool:
    """Say whether an object is a DICOMDIR."""
    return DIRECTORY_CLASS in (text(header, "SOPClassUID"), text(header.file_meta, "MediaStorageSOPClassUID"))


def is_image(header: Dataset, source: Source) -> bool:
    """Say whether an object has rows and columns.

    Raises:
        VolumeError: it has not, and should.
    """
    if (number(header, "Rows") or 0) > 0 and (number(header, "Columns") or 0) > 0:
        return True
    # The file says its class twice: what one place lost may be in the other.
    stated = (UID(text(header, "SOPClassUID")), UID(text(header.file_meta, "MediaStorageSOPClassUID")))
    if any(uid in IMAGE_CLASSES or (uid.startswith(STANDARD_ROOT) and uid.name == uid) for uid in stated):
        raise VolumeError(DAMAGED.format(path=source.label, what="an image without rows and columns"))
    return False


def lost_slice(others: Iterable[tuple[Source, bytes]], sources: Iterable[Source]) -> str:
    """Return what became of a slice of a series, in a few words: a file among others of the series that is no DICOM.

    Args:
        others: the files that are no DICOM objects, with their first bytes.
        sources: the files of the series.

    Returns:
        "" where no such file seems to be a slice: the others have other names, or content of their own.
    """
    kinds = {(source.folder, _suffix(source)) for source in sources}
    for other, head in others:
        # A copy that was broken off leaves nothing, or the zeros that a file begins with or was to be overwritten.
        empty = not head.strip(b"\0")
        if (other.folder, _suffix(other)) in kinds and (empty or _suffix(other) in SUFFIXES):
            return f"{other.name}, {'an empty file' if empty else 'which is no DICOM'}"
    return ""


def _suffix(source: Source) -> str:
    name, dot, suffix = source.name.rpartition(".")
    # Names such as IM.0001 and 1.2.840.4 end in numbers.
    return f".{suffix.lower()}" if name and dot and not suffix.isdigit() else ""


def _check_claims(header: Dataset, most: int, source: Source) -> None:
    """Refuse an object that describes more frames than its file can hold, before the descriptions are read.

    Raises:
        VolumeError: it does.
    """
    frames = number(header, "NumberOfFrames") or 1
    pixels = (number(header, "Rows") or 0) * (number(header, "Columns") or 0)
    compressed = header.file_meta.TransferSyntaxUID.is_compressed
    least = SMALLEST_FRAME if compressed else pixels * (number(header, "BitsAllocated") or 0) / 8
    if frames * least > most or frames > MOST_FRAMES:
        raise VolumeError(DAMAGED.format(path=source.label, what=f"{frames:.0f} frames in a file with fewer"))
