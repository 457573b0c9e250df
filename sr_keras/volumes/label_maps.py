"""Label maps and masks: their values are names, not amounts, and a value between two names means nothing."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from sr_keras.volumes.volume import Array, Volume

# NIfTI's code for labels (NIFTI_INTENT_LABEL).
LABEL_INTENT = 1002
# Words at the end of names of label maps, BIDS suffixes among them.
WORDS = ("aparc", "aseg", "dseg", "label", "labels", "mask", "roi", "seg", "segmentation", "wmparc")
# A label map has no more values: atlases of the brain have a few hundred.
MOST_LABELS = 512
# Share of neighbours with one value, where one of both is not background. Of the 21 real scans that this was measured
# on it is 0.006 to 0.13, in 8 bits at most 0.32, in 4 bits 0.68; in label maps from 0.85 on.
ALIKE, ALIKE_BY_NAME = 0.8, 0.5
# Slices that are looked at first, and neighbours that must differ from the background in them.
FEW, FEWEST_PAIRS = 16, 1000
# The greatest value of a mask.
MASKS = (1, 255)


def label_map_reason(volume: Volume, name: str) -> str:
    """Say why a volume seems to be a label map or a mask.

    Args:
        volume: a scan, or none.
        name: of its file.

    Returns:
        The reason in a few words; "" for a scan.

    >>> import numpy as np
    >>> labels = np.zeros((8, 8, 8), np.uint8)
    >>> labels[2:6, 2:6, 2:6] = 3
    >>> labels[4:6, 2:6, 2:6] = 5
    >>> label_map_reason(Volume(labels, np.eye(4)), "patient.nii.gz")
    '3 values, in regions'
    """
    if _intent(volume.header) == LABEL_INTENT:
        return f"intent {LABEL_INTENT}"
    # A few slices tell a real scan, unless what is in it lies between them.
    found = _looked_at(volume.voxels[:, :, :: max(1, volume.shape[2] // FEW)])
    if found is not None and found.pairs < FEWEST_PAIRS:
        found = _looked_at(volume.voxels)
    if found is None:
        return ""
    values, named = found.values, _word(name)
    if named and found.alike >= ALIKE_BY_NAME:
        return f'"{named}" in its name, whole values alone'
    if len(values) == 2 and values[0] == 0 and values[1] in MASKS:
        return f"the values 0 and {values[1]:g} alone"
    if len(values) > 1 and values[0] >= 0 and found.alike >= ALIKE:
        return f"{len(values)} values, in regions"
    return ""


@dataclass(frozen=True)
class _Look:
    """What slices hold: their values, how many neighbours count, and the share of those that are alike."""

    values: Array
    pairs: int
    alike: float


def _looked_at(voxels: Array) -> _Look | None:
    """Return what slices hold; None where it is more values than labels, or no whole numbers."""
    counts: Counter[float] = Counter()
    for k in range(voxels.shape[2]):
        values, each = np.unique(voxels[:, :, k], return_counts=True)
        counts.update(dict(zip(values.tolist(), each.tolist(), strict=True)))
        if len(counts) > MOST_LABELS or not all(float(value).is_integer() for value in counts):
            return None
    background = counts.most_common(1)[0][0]
    same = pairs = 0
    for k in range(voxels.shape[2]):
        plane = voxels[:, :, k]
        for one, other in ((plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])):
            counted = (one != background) | (other != background)
            same += int(np.count_nonzero((one == other) & counted))
            pairs += int(np.count_nonzero(counted))
    return _Look(np.array(sorted(counts)), pairs, same / pairs if pairs else 1.0)


def _intent(header: Any) -> int:
    """Return the intent code of a NIfTI header; 0 where there is none."""
    try:
        return int(header["intent_code"])
    except (TypeError, KeyError, IndexError, ValueError):
        return 0


def _word(name: str) -> str:
    """Return the word of a file's name that label maps are named by: the last one."""
    stem = PurePath(name).name.lower()
    stem = re.sub(r"\.(nii|gz|mgz|mgh)", "", stem)
    last = re.split(r"[_\-.+ ]", stem)[-1]
    return last if last in WORDS else ""
