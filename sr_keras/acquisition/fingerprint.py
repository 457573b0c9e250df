"""What a scan shows of its acquisition: its spectrum and its noise along the axes that are to be upsampled.

Nothing is estimated but means and medians of the scan itself, over few slices, one at a time.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# Edges of the bands of the spectrum, in cycles a voxel; Nyquist is 0.5.
BANDS = (0.04, 0.08, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5)
# Distances between the taps of the kernels 1 -2 1 x 1 -2 1 that the noise is measured by, in voxels.
DILATIONS = (1, 2)
# Normalised intensities below this are air or background.
TISSUE = 0.05
# Slices with a smaller part of tissue show nothing.
LEAST_TISSUE = 0.02
# Least power and noise of normalised intensities: quantisation gives more.
LEAST_POWER, LEAST_NOISE = 1e-9, 1e-4
# Median absolute value of Gaussian noise over its standard deviation, and the norm of 1 -2 1 x 1 -2 1.
MEDIAN_ABSOLUTE, KERNEL_NORM = 0.6745, 6.0


def fingerprint_length(axes: tuple[int, ...]) -> int:
    """Return how many numbers a fingerprint has: steps between neighbouring bands for each axis, and noise levels."""
    return len(axes) * (len(BANDS) - 2) + len(DILATIONS)


def fingerprint(slices: Iterable[Floats], axes: tuple[int, ...]) -> Floats:
    """Return the fingerprint of a scan.

    Args:
        slices: (row, column) each, float32, normalised intensities; those that contain the axes.
        axes: the axes of the slices that are to be upsampled, of 0 and 1.

    Returns:
        (numbers,), float32: for each axis the steps of the decadic logarithm of the power from each band of `BANDS` to
        the next, then the decadic logarithm of the noise for each of `DILATIONS`. Zeros where no slice shows tissue.
    """
    spectra, noises = [], []
    for each in slices:
        # Values far from any intensity must not overflow.
        image = each.astype(np.float64)
        tissue = image > TISSUE
        if tissue.mean() < LEAST_TISSUE:
            continue
        spectra.append([_band_powers(image, tissue, axis) for axis in axes])
        noises.append([_noise_level(image, tissue, dilation) for dilation in DILATIONS])
    if not spectra:
        return np.zeros(fingerprint_length(axes), np.float32)
    steps = np.diff(np.mean(spectra, axis=0)).ravel()
    return np.concatenate([steps, np.mean(noises, axis=0)]).astype(np.float32)


def _band_powers(image: npt.NDArray[np.float64], tissue: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.float64]:
    """Return the mean decadic logarithm of the power in each band, over the lines with tissue in them."""
    lines = np.moveaxis(image, axis, 1)[np.moveaxis(tissue, axis, 1).mean(axis=1) > TISSUE]
    if lines.size == 0:
        lines = np.moveaxis(image, axis, 1)
    lines = (lines - lines.mean(axis=1, keepdims=True)) * np.hanning(lines.shape[1])
    power = np.square(np.abs(np.fft.rfft(lines))) / lines.shape[1]
    logs = np.log10(power + LEAST_POWER).mean(axis=0)
    frequencies = np.fft.rfftfreq(lines.shape[1])
    centres = 0.5 * (np.array(BANDS[:-1]) + BANDS[1:])
    counts, _ = np.histogram(frequencies, BANDS)
    sums, _ = np.histogram(frequencies, BANDS, weights=logs)
    # Short axes leave bands without a frequency of their own.
    means = sums / np.maximum(counts, 1)
    return np.asarray(np.where(counts > 0, means, np.interp(centres, frequencies, logs)))


def _noise_level(image: npt.NDArray[np.float64], tissue: npt.NDArray[np.bool_], dilation: int) -> float:
    """Return the decadic logarithm of a robust noise level in tissue."""
    response = image
    for axis in (0, 1):
        length = response.shape[axis] - 2 * dilation
        if length < 1:
            return float(np.log10(LEAST_NOISE))
        first, middle, last = (
            response.take(np.arange(start, start + length), axis) for start in (0, dilation, 2 * dilation)
        )
        response = first - 2.0 * middle + last
    inner = tissue[dilation:-dilation, dilation:-dilation]
    values = np.abs(response[inner]) if inner.any() else np.abs(response)
    return float(np.log10(np.median(values) / (MEDIAN_ABSOLUTE * KERNEL_NORM) + LEAST_NOISE))
