"""The slice profile that a stage presumes: one that is told how a scan was acquired has learned to see its width.

Least squares make the error of a network uncorrelated with what it returns. On pairs whose slices are thinner than it
presumes it sharpens too much, on thicker ones too little: between them lies the width.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.adaptation.fitting import BATCH, BORDER, started
from sr_keras.adaptation.pairs import PatchSampler
from sr_keras.adaptation.start import Start

Spectrum = npt.NDArray[np.complex128]
# Thicknesses that are tried, over the spacing of slices.
THICKNESSES = tuple(float(each) for each in np.round(np.geomspace(0.5, 1.6, 9), 3))
# Batches for each of them.
BATCHES = 6
# Frequencies that are looked at, in cycles a slice: what slices show, but blurred.
BAND = (0.25, 0.5)
# Slices thicker than usual seem less thick to a stage than they are: the logarithm of their thickness over the usual is
# so many times as large. Fitted to three brains of the training scans.
USUAL, STRETCH = 0.62, 1.7
# Slices of MRI seldom overlap, and many lie farther apart than they are thick.
THICKEST = 1.1


def presumed_thickness(start: Start, samplers: Sequence[PatchSampler], seed: int) -> float:
    """Return the thickness, over the spacing of slices, that a chain sees.

    Args:
        start: the chain, folded for the scan.
        samplers: of pairs of each of `THICKNESSES`.
        seed: of the patches.
    """
    seen = _presumed(start, samplers, seed)
    return seen if seen <= USUAL else min(THICKEST, float(USUAL * (seen / USUAL) ** STRETCH))


def _presumed(start: Start, samplers: Sequence[PatchSampler], seed: int) -> float:
    """Return the thickness at which a chain sharpens neither too much nor too little."""
    model = started(start)
    excesses = np.array([_gain(model, each, seed) for each in samplers]) - 1.0
    crossed = np.flatnonzero(excesses >= 0.0)
    first = int(crossed[0]) if crossed.size else len(THICKNESSES)
    if first in (0, len(THICKNESSES)):
        return THICKNESSES[min(first, len(THICKNESSES) - 1)]
    low, high = excesses[first - 1 : first + 1]
    share = low / (low - high)
    return float(THICKNESSES[first - 1] ** (1.0 - share) * THICKNESSES[first] ** share)


def _gain(model: Any, sampler: PatchSampler, seed: int) -> float:
    """Return what the details that a chain returns need to be multiplied by: above 1 where it sharpens too little."""
    generator, shared, own = np.random.default_rng(seed), 0.0, 0.0
    for _ in range(BATCHES):
        low, target = sampler.draw(BATCH, generator)
        scale = target.shape[2] // low.shape[2]
        made = _details(np.asarray(model.predict_on_batch(low)), scale)
        shared += float(np.sum((np.conj(made) * _details(target, scale)).real))
        own += float(np.sum(np.square(np.abs(made))))
    return shared / own if own > 0.0 else 1.0


def _details(images: npt.NDArray[np.float32], scale: int) -> Spectrum:
    """Return the spectrum in the band along the depth of images (batch, in-plane, depth, 1)."""
    lines = images[:, BORDER:-BORDER, :, 0].astype(np.float64)
    window = np.hanning(lines.shape[2] + 2)[1:-1]
    frequencies = np.fft.rfftfreq(lines.shape[2]) * scale
    shown = (frequencies >= BAND[0]) & (frequencies < BAND[1])
    return np.asarray(np.fft.rfft((lines - lines.mean(axis=2, keepdims=True)) * window, axis=2)[..., shown])
