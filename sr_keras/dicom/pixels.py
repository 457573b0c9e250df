"""From stored pixels to a scan's own units: decoding, sign and unused bits, rescaling, MONOCHROME1, padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from sr_keras.dicom.decoding import Decoder
from sr_keras.dicom.frames import Frame
from sr_keras.dicom.parsing import no_surprises, number, parsed, quiet, text
from sr_keras.dicom.sources import Source
from sr_keras.dicom.streams import LARGEST_HEADER
from sr_keras.errors import MissingDependencyError, VolumeError
from sr_keras.resources import check_memory
from sr_keras.volumes.volume import Array

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# The first of these that holds all values is a volume's type: none so narrow that a sharper edge would not fit.
INTEGER_TYPES = (np.int16, np.uint16, np.int32)
# Compressions that pydicom itself undoes, without native code.
DECODED_HERE = (RLELossless,)
# How pixels lie in a file as they are, and the tag that they begin with.
PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
PIXEL_DATA = b"\xe0\x7f\x10\x00"
# A pixel in 32 bits, and a copy of it.
BYTES_PER_PIXEL = 8
INSTALL = "Install the decoders: pip install pylibjpeg pylibjpeg-openjpeg pyjpegls python-gdcm."


@dataclass(frozen=True)
class Encoding:
    """How the pixels of a data set are stored.

    Attributes:
        bits: Bits Stored.
        signed: whether Pixel Representation says two's complement.
        padding: the least and the greatest stored value that stand for "nothing here"; None where there is none.
    """

    bits: int
    signed: bool
    padding: tuple[int, int] | None

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest stored value."""
        return (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)


def encoding_of(header: Dataset, source: str) -> Encoding:
    """Return how the pixels of a data set are stored.

    Raises:
        VolumeError: the bits are none that an image can have.
    """
    allocated, bits = number(header, "BitsAllocated"), number(header, "BitsStored")
    if allocated in (32, 64) and bits is None:
        bits = allocated
    if allocated not in (8, 16, 32, 64) or bits is None or not 1 <= bits <= allocated or bits != int(bits):
        raise VolumeError(
            f"{source}: pixels must have 1 to 32 of 8, 16 or 32 bits, or be floats. "
            f"Received: {bits or 0:.0f} of {allocated or 0:.0f} bits. Export the series again."
        )
    signed = number(header, "PixelRepresentation") == 1
    return Encoding(int(bits), signed, _padding(header, signed))


def stored_pixels(place: Source, header: Dataset, decoder: Decoder, source: str) -> tuple[str, Array]:
    """Return the keyword of a file's pixels, and its stored values, (frames, rows, columns), integer or float.

    Args:
        place: the file.
        header: its data set without pixel data.
        decoder: decodes what only native code can.
        source: what messages call the scan.

    Raises:
        VolumeError: the pixel data is truncated, damaged or of an unknown kind, or larger than the image.
        MissingDependencyError: no installed library decodes it.
    """
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax not in DECODED_HERE and not _has_decoder(syntax):
        raise MissingDependencyError(f"{source}: compressed pixels need a decoder. Received: {syntax.name}. {INSTALL}")
    encoding = encoding_of(header, source)
    lengths = [number(header, keyword) or 1 for keyword in ("NumberOfFrames", "Rows", "Columns")]
    count = int(np.prod(lengths))
    check_memory(count * BYTES_PER_PIXEL, f"{source}: the pixels of one file")
    most = LARGEST_HEADER + count * BYTES_PER_PIXEL
    plain = _plain_pixels(place, header, lengths) if place.size <= most else None
    if plain is not None:
        return "PixelData", _without_unused_bits(plain, header, encoding)
    with place.whole(most) as file:
        native = syntax.is_compressed and syntax not in DECODED_HERE
        data = file.read(place.size) if native else b""
        dataset = parsed(BytesIO(data) if native else file, pixels=True)
    with quiet(), no_surprises(f"{source}: the pixel data of {place.name}"):
        pixels = decoder.decode(data, source) if native else np.asarray(dataset.pixel_array)
        pixels = pixels.reshape(-1, int(dataset.Rows), int(dataset.Columns))
    if syntax.is_compressed or pixels.dtype.kind == "f":
        return pixel_keyword(dataset), pixels
    return pixel_keyword(dataset), _without_unused_bits(pixels, dataset, encoding)


