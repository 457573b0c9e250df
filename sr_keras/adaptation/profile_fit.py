"""Estimate a slice profile: the one under which in-plane lines, reduced, have the spectrum of through-plane lines.

S. Han et al., "Slice profile estimation from 2D MRI acquisition using generative adversarial networks" (ESPRESO), ISBI
2021, DOI 10.1109/ISBI48211.2021.9434137, does so with a network; here it is a fit of one number.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.fingerprint import DILATIONS, fingerprint

Floats = npt.NDArray[np.float32]
# Thicknesses that are tried, over the spacing of slices: from a gap of half a spacing to slices that overlap by half.
THICKNESSES = tuple(float(each) for each in np.round(np.geomspace(0.5, 2.0, 17), 3))
# Slices follow each other without a gap unless the spectrum says otherwise: a doubled thickness weighs as much as a
# difference of so many decades of power.
PRIOR = 0.15


def fit_thickness(through_plane: Sequence[Floats], reduced: Callable[[float], Sequence[Floats]]) -> float:
    """Return the thickness of slices over their spacing.

    Args:
        through_plane: images (in-plane, depth) of the scan, float32, normalised.
        reduced: takes a thickness and returns images (in-plane, depth) that imitate them.
    """
    wanted = spectrum_of(through_plane)
    misfits = [mismatch(wanted, spectrum_of(reduced(each)), each) for each in THICKNESSES]
    return THICKNESSES[int(np.argmin(misfits))]


def mismatch(wanted: Floats, found: Floats, thickness: float) -> float:
    """Return the mean squared difference of spectra in decades, and what speaks against a thickness far from 1."""
    return float(np.mean(np.square(wanted - found)) + np.square(PRIOR * np.log2(thickness)))


def spectrum_of(images: Sequence[Floats]) -> Floats:
    """Return the decadic logarithm of the power along the depth in bands, relative to the lowest one."""
    return np.asarray(np.cumsum(fingerprint(images, (1,))[: -len(DILATIONS)]), np.float32)
