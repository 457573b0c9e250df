"""Estimate a slice profile: the one under which a scan, blurred in-plane by it as well, is alike along both axes.

A through-plane image whose in-plane axis is averaged and sampled by the profile of the slices is equally sharp along
both of its axes, and equally noisy: nothing need be known of the noise. Levels of power, which anatomy changes most, do
not count, only how they fall. S. Han et al., "Slice profile estimation from 2D MRI acquisition using generative
adversarial networks" (ESPRESO), ISBI 2021, DOI 10.1109/ISBI48211.2021.9434137, compare the same images by a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.fingerprint import LEAST_POWER, TISSUE
from sr_keras.acquisition.profiles import average_axis

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.float64]
# Thicknesses that are tried, over the spacing of slices.
THICKNESSES = tuple(float(each) for each in np.round(np.geomspace(0.4, 2.0, 25), 3))
# Standard deviations of what anatomy does to spectra, in decades, and of thicknesses around the usual, in doublings.
ANATOMY, PRIOR = 0.05, 0.25
# Of a Gaussian as sharp as the slices of scanners are: those of MRI have steep sides and gaps; one of 0.88 lets through
# as much, at half a cycle a slice, as a raised cosine of 1, which CT has.
USUAL = {"MR": 0.8, "CT": 0.9}
# Lines are cut into pieces of at most this many low-resolution samples, of which this share shows tissue.
PIECE, LEAST_TISSUE = 48, 0.3
# The first frequency of a piece that its window does not mix with its mean.
LOWEST = 2


@dataclass(frozen=True)
class ThroughPlane:
    """Through-plane images that show one of the in-plane axes.

    Attributes:
        images: (image, in-plane, depth), float32, normalised.
        ratio: the spacing of slices over that of pixels.
    """

    images: Floats
    ratio: float

    def excess(self, profile: str, thickness: float) -> Spectrum:
        """Return by how many decades the power along the depth exceeds that along the axis that a profile reduced."""
        factor = max(1, round(self.ratio))
        if self.images.shape[1] < factor:
            return np.zeros(0)
        coarsened = factor / self.ratio
        kept = self.images[:, : self.images.shape[1] // factor * factor]
        reduced = average_axis(kept, 1, factor, profile, thickness / coarsened)
        length = min(PIECE, *reduced.shape[1:])
        frequencies = np.fft.rfftfreq(length)[LOWEST:]
        # Where the spacing of slices is no whole number of pixels, the two axes are not sampled quite alike.
        shared = frequencies[frequencies * coarsened <= 0.5]
        across = np.interp(shared * coarsened, frequencies, _spectrum(reduced.swapaxes(1, 2), length))
        return np.asarray(_spectrum(reduced, length)[: shared.size] - across)


def fit_thickness(views: Sequence[ThroughPlane], profile: str, modality: str) -> float:
    """Return the thickness of slices over their spacing: the likeliest one, given what is usual.

    Args:
        views: of both in-plane axes.
        profile: a name of `sr_keras.acquisition.profiles.PROFILES`.
        modality: "CT" or "MR".
    """
    unlike = np.array([_unlikeness(views, profile, each) for each in THICKNESSES])
    if not np.isfinite(unlike).all():
        return USUAL[modality]
    unusual = np.log2(np.array(THICKNESSES) / USUAL[modality]) / PRIOR
    # What no thickness explains is the anatomy's: the more of it there is, the less the scan is believed.
    misfits = np.square(unlike) / (ANATOMY**2 + np.square(unlike.min())) + np.square(unusual)
    return THICKNESSES[int(np.argmin(misfits))]


def _unlikeness(views: Sequence[ThroughPlane], profile: str, thickness: float) -> float:
    """Return the standard deviation over frequencies of how the two axes differ, in decades; NaN if none is shared."""
    excesses = [view.excess(profile, thickness) for view in views]
    shared = min(each.size for each in excesses)
    return float(np.std(np.mean([each[:shared] for each in excesses], axis=0))) if shared else float("nan")


def _spectrum(images: Floats, length: int) -> Spectrum:
    """Return the decadic logarithm of the mean power along the last axis of pieces that show tissue."""
    windows = np.lib.stride_tricks.sliding_window_view(images, length, axis=2)[:, :, :: max(1, length // 2)]
    pieces = windows.reshape(-1, length)
    shown = (pieces > TISSUE).mean(axis=1) >= LEAST_TISSUE
    pieces = pieces[shown] if shown.any() else pieces
    centred = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(length + 2)[1:-1]
    power = np.square(np.abs(np.fft.rfft(centred))).mean(axis=0)
    return np.asarray(np.log10(power + LEAST_POWER)[LOWEST:])
