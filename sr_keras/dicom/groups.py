"""Several volumes in one series: time points, echoes, diffusion weightings, magnitude and phase."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from sr_keras.dicom.frames import Frame, lookup
from sr_keras.dicom.grid import SAME_POSITION
from sr_keras.dicom.parsing import text
from sr_keras.errors import VolumeError

# What tells volumes of one series apart, in the order of trial: name, functional group, attribute.
DISCRIMINATORS = (
    ("echo", "MREchoSequence", "EffectiveEchoTime"),
    ("echo", "", "EchoTime"),
    ("image type", "MRImageFrameTypeSequence", "FrameType"),
    ("image type", "", "ImageType"),
    ("time point", "FrameContentSequence", "TemporalPositionIndex"),
    ("time point", "", "TemporalPositionIdentifier"),
    ("diffusion weighting", "MRDiffusionSequence", "DiffusionBValue"),
    ("trigger time", "", "TriggerTime"),
    ("inversion time", "", "InversionTime"),
    ("acquisition", "", "AcquisitionNumber"),
    ("acquisition time", "", "AcquisitionTime"),
)


def one_group(frames: Sequence[Frame], source: str, choice: int | None) -> list[Frame]:
    """Return the frames of one volume: all, or the group that is chosen where positions occur several times.

    Args:
        frames: parallel slices.
        source: what messages call the scan.
        choice: the group's number, from 1; None where there is only one.

    Raises:
        VolumeError: there are several groups and none is chosen, or there is none of that number.
    """
    kind, groups = frame_groups(frames, source)
    if choice is None and len(groups) == 1:
        return groups[0]
    if choice is None:
        raise VolumeError(
            f"{source}: a scan must be one volume. Received: {len(groups)} groups of slices at the same positions, "
            f"told apart by {kind}. Choose one with --frame-group 1 to {len(groups)}."
        )
    if not 1 <= choice <= len(groups):
        raise VolumeError(
            f"{source}: --frame-group must name a group of slices that is there. Received: {choice}. "
            f"Choose a number from 1 to {len(groups)}."
        )
    return groups[choice - 1]


def frame_groups(frames: Sequence[Frame], source: str) -> tuple[str, list[list[Frame]]]:
    """Return the volumes of a series, each a group of frames, and how they are told apart.

    Args:
        frames: parallel slices.
        source: what messages call the scan.

    Raises:
        VolumeError: all slices lie at one position.
    """
    counts = Counter(_positions(frames))
    if len(counts) == 1 and len(frames) > 1:
        raise VolumeError(
            f"{source}: the slices of a scan must lie side by side. Received: {len(frames)} slices at one position, "
            "as in bolus tracking. Choose a series that is a volume."
        )
    return ("volume", [list(frames)]) if max(counts.values()) == 1 else _groups(frames)


def _groups(frames: Sequence[Frame]) -> tuple[str, list[list[Frame]]]:
    """Return how frames at the same positions are told apart, and the groups.

    The first attribute counts that makes as few groups as can be, with no position twice in one; where there is none,
    an enhanced object's dimension indices do, and else the order in which the slices were made. Where positions occur
    unequally often then, one group of all remains, and the duplicates are refused later.
    """
    ordered = sorted(frames, key=lambda frame: frame.order)
    fewest = max(Counter(_positions(frames)).values())
    for kind, sequence, keyword in DISCRIMINATORS:
        groups = _split(ordered, lambda frame, s=sequence, k=keyword: _value(frame, s, k))  # type: ignore[misc]
        if len(groups) == fewest and all(len(set(_positions(group))) == len(group) for group in groups):
            return kind, groups
    indices = _indices(ordered)
    groups = _split(ordered, lambda frame: indices[id(frame)])
    if len(groups) == fewest and all(len(set(_positions(group))) == len(group) for group in groups):
        return "dimension indices", groups
    ranks = _ranks(ordered)
    groups = _split(ordered, lambda frame: ranks[id(frame)])
    if len({len(group) for group in groups}) == 1:
        return "the order of instances", groups
    return "volume", [list(frames)]


def _indices(frames: Sequence[Frame]) -> dict[int, Hashable]:
    """Return the dimension indices of frames, by identity, without that of the place in the stack."""
    contents = [lookup(frame.header, frame.index, "FrameContentSequence") for frame in frames]
    values = [text(content, "DimensionIndexValues").split("\\") for content in contents]
    places = [text(content, "InStackPositionNumber") for content in contents]
    width = min(len(each) for each in values)
    kept = [c for c in range(width) if any(each[c] != place for each, place in zip(values, places, strict=True))]
    return {id(frame): tuple(each[c] for c in kept) for frame, each in zip(frames, values, strict=True)}


def _ranks(frames: Sequence[Frame]) -> dict[int, int]:
    """Return, by identity, how many frames at a frame's position come before it."""
    seen: Counter[Hashable] = Counter()
    ranks = {}
    for frame, position in zip(frames, _positions(frames), strict=True):
        ranks[id(frame)] = seen[position]
        seen[position] += 1
    return ranks


def _value(frame: Frame, sequence: str, keyword: str) -> str:
    return text(lookup(frame.header, frame.index, sequence) if sequence else frame.header, keyword)


def _split(frames: Sequence[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[key(frame)].append(frame)
    return list(groups.values())


def _positions(frames: Sequence[Frame]) -> list[Hashable]:
    """Return positions as keys that are equal where slices lie at the same place."""
    return [tuple(np.rint(frame.position / (10 * SAME_POSITION)).astype(int).tolist()) for frame in frames]
