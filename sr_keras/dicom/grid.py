"""The regular grid that a stack of slices forms, or why it forms none."""

from collections.abc import Sequence

import numpy as np

from sr_keras.dicom.frames import Frame, Vector
from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import Affine

# Turns LPS into RAS, or back.
FLIP_XY = np.diag([-1.0, -1.0, 1.0, 1.0])
# Fewer slices say nothing of whether their spacing is even.
FEWEST_SLICES = 3
# Direction cosines that differ by less than this are one orientation written with different rounding.
ORIENTATION_TOLERANCE = 1e-3
# Pixel spacings that differ by less than this fraction are one spacing written with different rounding.
PIXEL_SPACING_TOLERANCE = 1e-3
# A slice may lie this fraction of the spacing off its place in the regular stack: headers round to a tenth of a mm.
SPACING_TOLERANCE = 0.05
# Slices closer than this, in mm, lie at the same place.
SAME_POSITION = 1e-3
# The stack may lean by this many degrees: more is a tilted gantry, less is rounded positions.
TILT_TOLERANCE = 0.5


def check_planes(frames: Sequence[Frame], source: str) -> None:
    """Refuse slices that differ in orientation, pixel spacing or size.

    Raises:
        VolumeError: they do, naming the first slice that differs.
    """
    first = frames[0]
    for frame in frames[1:]:
        rotation = max(np.abs(frame.row - first.row).max(), np.abs(frame.column - first.column).max())
        if rotation > ORIENTATION_TOLERANCE:
            raise VolumeError(
                f"{source}: mixed orientations, {frame.name} is rotated against "
                f"{first.name} by {_angle(frame, first):.1f} degrees; choose one stack of parallel slices."
            )
        same = np.allclose(frame.spacing, first.spacing, rtol=PIXEL_SPACING_TOLERANCE, atol=0)
        if frame.shape != first.shape or not same:
            raise VolumeError(
                f"{source}: all slices must have one size and pixel spacing. Received: {_plane(frame)} in "
                f"{frame.name}, {_plane(first)} in {first.name}. Choose one stack of equal slices."
            )


def sorted_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return frames by their position along the slice normal."""
    return sorted(frames, key=lambda frame: _height(frame, frames[0]))


def check_stack(frames: Sequence[Frame], source: str) -> None:
    """Refuse sorted, parallel slices that are no evenly spaced, upright stack.

    Raises:
        VolumeError: too few slices, several at one position, missing ones, uneven spacing, or gantry tilt.
    """
    if len(frames) < FEWEST_SLICES:
        raise VolumeError(
            f"{source}: a scan must have at least {FEWEST_SLICES} slices, for their spacing to be known. "
            f"Received: {len(frames)}. Choose a series with more slices."
        )
    gaps = np.diff([_height(frame, frames[0]) for frame in frames])
    _check_duplicates(frames, gaps, source)
    faults = [*_tilt(frames), *_uneven(frames, gaps)]
    if faults:
        raise VolumeError(
            f"{source}: the slices must form a regular grid. Received: {'; '.join(faults)}. "
            "Choose an evenly spaced, untilted series, or resample this one first."
        )


def lps_affine(frames: Sequence[Frame]) -> Affine:
    """Return the affine of a stack that `check_stack` passes: voxel indices (column, row, slice) to mm, LPS.

    The slice axis is the normal, and its spacing the mean one.
    """
    first, last = frames[0], frames[-1]
    affine = np.eye(4)
    affine[:3, 0] = first.row * first.spacing[0]
    affine[:3, 1] = first.column * first.spacing[1]
    affine[:3, 2] = first.normal * (_height(last, first) / (len(frames) - 1))
    affine[:3, 3] = first.position
    return affine


def ras_affine(lps: Affine) -> Affine:
    """Return an affine to LPS as one to RAS+, or the other way round."""
    return FLIP_XY @ lps


def _check_duplicates(frames: Sequence[Frame], gaps: Vector, source: str) -> None:
    same = np.flatnonzero(gaps < SAME_POSITION)
    if same.size:
        one, other = frames[same[0]], frames[same[0] + 1]
        raise VolumeError(
            f"{source}: every slice must have a position of its own. Received: {one.name} and {other.name} at the same "
            f"position, and {same.size - 1} more such pairs. Remove copies, or choose a series that is one volume."
        )


def _tilt(frames: Sequence[Frame]) -> list[str]:
    path = frames[-1].position - frames[0].position
    height = float(path @ frames[0].normal)
    angle = np.degrees(np.arctan2(np.linalg.norm(path - height * frames[0].normal), height))
    return [f"a gantry tilt of {angle:.1f} degrees"] if angle > TILT_TOLERANCE else []


def _uneven(frames: Sequence[Frame], gaps: Vector) -> list[str]:
    usual = float(np.median(gaps))
    if np.allclose(gaps, usual, rtol=2 * SPACING_TOLERANCE, atol=0) and _drift(gaps) <= SPACING_TOLERANCE:
        return []
    worst = int(np.argmax(np.abs(gaps - usual)))
    between = f"between {frames[worst].name} and {frames[worst + 1].name}"
    lost = gaps[worst] / gaps.min() - 1
    if lost > 0.5 and np.allclose(gaps / gaps.min(), np.rint(gaps / gaps.min()), atol=SPACING_TOLERANCE):
        return [f"{round(lost)} missing slice{'s' if round(lost) > 1 else ''} {between}"]
    return [f"uneven spacing, {gaps.min():.4g} to {gaps.max():.4g} mm, {gaps[worst]:.4g} mm {between}"]


def _drift(gaps: Vector) -> float:
    """Return how far a slice lies off its place at most, as a fraction of the mean spacing."""
    places = np.concatenate([[0.0], np.cumsum(gaps)]) / gaps.mean()
    return float(np.abs(places - np.arange(len(places))).max())


def _height(frame: Frame, first: Frame) -> float:
    return float((frame.position - first.position) @ first.normal)


def _angle(one: Frame, other: Frame) -> float:
    cosines = [abs(float(one.normal @ other.normal)), float(one.row @ other.row)]
    return float(np.degrees(np.arccos(np.clip(min(cosines), -1.0, 1.0))))


def _plane(frame: Frame) -> str:
    columns, rows = frame.shape
    return f"{columns}x{rows} of {frame.spacing[0]:.4g}x{frame.spacing[1]:.4g} mm"
