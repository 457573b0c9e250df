"""Phase images of MRI: an angle jumps where it wraps, and a value between its ends means the opposite of both."""

import math
import re
from pathlib import PurePath

import numpy as np

from sr_keras.volumes.volume import Volume

# The greatest angle in the units of scanners and converters: radians, degrees, thousandths of a radian (GE, Philips),
# and the 12 bits of Siemens as they are stored and as dcm2niix scales them.
SIGNED = (math.pi, 180.0, 1000 * math.pi, 2048.0, 4096.0)
UNSIGNED = (2 * math.pi, 360.0, 4095.0, 4096.0)
# How far the ends of the values may lie inside that range, and outside of it for rounding, as shares of it.
INSIDE, OUTSIDE = 0.01, 0.002
# Share of neighbours of different values that lie more than half the range apart. In 21 real scans it is at most
# 0.0002; where a smooth phase wraps 0.0016 for one wrap around the edge of a brain; in the noise of air 0.25.
JUMPS, UNSIGNED_JUMPS = 0.001, 0.02
# What names end in, beside BIDS's own part-phase: of field maps, and dcm2niix's word.
WORDS = re.compile(r"(phase[12]?|phasediff|ph)")
FEW = 16


def phase_image_reason(volume: Volume, name: str) -> str:
    """Say why a volume seems to be the phase of an MRI.

    Args:
        volume: a scan, or none.
        name: of its file.

    Returns:
        The reason in a few words; "" for a scan.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).uniform(-np.pi, np.pi, (8, 8, 8)).astype(np.float32)
    >>> phase_image_reason(Volume(noise, np.eye(4)), "scan.nii.gz")
    'angles of -3.14 to 3.124 that wrap'
    """
    words = re.split(r"[_.+ ]", PurePath(name).name.lower())
    if "part-phase" in words:
        return '"part-phase" in its name'
    least, greatest = volume.value_range
    known = _least_jumps(least, greatest)
    named = any(WORDS.fullmatch(word) for word in words)
    # A name alone says little: a CT may be one of the arterial phase.
    if not (known or named) or _jumps(volume, greatest - least) < (JUMPS if named else known):
        return ""
    return f"angles of {least:.4g} to {greatest:.4g} that wrap"


def _least_jumps(least: float, greatest: float) -> float:
    """Return how many jumps make values of a range angles; 0 where angles have other ranges."""
    if any(_is_end(-least, end) and _is_end(greatest, end) for end in SIGNED):
        return JUMPS
    return UNSIGNED_JUMPS if least == 0 and any(_is_end(greatest, end) for end in UNSIGNED) else 0.0


def _is_end(value: float, end: float) -> bool:
    return end * (1 - INSIDE) <= value <= end * (1 + OUTSIDE)


def _jumps(volume: Volume, span: float) -> float:
    """Return the share of neighbours of different values, in a few slices, that lie more than half the span apart."""
    planes = volume.voxels[:, :, :: max(1, volume.shape[2] // FEW)].astype(np.float32)
    apart = [np.abs(np.diff(planes, axis=axis)) for axis in (0, 1)]
    different = sum(int(np.count_nonzero(each)) for each in apart)
    return sum(int(np.count_nonzero(each > span / 2)) for each in apart) / max(different, 1)
