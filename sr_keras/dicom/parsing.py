"""Read DICOM data sets from bytes that may be anything, without a word of what is in them reaching a log."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ImplicitVRLittleEndian

from sr_keras.errors import VolumeError

# A Part 10 file has its magic word here; objects from before Part 10 begin with an element of group 0002 or 0008.
MAGIC_OFFSET, MAGIC = 128, b"DICM"
BARE_STARTS = (b"\x02\x00", b"\x08\x00")
LOUD_LIBRARIES = ("jpeg_ls", "openjpeg", "pydicom", "pylibjpeg")
# What a description or a UID holds at most, in characters.
LONGEST_SHOWN = 64
# Deeper sequences than any standard object has; corrupted lengths can nest without end.
DEEPEST_SEQUENCE = 16
# Pixels of integers and of floats of 32 and 64 bits.
PIXELS = {0x7FE00010, 0x7FE00008, 0x7FE00009}
# Per-frame Functional Groups Sequence.
FRAMES = {0x52009230}
# What pixel data is decoded by.
DECODED_BY = (
    "SpecificCharacterSet",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "SOPClassUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
)


def looks_like_dicom(head: bytes) -> bool:
    """Say whether a file that begins with these bytes, at least 132 of them, may be DICOM."""
    return has_magic(head) or head[:2] in BARE_STARTS


def has_magic(head: bytes) -> bool:
    """Say whether a file that begins with these bytes, at least 132 of them, calls itself DICOM."""
    return head[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC


class File(Protocol):
    """What a data set is parsed from."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Return the current place."""


def parsed(file: File, *, pixels: bool) -> Dataset:
    """Parse a DICOM object and return the elements that can be understood.

    Args:
        file: at its beginning.
        pixels: whether to read the pixel data, and what is needed to decode it alone; else all but the pixel data.

    Raises:
        VolumeError: it is no DICOM object. The text says nothing of what is in it.
    """
    return _partly(file, None if pixels else _at_pixels, DECODED_BY if pixels else None)


def parsed_before_frames(file: File) -> tuple[Dataset, bool]:
    """Parse what stands before the pixel data and before descriptions of frames, and say whether there are any.

    The file is left where it stopped: at the element of the pixel data, where there are no descriptions.

    Args:
        file: at its beginning.

    Raises:
        VolumeError: as `parsed` does.
    """
    described = False

    def stop(tag: BaseTag, kind: str | None, length: int) -> bool:
        nonlocal described
        described = described or tag in FRAMES
        return described or _at_pixels(tag, kind, length)

    return _partly(file, stop, None), described


def _partly(
    file: File, stop: Callable[[BaseTag, str | None, int], bool] | None, keywords: Sequence[str] | None
) -> Dataset:
    with quiet(), no_surprises("It"):
        tags: list[BaseTag | int] | None = None if keywords is None else [Tag(keyword) for keyword in keywords]
        dataset = read_partial(cast(BinaryIO, file), stop, force=True, specific_tags=tags)
        # It would keep the file's bytes in memory.
        dataset.buffer = None
        _drop_unreadable(dataset)
        dataset.ensure_file_meta()
        if not dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        _drop_unreadable(dataset.file_meta)
        # Raises where it is absent or none of the standard's.
        _ = dataset.file_meta.TransferSyntaxUID.is_compressed
    return dataset


def _at_pixels(tag: BaseTag, kind: str | None, length: int) -> bool:  # noqa: ARG001 (pydicom gives all three)
    return tag in PIXELS


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings and logs of pydicom and its decoders: they quote values, maybe a patient's name."""
    loggers = [logging.getLogger(name) for name in LOUD_LIBRARIES]
    if all(logger.level > logging.CRITICAL for logger in loggers):
        # Within another one: to set levels again costs as much as to parse a small file.
        yield
        return
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def no_surprises(what: str) -> Iterator[None]:
    """Turn whatever pydicom or a decoder raises on damaged data into one error that quotes no value.

    Args:
        what: that could not be read, as the subject of a sentence.
    """
    try:
        yield
    except VolumeError:
        raise
    # Damaged elements surface as any built-in exception, wherever they are first looked at.
    except Exception as error:
        raise VolumeError(
            f"{what} must be an intact DICOM object. Received: data that cannot be read ({type(error).__name__}). "
            "Copy it again from its source."
        ) from None


def text(dataset: Dataset, keyword: str) -> str:
    """Return an attribute as text, several values joined by a backslash; "" where it is absent or empty."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    return "\\".join(map(str, value)) if _is_multiple(value) else str(value)


def shown(value: str, otherwise: str) -> str:
    """Return a short text for a message; `otherwise` for one that a damaged length may have run into its neighbours."""
    return value if 0 < len(value) <= LONGEST_SHOWN and value.isprintable() else otherwise


def class_name(dataset: Dataset) -> str:
    """Return the standard's name of an object's class."""
    uid = UID(text(dataset, "SOPClassUID"))
    return "an unknown object" if uid.name == uid else uid.name


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return an attribute of `count` finite numbers; None where it is absent or anything else."""
    value = dataset.get(keyword)
    if value is None:
        return None
    try:
        values = tuple(float(item) for item in value) if _is_multiple(value) else (float(value),)
    except (TypeError, ValueError, OverflowError):
        return None
    return values if len(values) == count and all(abs(item) < float("inf") for item in values) else None


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return an attribute of one finite number; None where it is absent or anything else."""
    values = numbers(dataset, keyword, 1)
    return None if values is None else values[0]


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is absent or no sequence."""
    value = dataset.get(keyword)
    return [item for item in value if isinstance(item, Dataset)] if _is_multiple(value) else []


def _is_multiple(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def _drop_unreadable(dataset: Dataset, depth: int = 0) -> None:
    """Remove elements whose value cannot be decoded: they can neither be used nor be written again."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            if element.VR == "SQ":
                if depth >= DEEPEST_SEQUENCE:
                    raise ValueError("nested too deep")
                for item in element.value:
                    _drop_unreadable(item, depth + 1)
        # As above: any built-in exception.
        except Exception:
            del dataset[tag]
