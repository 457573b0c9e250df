"""Several volumes in one series: time points, echoes, diffusion weightings, magnitude and phase."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from sr_keras.dicom.frames import Frame, lookup
from sr_keras.dicom.grid import SAME_POSITION
from sr_keras.dicom.parsing import shown, text
from sr_keras.errors import VolumeError

# What tells volumes of one series apart, in the order of trial: name, functional group, attribute.
DISCRIMINATORS = (
    ("echo", "MREchoSequence", "EffectiveEchoTime"),
    ("echo", "", "EchoTime"),
    ("image type", "MRImageFrameTypeSequence", "FrameType"),
    ("image type", "MRImageFrameTypeSequence", "ComplexImageComponent"),
    ("image type", "", "ImageType"),
    ("time point", "FrameContentSequence", "TemporalPositionIndex"),
    ("time point", "", "TemporalPositionIdentifier"),
    ("diffusion weighting", "MRDiffusionSequence", "DiffusionBValue"),
    ("trigger time", "", "TriggerTime"),
    ("inversion time", "", "InversionTime"),
    ("acquisition", "", "AcquisitionNumber"),
    ("time", "FrameContentSequence", "FrameAcquisitionDateTime"),
    ("time", "", "AcquisitionTime"),
    ("time", "", "ContentTime"),
)
# Groups that a message lists before it leaves some out.
MOST_LISTED = 8


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
            f"told apart by {kind}: {_listing(groups)}. Choose one with --frame-group 1 to {len(groups)}."
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

    One attribute does it, or several, each of which divides the groups further, with no position twice in one. Where
    they do not, an enhanced object's dimension indices do, and else the order in which the slices were made. Where
    positions occur unequally often then, one group of all remains, and the duplicates are refused later.
    """
    ordered = sorted(frames, key=lambda frame: frame.order)
    fewest = max(Counter(_positions(frames)).values())
    values = {each: [_value(frame, *each[1:]) for frame in ordered] for each in DISCRIMINATORS}
    for (kind, *_), keys in values.items():
        groups = _split(ordered, keys)
        if len(groups) == fewest and _one_each(groups):
            return kind, groups
    kinds: list[str] = []
    labels: list[Hashable] = [()] * len(ordered)
    for (kind, *_), keys in values.items():
        finer: list[Hashable] = list(zip(labels, keys, strict=True))
        # One that tells every slice apart, as times may, tells no volumes apart.
        if len(set(labels)) < len(set(finer)) <= fewest:
            kinds, labels = [*kinds, kind], finer
    groups = _split(ordered, labels)
    if len(groups) == fewest and _one_each(groups):
        return " and ".join(dict.fromkeys(kinds)), groups
    groups = _split(ordered, _indices(ordered))
    if len(groups) == fewest and _one_each(groups):
        return "dimension indices", groups
    groups = _split(ordered, _ranks(ordered))
    if len({len(group) for group in groups}) == 1:
        return "the order of instances", groups
    return "volume", [list(frames)]


def _one_each(groups: Sequence[Sequence[Frame]]) -> bool:
    """Say whether no group has two slices at one position."""
    return all(len(set(_positions(group))) == len(group) for group in groups)


def _listing(groups: Sequence[Sequence[Frame]]) -> str:
    """Describe groups by echo, image type, time and whatever else their first slices differ in."""
    facts: list[list[str]] = [[] for _ in groups]
    seen: set[str] = set()
    for kind, sequence, keyword in DISCRIMINATORS:
        values = [_value(group[0], sequence, keyword) for group in groups]
        if kind not in seen and len(set(values)) > 1:
            seen.add(kind)
            for fact, value in zip(facts, values, strict=True):
                fact.append(_fact(kind, value))
    for fact, group in zip(facts, groups, strict=True):
        fact.extend([] if seen else [f"from {group[0].name}"])
    listed = [f"{number}: {', '.join(fact)}" for number, fact in enumerate(facts, start=1)]
    return "; ".join(listed if len(listed) <= MOST_LISTED else [*listed[: MOST_LISTED - 1], "...", listed[-1]])


def _fact(kind: str, value: str) -> str:
    """Return a value with its name and unit, for a message."""
    if kind == "time" and (found := re.search(r"(\d\d)(\d\d)(\d\d)(\.\d{1,3})?\d*$", value.split("+")[0])):
        return f"time {found[1]}:{found[2]}:{found[3]}{found[4] or ''}"
    if kind == "image type":
        return f"type {shown(value, 'none').replace(chr(92), '/')}"
    unit = " ms" if kind in ("echo", "trigger time", "inversion time") else ""
    return f"{kind} {shown(value, 'none')}{unit}"


def _indices(frames: Sequence[Frame]) -> list[Hashable]:
    """Return the dimension indices of frames without that of the place in the stack."""
    contents = [lookup(frame.header, frame.index, "FrameContentSequence") for frame in frames]
    values = [text(content, "DimensionIndexValues").split("\\") for content in contents]
    places = [text(content, "InStackPositionNumber") for content in contents]
    width = min(len(each) for each in values)
    kept = [c for c in range(width) if any(each[c] != place for each, place in zip(values, places, strict=True))]
    return [tuple(each[c] for c in kept) for each in values]


def _ranks(frames: Sequence[Frame]) -> list[Hashable]:
    """Return how many frames at a frame's position come before it."""
    seen: Counter[Hashable] = Counter()
    ranks: list[Hashable] = []
    for position in _positions(frames):
        ranks.append(seen[position])
        seen[position] += 1
    return ranks


def _value(frame: Frame, sequence: str, keyword: str) -> str:
    return text(lookup(frame.header, frame.index, sequence) if sequence else frame.header, keyword)


def _split(frames: Sequence[Frame], keys: Sequence[Hashable]) -> list[list[Frame]]:
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame, key in zip(frames, keys, strict=True):
        groups[key].append(frame)
    return list(groups.values())


def _positions(frames: Sequence[Frame]) -> list[Hashable]:
    """Return positions as keys that are equal where slices lie at the same place."""
    return [tuple(np.rint(frame.position / (10 * SAME_POSITION)).astype(int).tolist()) for frame in frames]
