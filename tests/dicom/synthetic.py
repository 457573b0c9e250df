"""DICOM objects made in memory, as small as they can be, with a patient whose name must never be seen in a message."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

PATIENT = "Zyxwvut^Quentin"
ROWS, COLUMNS, SLICES = 32, 36, 5


def voxels(rows: int = ROWS, columns: int = COLUMNS, slices: int = SLICES) -> np.ndarray:
    """Stored values (slice, row, column), 0 to 4000, no two slices or directions alike."""
    k, j, i = np.meshgrid(range(slices), range(rows), range(columns), indexing="ij")
    return (500 * k + 90 * j + 7 * i * i) % 4000


def common(modality: str) -> Dataset:
    """What every object of a series shares."""
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PATIENT, "Q-4711", "19500101"
    dataset.PatientSex = dataset.AccessionNumber = dataset.ReferringPhysicianName = (
        dataset.PositionReferenceIndicator
    ) = ""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20200101", "120000", "1"
    dataset.Modality, dataset.SeriesNumber, dataset.SeriesDescription = modality, 4, "axial"
    dataset.Manufacturer, dataset.PatientPosition = "Maker", "HFS"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    return dataset


def set_pixels(dataset: Dataset, stored: np.ndarray) -> None:
    """Set 16-bit or 8-bit pixels, signed as the array is."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = stored.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def seal(dataset: Dataset, sop_class: str) -> Dataset:
    """Give an object its identity and its file meta information."""
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def classic(modality: str = "CT", dtype: type = np.int16, slices: int = SLICES) -> list[Dataset]:
    """Single-frame objects, 2.5 mm apart upwards, pixels of 0.5 (columns) by 0.75 mm (rows), CT with -1024."""
    shared, stored = common(modality), voxels(slices=slices).astype(dtype)
    datasets = []
    for k in range(slices):
        dataset = Dataset()
        dataset.update(shared)
        set_pixels(dataset, stored[k])
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-10, -20, 30 + 2.5 * k], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.SliceThickness, dataset.SliceLocation = [0.75, 0.5], 3, 30 + 2.5 * k
        if modality == "CT":
            dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
            dataset.KVP, dataset.AcquisitionNumber = "120", 1
        else:
            dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
            dataset.MRAcquisitionType, dataset.EchoTime, dataset.EchoTrainLength = "2D", 10, 1
            dataset.RepetitionTime = 500
        dataset.WindowCenter, dataset.WindowWidth = 40, 400
        datasets.append(seal(dataset, CTImageStorage if modality == "CT" else MRImageStorage))
    return datasets


def enhanced(slices: int = SLICES, times: int = 1) -> Dataset:
    """An enhanced MR object with a slope of 2, the frames of each time point from the top down."""
    dataset = common("MR")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    stored = voxels(slices=slices).astype(np.uint16)[::-1]
    set_pixels(dataset, np.concatenate([stored + time for time in range(times)]))
    dataset.NumberOfFrames, dataset.InstanceNumber = slices * times, 1
    shared, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.75, 0.5], 2.5
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 2, 0, "US"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.PixelValueTransformationSequence = [values]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(time, k) for time in range(times) for k in reversed(range(slices))
    ]
    return seal(dataset, EnhancedMRImageStorage)


def save(datasets: list[Dataset], folder: Path) -> Path:
    """Write objects into a folder, made if need be, the last first."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(reversed(datasets)):
        dcmwrite(folder / f"{number:03}.dcm", dataset, enforce_file_format=True)
    return folder


def _frame(time: int, k: int) -> Dataset:
    frame, content, position = Dataset(), Dataset(), Dataset()
    content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", k + 1, time + 1
    content.DimensionIndexValues = [1, k + 1, time + 1]
    position.ImagePositionPatient = [-10, -20, 30 + 2.5 * k]
    frame.FrameContentSequence, frame.PlanePositionSequence = [content], [position]
    return frame
