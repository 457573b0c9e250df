"""Denoised twins of training scans, so that a network need not learn to give back the noise of its ground truth."""

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image
from sr_keras.framework import load_scikit_image

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
# Noise is what a Gaussian of two voxels takes away, where it is least: in the quietest part of tissue, by the standard
# deviation in a Gaussian window of three voxels.
NOISE_SIGMA, WINDOW_SIGMA, QUIET_SHARE = 2.0, 3.0, 0.15
# That underestimates the noise by about a tenth: it is the least of many estimates.
QUIET_FACTOR = 1.1
# Slices that are looked at.
SLICES = 12
# Sizes of the patches and of the neighbourhood of non-local means, and its strength in standard deviations.
PATCH, DISTANCE, STRENGTH = 5, 5, 0.8


def estimate_noise(slices: Floats, tissue: Mask) -> float:
    """Return the standard deviation of the noise of a scan, white or coloured, in its units; 0 where nothing shows.

    Args:
        slices: (slice, row, column), float32.
        tissue: (slice, row, column).
    """
    chosen = np.flatnonzero(tissue.any(axis=(1, 2)))
    estimates = [_quiet_deviation(slices[index], tissue[index]) for index in chosen[:: -(-chosen.size // SLICES) or 1]]
    return QUIET_FACTOR * float(np.median(estimates)) if estimates else 0.0


def denoise(image: Floats, sigma: float) -> Floats:
    """Return a slice denoised by non-local means, float32.

    A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising", CVPR 2005, DOI
    10.1109/CVPR.2005.38.

    Args:
        image: (row, column), float32.
        sigma: standard deviation of the noise, in the image's units.

    Raises:
        MissingDependencyError: scikit-image is not installed.
        DeviceMemoryError: there is too little memory for it.
    """
    if sigma <= 0.0:
        return image
    restoration = load_scikit_image("skimage.restoration")
    return np.asarray(
        restoration.denoise_nl_means(
            image, patch_size=PATCH, patch_distance=DISTANCE, h=STRENGTH * sigma, sigma=sigma, fast_mode=True
        ),
        np.float32,
    )


def _quiet_deviation(image: Floats, tissue: Mask) -> float:
    details = image - smooth_image(image, NOISE_SIGMA)
    deviations = np.sqrt(np.maximum(smooth_image(np.square(details), WINDOW_SIGMA), 0.0))
    return float(np.quantile(deviations[tissue], QUIET_SHARE))
