"""What every derived object has in common, classic or enhanced: identity, provenance, flags."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    generate_uid,
)

from sr_keras.dicom.frames import Frame
from sr_keras.dicom.grid import ras_affine
from sr_keras.dicom.parsing import number, text
from sr_keras.dicom.provenance import (
    DERIVATION,
    Processing,
    coded,
    derivation,
    equipment,
    series_description,
    source_references,
)
from sr_keras.dicom.reading import DicomHeader
from sr_keras.dicom.storage import Storage, storage_for
from sr_keras.volumes.volume import Volume

IMPLEMENTATION_NAME = "SR_KERAS"
# Repeating groups of curves and overlays, which lie over the old pixel matrix.
OVERLAID_GROUPS = (0x5000, 0x6000)
# A series number holds 12 digits at most, and PACS read it as a signed 32-bit integer.
LARGEST_SERIES_NUMBER = (1 << 31) - 1
OUTDATED = (
    "ConcatenationFrameOffsetNumber",
    "ConcatenationUID",
    "DataSetTrailingPadding",
    "DigitalSignaturesSequence",
    "ImagesInAcquisition",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "MACParametersSequence",
    "SOPInstanceUIDOfConcatenationSource",
)
LOSSY_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
}


@dataclass(frozen=True, eq=False)
class Task:
    """What the writers need, worked out once for a series.

    Attributes:
        volume: what to write, (i, j, k) = (column, row, slice), real units.
        like: the volume read from DICOM that it was made of.
        processing: what was done.
        series_uid: of the new series.
        storage: how values are stored.
        now: when the series is made.
    """

    volume: Volume
    like: Volume
    processing: Processing
    series_uid: str
    storage: Storage
    now: datetime

    @property
    def source(self) -> DicomHeader:
        """Where the source came from."""
        header: DicomHeader = self.like.header
        return header

    @property
    def step(self) -> float:
        """New over old spacing of slices."""
        return self.volume.spacing[2] / self.like.spacing[2]

    def position(self, k: int) -> list[float]:
        """Return Image Position (Patient) of a new slice: mm, LPS."""
        affine = ras_affine(self.volume.affine)
        return [float(value) for value in affine[:3, 3] + k * affine[:3, 2]]

    def orientation(self) -> list[float]:
        """Return Image Orientation (Patient)."""
        affine = ras_affine(self.volume.affine)
        row, column = (affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (0, 1))
        return [float(value) for value in (*row, *column)]

    def place(self, k: int) -> float:
        """Return where the centre of a new slice lies among the source's, as a fractional index."""
        return float((np.linalg.inv(self.like.affine) @ self.volume.affine @ [0, 0, k, 1])[2])

    def nearest(self, k: int) -> Frame:
        """Return the source slice next to a new one."""
        return self.source.frames[int(np.clip(round(self.place(k)), 0, len(self.source.frames) - 1))]

    def neighbours(self, k: int) -> list[Frame]:
        """Return the source slices on both sides of a new one, or the one at its place."""
        place = round(self.place(k), 3)
        last = len(self.source.frames) - 1
        low, high = (int(np.clip(value, 0, last)) for value in (np.floor(place), np.ceil(place)))
        return list(self.source.frames[low : high + 1])


def new_task(volume: Volume, like: Volume, processing: Processing) -> Task:
    """Return the task of writing a volume as a new series."""
    return Task(volume, like, processing, generate_uid(), storage_for(volume, like), datetime.now())


def derived_dataset(header: Dataset, task: Task) -> Dataset:
    """Return a copy of a source's data set as one of the new series: patient, study and frame of reference kept."""
    dataset = deepcopy(header)
    _remove_outdated(dataset)
    dataset.SOPInstanceUID = generate_uid()
    _set_series(dataset, task)
    _set_times(dataset, task.now)
    _set_lossy(dataset, header, task.source.compression)
    dataset.ImageType = derived_type(text(header, "ImageType"))
    dataset.ContributingEquipmentSequence = [
        *(dataset.get("ContributingEquipmentSequence") or []),
        equipment(task.processing, task.now),
    ]
    dataset.file_meta = _file_meta(dataset)
    return dataset


def describe_derivation(dataset: Dataset, task: Task, frames: Sequence[Frame]) -> None:
    """Set what was done, in words and code, and to which images."""
    dataset.DerivationDescription = derivation(task.volume, task.like, task.processing)
    dataset.DerivationCodeSequence = [coded(DERIVATION)]
    dataset.SourceImageSequence = source_references(frames)


def derived_type(before: str, *, second: str = "SECONDARY") -> list[str]:
    """Return the source's image type with DERIVED in front, and `second` after it."""
    return ["DERIVED", second, *before.split("\\")[2:]]


def _remove_outdated(dataset: Dataset) -> None:
    """Remove private elements, which may describe the old pixels, and what lies over or signs them."""
    dataset.remove_private_tags()
    for tag in list(dataset.keys()):
        if tag.group & 0xFF00 in OVERLAID_GROUPS:
            del dataset[tag]
    for keyword in OUTDATED:
        if keyword in dataset:
            delattr(dataset, keyword)


def _set_series(dataset: Dataset, task: Task) -> None:
    before = number(dataset, "SeriesNumber") or 0
    after = int(before) * 100 + 1
    dataset.SeriesInstanceUID = task.series_uid
    dataset.SeriesNumber = after if 0 < after <= LARGEST_SERIES_NUMBER else 1
    description = text(dataset, "SeriesDescription")
    dataset.SeriesDescription = series_description(description, task.volume, task.like, task.processing)


def _set_times(dataset: Dataset, now: datetime) -> None:
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.SeriesDate = dataset.ContentDate = dataset.InstanceCreationDate = date
    dataset.SeriesTime = dataset.ContentTime = dataset.InstanceCreationTime = time


def _set_lossy(dataset: Dataset, header: Dataset, ratio: float) -> None:
    """Say whether the pixels ever went through lossy compression: once lossy, always lossy."""
    syntax = header.file_meta.TransferSyntaxUID
    if syntax in LOSSY_METHODS and text(header, "LossyImageCompression") != "01":
        dataset.LossyImageCompressionMethod = LOSSY_METHODS[syntax]
        dataset.LossyImageCompressionRatio = f"{max(ratio, 1.0):.2f}"
        dataset.LossyImageCompression = "01"
    elif text(header, "LossyImageCompression") != "01" and syntax not in JPEG2000TransferSyntaxes[1:]:
        dataset.LossyImageCompression = "00"


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    return meta
