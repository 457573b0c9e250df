"""One frame: a slice's attributes, the same whether it is a file of its own or part of a multi-frame object."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from sr_keras.dicom.parsing import class_name, items, number, numbers
from sr_keras.errors import VolumeError

PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
# More frames than any scan has: a damaged count must not become a loop without end.
MOST_FRAMES = 65535

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """A slice before its pixels are decoded.

    Attributes:
        header: the data set of its file, without pixel data.
        file: which of the series' files it is in.
        index: which frame of the file, from 0.
        position: Image Position (Patient), the centre of the first pixel, mm, LPS.
        row: unit vector along a row, in which the column index grows, LPS.
        column: unit vector down a column, in which the row index grows, LPS.
        spacing: between columns and between rows, in mm: the order (i, j), not that of Pixel Spacing.
        slope: Rescale Slope.
        intercept: Rescale Intercept.
    """

    header: Dataset = field(repr=False)
    file: int
    index: int
    position: Vector
    row: Vector
    column: Vector
    spacing: tuple[float, float]
    slope: float
    intercept: float

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows."""
        return int(self.header.Columns), int(self.header.Rows)

    @property
    def normal(self) -> Vector:
        """Unit vector row x column, LPS."""
        return np.cross(self.row, self.column)

    @property
    def name(self) -> str:
        """What a message calls it: its Instance Number and acquisition, or its frame number in a multi-frame object."""
        if PER_FRAME in self.header:
            return f"frame {self.index + 1}"
        instance, acquisition = number(self.header, "InstanceNumber"), number(self.header, "AcquisitionNumber")
        name = "a slice without a number" if instance is None else f"slice {instance:.0f}"
        return name if acquisition is None else f"{name} (acquisition {acquisition:.0f})"

    @property
    def order(self) -> tuple[float, int]:
        """Sorts frames by when they were made: Instance Number, then frame."""
        return number(self.header, "InstanceNumber") or 0.0, self.index


def frames_of(headers: Sequence[Dataset], source: str) -> list[Frame]:
    """Return the frames of a series' files.

    Args:
        headers: one data set for each file, without pixel data.
        source: what messages call the scan.

    Raises:
        VolumeError: a frame has no usable position, orientation or spacing, or the number of frames is wrong.
    """
    return [
        _frame(header, file, index, source)
        for file, header in enumerate(headers)
        for index in range(_frame_count(header, source))
    ]


def lookup(header: Dataset, index: int, sequence: str) -> Dataset:
    """Return where the attributes of a functional group are: per frame, shared, or at the top of a classic object."""
    for place, number_in_place in ((PER_FRAME, index), (SHARED, 0)):
        groups = header.get(place)
        if groups and len(groups) > number_in_place and (found := items(groups[number_in_place], sequence)):
            return found[0]
    return header


def _frame_count(header: Dataset, source: str) -> int:
    count = number(header, "NumberOfFrames")
    groups = len(items(header, PER_FRAME))
    if count is None:
        count = float(groups or 1)
    if not 1 <= count <= MOST_FRAMES or count != int(count) or (PER_FRAME in header and groups != count):
        raise VolumeError(
            f"{source}: a multi-frame object must describe each of its frames. "
            f"Received: {count:.6g} frames, {groups} descriptions. Export the series again."
        )
    if count > 1 and not groups:
        raise VolumeError(
            f"{source}: a multi-frame object must say where each frame lies. Received: {int(count)} frames of "
            f"{class_name(header)} without functional groups. "
            "Export single-frame or enhanced objects."
        )
    return int(count)


def _frame(header: Dataset, file: int, index: int, source: str) -> Frame:
    position = numbers(lookup(header, index, "PlanePositionSequence"), "ImagePositionPatient", 3)
    orientation = numbers(lookup(header, index, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
    spacing = numbers(lookup(header, index, "PixelMeasuresSequence"), "PixelSpacing", 2)
    values = lookup(header, index, "PixelValueTransformationSequence")
    slope, intercept = number(values, "RescaleSlope"), number(values, "RescaleIntercept")
    missing = {"position": position, "orientation": orientation, "pixel spacing": spacing}
    if position is None or orientation is None or spacing is None or min(spacing) <= 0:
        absent = next((name for name, value in missing.items() if value is None), "pixel spacing above zero")
        raise VolumeError(
            f"{source}: every slice must have a position, an orientation and a pixel spacing. "
            f"Received: frame {index + 1} of instance {number(header, 'InstanceNumber') or 0:.0f} without a usable "
            f"{absent}. Export the series again, as original images."
        )
    return Frame(
        header,
        file,
        index,
        np.asarray(position),
        *_directions(orientation, source),
        (spacing[1], spacing[0]),
        1.0 if slope is None or slope == 0 else slope,
        0.0 if intercept is None else intercept,
    )


# Direction cosines in files have six digits or so; what is off by more than this was never a rotation.
DIRECTION_TOLERANCE = 1e-2


def _directions(orientation: tuple[float, ...], source: str) -> tuple[Vector, Vector]:
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(row @ column))) > DIRECTION_TOLERANCE:
        raise VolumeError(
            f"{source}: rows and columns must have perpendicular directions of length 1. "
            f"Received: the orientation {list(orientation)}. Export the series again."
        )
    return row / lengths[0], column / lengths[1]