def _plain_pixels(place: Source, header: Dataset, lengths: Sequence[float]) -> Array | None:
    """Return integers that lie unpacked where the header ended, without parsing the file again; None for any others.

    Args:
        place: the file.
        header: its data set.
        lengths: frames, rows and columns.
    """
    syntax, allocated = header.file_meta.TransferSyntaxUID, number(header, "BitsAllocated")
    if not place.pixels or syntax not in PLAIN or allocated not in (8, 16) or "PixelRepresentation" not in header:
        return None
    kind = np.dtype(f"<{'i' if number(header, 'PixelRepresentation') == 1 else 'u'}{int(allocated) // 8}")
    shape = tuple(int(length) for length in lengths)
    size = int(np.prod(shape, dtype=object)) * kind.itemsize
    start = 8 if syntax == ImplicitVRLittleEndian else 12
    with place.open() as file:
        file.seek(place.pixels)
        element = file.read(start)
        # Files change while they are read, and some hold less or more than they should: they are parsed as a whole.
        if element[:4] != PIXEL_DATA or int.from_bytes(element[-4:], "little") not in (size, size + 1):
            return None
        data = file.read(size)
    return np.frombuffer(data, kind).reshape(shape) if len(data) == size else None


def voxels_of(stored: Array, frame: Frame) -> Array:
    """Return the stored values of one frame, (rows, columns), in real units, (i, j) = (column, row).

    Integers stay integers where slope and intercept are whole numbers and the slope is 1.
    """
    if frame.slope == 1 and float(frame.intercept).is_integer() and stored.dtype.kind in "iu":
        return stored.T if frame.intercept == 0 else stored.T.astype(np.int64) + int(frame.intercept)
    scaled: Array = stored.T.astype(np.float64) * frame.slope + frame.intercept
    return scaled


def volume_dtype(frames: Sequence[Frame], pixel_keyword: str) -> np.dtype[np.generic]:
    """Return the type that holds all values of the frames: int32, to be narrowed once they are known, or a float."""
    if pixel_keyword == "DoubleFloatPixelData":
        return np.dtype(np.float64)
    whole = all(frame.slope == 1 and float(frame.intercept).is_integer() for frame in frames)
    return np.dtype(np.int32) if whole and pixel_keyword == "PixelData" else np.dtype(np.float32)


def narrowed(voxels: Array) -> Array:
    """Return integer voxels in 16 bits where those hold them; others as they are."""
    if voxels.dtype.kind == "f":
        return voxels
    least, greatest = int(voxels.min()), int(voxels.max())
    for candidate in INTEGER_TYPES:
        if np.iinfo(candidate).min <= least and greatest <= np.iinfo(candidate).max:
            return voxels.astype(candidate)
    return voxels


def fill_padding(voxels: Array, padded: Array) -> None:
    """Set padded voxels that are brighter than any real one to the darkest real one, in place.

    Padding below all real values is dark already and stays as the scanner wrote it.

    Args:
        voxels: (i, j, k), real units.
        padded: (i, j, k), true where a voxel is padding.
    """
    if padded.any() and not padded.all():
        least = voxels[~padded].min()
        voxels[padded & (voxels > least)] = least


def mirror_of(frame: Frame, encoding: Encoding) -> float:
    """Return the sum of a MONOCHROME1 value and the value that shows the same brightness in MONOCHROME2, real units."""
    return frame.slope * sum(encoding.limits) + 2 * frame.intercept


def pixel_keyword(header: Dataset) -> str:
    """Return the keyword of the attribute that holds the pixels; "" where there is none."""
    return next((keyword for keyword in PIXEL_KEYWORDS if keyword in header), "")


def is_inverted(header: Dataset) -> bool:
    """Say whether the least value is meant to be shown white."""
    return text(header, "PhotometricInterpretation") == "MONOCHROME1"


def _without_unused_bits(pixels: Array, dataset: Dataset, encoding: Encoding) -> Array:
    """Drop bits outside those stored, where overlays may hide, and extend the sign."""
    width = pixels.dtype.itemsize * 8
    high = number(dataset, "HighBit")
    top = encoding.bits - 1 if high is None or not encoding.bits - 1 <= high < width else int(high)
    left, right = width - 1 - top, width - encoding.bits
    return pixels if right == 0 else (pixels << left) >> right


def _padding(header: Dataset, signed: bool) -> tuple[int, int] | None:
    """Return the range of padding, in the order of size."""
    one = _stored(header, "PixelPaddingValue", signed)
    if one is None:
        return None
    other = _stored(header, "PixelPaddingRangeLimit", signed)
    return (one, one) if other is None else (min(one, other), max(one, other))


def _stored(header: Dataset, keyword: str, signed: bool) -> int | None:
    """Return an attribute whose type follows Pixel Representation; files without types give its two bytes."""
    value = header.get(keyword)
    if isinstance(value, bytes):
        value = int.from_bytes(value[:2], "little")
    if not isinstance(value, int):
        return None
    return value - (1 << 16) if signed and value >= 1 << 15 else value


def _has_decoder(syntax: str) -> bool:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False
