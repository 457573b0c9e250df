"""The high-frequency check: recognise scans for which the networks do worse than cubic interpolation.

The networks were trained on scans downsampled with a smooth filter, which are weak near their Nyquist frequency. Noise
and aliasing are strong there, and the networks sharpen both. So the power in the uppermost quarter of the frequencies,
relative to that an octave below, tells the two kinds of scans apart: docs/robustness.md says how well.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sr_keras.inference.planning import Step
from sr_keras.volumes.normalization import CT_FLOOR, evenly
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float64]

# In dB. The shipped networks lost to cubic interpolation where a scan lay above this and won where it lay below:
# docs/robustness.md counts how often. At -6 fewer gains, but also fewer losses would be warned of.
LARGEST_RATIO = -7.0
# The two bands that are compared, in cycles a voxel; Nyquist is 0.5.
UPPER_BAND, LOWER_BAND = (0.375, 0.5), (0.1875, 0.25)
# Slices that are looked at.
SLICES = 6
# An axis with fewer voxels has too few frequencies in each band.
SHORTEST = 32


def high_frequency_warnings(volume: Volume, steps: Iterable[Step]) -> list[str]:
    """Return a warning for each direction in which a scan is of a kind that the networks were worse than cubic on.

    Args:
        volume: the scan.
        steps: the passes that are to upsample it.
    """
    ratios = {axes: nyquist_ratio(volume, axes) for axes in dict.fromkeys(step.axes for step in steps)}
    return [
        f"Warning: scan looks noisy or aliased along {''.join('ijk'[axis] for axis in axes)} ({ratio:.1f} dB, "
        f"threshold {LARGEST_RATIO:g} dB); the result may be worse than cubic interpolation."
        for axes, ratio in ratios.items()
        if ratio > LARGEST_RATIO
    ]


def nyquist_ratio(volume: Volume, axes: Sequence[int]) -> float:
    """Return the power near the Nyquist frequency relative to that an octave below, in dB.

    Args:
        volume: the scan; few of its slices are looked at, those that contain `axes`.
        axes: along which the power is taken; the two bands are compared for each, and the ratios averaged.

    Returns:
        About -20 for a smooth scan, -10 for one reduced well, 0 for white noise; -inf where nothing can be compared.
    """
    if min(volume.shape[axis] for axis in axes) < SHORTEST:
        return -np.inf
    across = next(axis for axis in range(3) if axis not in axes)
    images = middle_slices(volume, across)
    ratio = np.mean([_ratio(images, axis) for axis in axes])
    return float(10 * np.log10(ratio)) if ratio > 0 else -np.inf


def middle_slices(volume: Volume, across: int) -> Floats:
    """Return whole slices, evenly from the middle half of a volume: the edges of the body belong to its detail.

    Args:
        volume: the scan.
        across: the axis that the slices are cut across.

    Returns:
        The volume's axes, `across` of at most six slices, float64.
    """
    length = volume.shape[across]
    start, kept = length // 4, max(1, length // 2)
    chosen = evenly(np.arange(start, start + kept), SLICES)
    # Not `take`, which copies the whole volume first where its axes are in the order of a NIfTI file.
    slices: Floats = volume.voxels[(slice(None),) * across + (chosen,)].astype(np.float64)
    # The padding around a CT's field of view is no detail.
    return np.maximum(slices, CT_FLOOR) if volume.modality == "CT" else slices


def power_spectrum(images: Floats, axis: int) -> tuple[Floats, Floats]:
    """Return the mean power of the lines along an axis, with their mean taken away, under a Hann window.

    Args:
        images: slices of a volume, as `middle_slices` returns them.
        axis: of the lines.

    Returns:
        Frequencies in cycles a voxel, from 0 to 0.5, and the power at each in squared units of the volume.
    """
    lines = np.moveaxis(images, axis, -1)
    lines = (lines - lines.mean(axis=-1, keepdims=True)) * np.hanning(lines.shape[-1])
    power: Floats = np.square(np.abs(np.fft.rfft(lines))).mean(axis=(0, 1))
    return np.fft.rfftfreq(lines.shape[-1]).astype(np.float64), power


def _ratio(images: Floats, axis: int) -> float:
    """Return the mean power in the upper band over that in the lower one; 0 where the lower one is empty."""
    frequencies, power = power_spectrum(images, axis)
    upper, lower = (
        float(power[(frequencies >= low) & (frequencies <= high)].mean()) for low, high in (UPPER_BAND, LOWER_BAND)
    )
    return upper / lower if lower > 0 else 0.0
