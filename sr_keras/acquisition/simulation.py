"""Make the low-resolution scan that an acquisition would have given."""

from functools import partial

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition, InPlane
from sr_keras.acquisition.k_space import Window, acquire_k_space
from sr_keras.acquisition.noise import coloured, rician
from sr_keras.acquisition.profiles import FWHM, average_axis, profile_matrix
from sr_keras.acquisition.windows import fermi, hamming, tukey

Floats = npt.NDArray[np.float32]
# Blurs by less than this many high-resolution voxels change nothing.
SMALLEST_BLUR = 0.05


def acquire(
    voxels: Floats,
    factors: tuple[int, int, int],
    acquisition: Acquisition,
    generator: np.random.Generator,
    *,
    data_range: float,
    hounsfield: float = 1.0,
) -> Floats:
    """Return the low-resolution scan that an acquisition gives of a high-resolution one, float32.

    Args:
        voxels: (slice, row, column), float32; a stack of whole slices. Each axis has a multiple of its factor.
        factors: by how much slices, rows and columns get fewer; 1 leaves an axis as it is.
        acquisition: the scanner.
        generator: the source of the noise.
        data_range: of the voxels, in their units: what Rician noise is relative to.
        hounsfield: one HU in the voxels' units: what coloured noise is relative to.

    Returns:
        (slices / factor, rows / factor, columns / factor), float32.
    """
    in_plane, noise = acquisition.in_plane, acquisition.noise
    reduced = voxels
    if factors[0] > 1:
        profile = acquisition.through_plane
        blurred = _blurred(reduced, 0, profile.blur) if profile.profile == "cubic" else reduced
        reduced = average_axis(blurred, 0, factors[0], profile.profile, profile.thickness)
    sigma = noise.level / 100.0 * data_range if noise.kind == "rician" else noise.level * hounsfield
    in_k_space = in_plane.method == "k_space" and max(factors[1:]) > 1
    if in_k_space:
        return acquire_k_space(
            reduced,
            (factors[1], factors[2]),
            window_of(in_plane),
            acquired=(in_plane.acquired, min(1.0, in_plane.acquired / in_plane.anisotropy)),
            partial_fourier=in_plane.partial_fourier,
            noise=sigma if noise.kind == "rician" else 0.0,
            generator=generator,
        )
    for axis in (1, 2):
        if factors[axis] > 1:
            blurred = _blurred(reduced, axis, in_plane.blur) if in_plane.method == "cubic" else reduced
            width = in_plane.width * (in_plane.anisotropy if axis == 2 else 1.0)
            reduced = average_axis(blurred, axis, factors[axis], in_plane.method, width)
    if noise.kind == "rician" and sigma > 0.0:
        return rician(reduced, sigma, generator)
    if noise.kind == "coloured" and sigma > 0.0:
        slices, rows, columns = reduced.shape
        drawn = coloured((slices, rows, columns), noise.peak, noise.correlation, generator)
        return reduced + np.float32(sigma) * drawn
    return reduced


def window_of(in_plane: InPlane) -> Window | None:
    """Return the window over k-space, as a function of the frequency over the Nyquist frequency; None for none."""
    windows: dict[str, Window] = {
        "fermi": partial(fermi, cutoff=in_plane.cutoff, width=in_plane.fall),
        "tukey": partial(tukey, taper=in_plane.fall),
        "hamming": partial(hamming, alpha=in_plane.alpha),
    }
    return windows.get(in_plane.window)


def _blurred(voxels: Floats, axis: int, sigma: float) -> Floats:
    """Smooth an axis by a Gaussian of `sigma` voxels."""
    if sigma < SMALLEST_BLUR:
        return voxels
    matrix = profile_matrix("gaussian", voxels.shape[axis], 1, sigma * FWHM).astype(np.float32)
    return np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)
