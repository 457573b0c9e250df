"""How an upsampled volume is stored in 16 bits, and the image pixel attributes that say so."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.valuerep import format_number_as_ds

from sr_keras.dicom.parsing import number
from sr_keras.dicom.pixels import encoding_of
from sr_keras.dicom.reading import DicomHeader
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.volume import Array, Volume

# What an object of 16 bits holds.
BITS = 16
LEVELS = (1 << BITS) - 1
# Attributes that hold stored values, or positions in the old pixel matrix: none of them holds for new pixels.
OUTDATED = (
    "IconImageSequence",
    "LargestImagePixelValueInPlane",
    "LargestPixelValueInSeries",
    "ModalityLUTSequence",
    "NumberOfFrames",
    "PixelAspectRatio",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "RealWorldValueMappingSequence",
    "SmallestImagePixelValueInPlane",
    "SmallestPixelValueInSeries",
    "VOILUTSequence",
)


@dataclass(frozen=True)
class Storage:
    """How real values become stored ones: stored * slope + intercept.

    Attributes:
        dtype: int16 or uint16.
        slope: as the file will say it.
        intercept: as the file will say it.
        padding: the stored value that stands for "nothing here", where that of the source still holds.
    """

    dtype: np.dtype[np.int16] | np.dtype[np.uint16]
    slope: float
    intercept: float
    padding: int | None = None

    @property
    def signed(self) -> bool:
        """Whether stored values are two's complement."""
        return self.dtype.kind == "i"

    def stored(self, voxels: Array) -> Array:
        """Return real values, (i, j, k), as stored ones, rounded and clipped."""
        return stored_values(voxels, self.dtype, self.slope, self.intercept)


def storage_for(volume: Volume, like: Volume) -> Storage:
    """Return how to store a volume: as its source was where one scaling held for all of it, else over its own range.

    Args:
        volume: what is to be stored, real units.
        like: the volume read from DICOM that it was made of.
    """
    source: DicomHeader = like.header
    first = source.frames[0]
    encoding = encoding_of(first.header, like.source)
    same = all((frame.slope, frame.intercept) == (first.slope, first.intercept) for frame in source.frames)
    if same and source.integer and encoding.bits <= BITS and source.mirror is None:
        dtype = np.dtype(np.int16) if encoding.signed else np.dtype(np.uint16)
        padding = encoding.padding
        kept = padding is not None and padding[0] * first.slope + first.intercept <= float(like.voxels.min())
        return Storage(dtype, first.slope, first.intercept, padding[0] if padding is not None and kept else None)
    least, greatest = float(volume.voxels.min()), float(volume.voxels.max())
    slope = (greatest - least) / LEVELS if greatest > least else 1.0
    return Storage(np.dtype(np.uint16), float(decimal(slope)), float(decimal(least)))


def decimal(value: float) -> str:
    """Return a number as a DICOM decimal string: 16 characters at most, as precise as they allow."""
    return format_number_as_ds(float(value))


def set_pixel_format(dataset: Dataset, storage: Storage, source: DicomHeader) -> None:
    """Set the attributes that say how pixels are stored, and remove those that no longer hold."""
    for keyword in OUTDATED:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SamplesPerPixel = 1
    if source.mirror is not None:
        dataset.PhotometricInterpretation = "MONOCHROME2"
        if "PresentationLUTShape" in dataset:
            dataset.PresentationLUTShape = "IDENTITY"
    dataset.BitsAllocated = dataset.BitsStored = BITS
    dataset.HighBit = BITS - 1
    dataset.PixelRepresentation = int(storage.signed)
    if storage.padding is not None:
        dataset.add_new("PixelPaddingValue", "SS" if storage.signed else "US", storage.padding)


def set_range(dataset: Dataset, stored: Array, storage: Storage) -> None:
    """Set the least and the greatest stored value."""
    representation = "SS" if storage.signed else "US"
    dataset.add_new("SmallestImagePixelValue", representation, int(stored.min()))
    dataset.add_new("LargestImagePixelValue", representation, int(stored.max()))


def set_rescale(dataset: Dataset, storage: Storage) -> None:
    """Set slope and intercept; an object without them, which MR allows, gets them only where they do something."""
    if "RescaleSlope" in dataset or (storage.slope, storage.intercept) != (1.0, 0.0):
        dataset.RescaleSlope, dataset.RescaleIntercept = decimal(storage.slope), decimal(storage.intercept)
        if not dataset.get("RescaleType"):
            dataset.RescaleType = "US"


def mirror_window(dataset: Dataset, mirror: float | None) -> None:
    """Move the window centre to where a mirrored image has the same tissue."""
    centre = number(dataset, "WindowCenter")
    if mirror is None:
        return
    if centre is not None:
        dataset.WindowCenter = decimal(mirror - centre)
    elif "WindowCenter" in dataset:
        del dataset.WindowCenter
        dataset.pop("WindowWidth", None)


def pixel_bytes(stored: npt.NDArray[np.generic]) -> bytes:
    """Return stored values, (i, j) or (i, j, k), as the bytes of Pixel Data: little-endian, rows of each frame."""
    return stored.T.astype(stored.dtype.newbyteorder("<")).tobytes()
