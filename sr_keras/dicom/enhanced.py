"""Enhanced multi-frame CT and MR objects: one file for the series."""

from copy import deepcopy

from pydicom import Dataset
from pydicom.uid import generate_uid

from sr_keras.dicom.derived import Task, derived_dataset, derived_type, describe_derivation
from sr_keras.dicom.frames import PER_FRAME, SHARED, lookup
from sr_keras.dicom.parsing import items, number, text
from sr_keras.dicom.provenance import DERIVATION, coded, derivation, evidence, source_references
from sr_keras.dicom.storage import decimal, mirror_window, pixel_bytes, set_pixel_format, set_rescale

STACK = "1"
# The enhanced objects know no SECONDARY: PRIMARY is the only second value that the standard gives their image type.
SECOND_VALUE = "PRIMARY"
# What the standard keeps for acquired objects, and attributes of a plane that some scanners also write outside the
# functional groups, where they would be the old ones.
OUTDATED = (
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "LargestImagePixelValue",
    "MRAcquisitionType",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "SliceLocation",
    "SliceThickness",
    "SmallestImagePixelValue",
    "SpacingBetweenSlices",
)
# Functional groups that are made anew for each frame.
REMADE_GROUPS = (
    "DerivationImageSequence",
    "FrameContentSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "RealWorldValueMappingSequence",
)
FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence")


def enhanced_object(task: Task) -> Dataset:
    """Return the new series as one multi-frame object."""
    header = task.source.frames[0].header
    dataset = derived_dataset(header, task)
    describe_derivation(dataset, task, task.source.frames)
    dataset.ImageType = derived_type(text(header, "ImageType"), second=SECOND_VALUE)
    dataset.SourceImageEvidenceSequence = [evidence(task.source.frames)]
    for keyword in OUTDATED:
        dataset.pop(keyword, None)
    dataset.InstanceNumber = 1
    set_pixel_format(dataset, task.storage, task.source)
    dataset.Columns, dataset.Rows, dataset.NumberOfFrames = task.volume.shape
    _set_dimensions(dataset)
    # Some scanners write no groups that all frames share.
    dataset.SharedFunctionalGroupsSequence = [_shared(header, task)]
    dataset[PER_FRAME].value = [_per_frame(task, k) for k in range(task.volume.shape[2])]
    dataset.PixelData = pixel_bytes(task.storage.stored(task.volume.voxels))
    dataset["PixelData"].VR = "OW"
    return dataset


def _shared(header: Dataset, task: Task) -> Dataset:
    group = deepcopy(next(iter(items(header, SHARED)), Dataset()))
    _clear(group)
    group.PlaneOrientationSequence = [Dataset()]
    group.PlaneOrientationSequence[0].ImageOrientationPatient = [decimal(value) for value in task.orientation()]
    group.PixelMeasuresSequence = [_measures(header, task)]
    before = lookup(header, 0, "PixelValueTransformationSequence")
    group.PixelValueTransformationSequence = [_values(before, task)]
    return group


def _measures(header: Dataset, task: Task) -> Dataset:
    measures = Dataset()
    before = lookup(header, task.source.frames[0].index, "PixelMeasuresSequence")
    thickness = number(before, "SliceThickness") or number(header, "SliceThickness") or task.like.spacing[2]
    columns, rows, slices = task.volume.spacing
    measures.PixelSpacing = [decimal(rows), decimal(columns)]
    measures.SliceThickness = decimal(thickness * task.step)
    measures.SpacingBetweenSlices = decimal(slices)
    return measures


def _values(before: Dataset, task: Task) -> Dataset:
    values = Dataset()
    values.RescaleSlope = values.RescaleIntercept = "0"
    set_rescale(values, task.storage)
    values.RescaleType = text(before, "RescaleType") or ("HU" if task.like.modality == "CT" else "US")
    return values


def _per_frame(task: Task, k: int) -> Dataset:
    """Return the functional groups of new frame k: those of the nearest source frame, moved to its place."""
    frame = task.nearest(k)
    group = deepcopy(items(frame.header, PER_FRAME)[frame.index])
    content = deepcopy(next(iter(items(group, "FrameContentSequence")), Dataset()))
    _clear(group)
    content.StackID, content.InStackPositionNumber = STACK, k + 1
    content.DimensionIndexValues = [1, k + 1]
    content.remove_private_tags()
    position = Dataset()
    position.ImagePositionPatient = [decimal(value) for value in task.position(k)]
    group.FrameContentSequence, group.PlanePositionSequence = [content], [position]
    group.DerivationImageSequence = [_derivation(task, k)]
    for window in items(group, "FrameVOILUTSequence"):
        mirror_window(window, task.source.mirror)
    return group


def _clear(group: Dataset) -> None:
    """Remove what is made anew, and say of the rest that it is derived."""
    group.remove_private_tags()
    for keyword in REMADE_GROUPS:
        group.pop(keyword, None)
    for keyword in FRAME_TYPES:
        for item in items(group, keyword):
            item.FrameType = derived_type(text(item, "FrameType"), second=SECOND_VALUE)


def _derivation(task: Task, k: int) -> Dataset:
    item = Dataset()
    item.DerivationDescription = derivation(task.volume, task.like, task.processing)
    item.DerivationCodeSequence = [coded(DERIVATION)]
    item.SourceImageSequence = source_references(task.neighbours(k))
    return item


def _set_dimensions(dataset: Dataset) -> None:
    """Declare one dimension of stacks and one of slices in a stack."""
    organization = Dataset()
    organization.DimensionOrganizationUID = generate_uid()
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionOrganizationType = "3D"
    dataset.DimensionIndexSequence = [
        _dimension(organization.DimensionOrganizationUID, pointer) for pointer in (0x00209056, 0x00209057)
    ]


def _dimension(organization: str, pointer: int) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = 0x00209111
    return item
