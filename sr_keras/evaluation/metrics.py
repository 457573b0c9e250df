"""PSNR and SSIM of a super-resolved volume, slice by slice and over the volume."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.framework import load_scikit_image

Floats = npt.NDArray[np.float32]

# The Gaussian of SSIM in voxels: its standard deviation, and the width at which scikit-image truncates it.
SSIM_SIGMA = 1.5
SSIM_WINDOW = 11


@dataclass(frozen=True)
class Quality:
    """How close a volume is to the ground truth.

    Attributes:
        slice_psnr: mean over slices, in dB; infinite where a slice equals the ground truth.
        slice_ssim: mean over slices.
        volume_psnr: of all those slices together, in dB; infinite where they equal the ground truth.
        volume_ssim: with a three-dimensional window; None where fewer slices than the window is wide were compared.
    """

    slice_psnr: float
    slice_ssim: float
    volume_psnr: float
    volume_ssim: float | None


def measure(ground_truth: Floats, results: Floats, *, data_range: float, axis: int) -> Quality:
    """Compare a volume with the ground truth.

    SSIM is that of Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (2004),
    DOI 10.1109/TIP.2003.819861, with its Gaussian window (sigma 1.5 voxels) and population covariance.

    Args:
        ground_truth: (i, j, k), slices without tissue already left out.
        results: the same shape and units.
        data_range: the range of the intensities, in the same units.
        axis: the axis along which slices are cut.

    Raises:
        ValueError: the shapes differ, or a slice is smaller than the window of 11 x 11 voxels.
    """
    if ground_truth.shape != results.shape:
        raise ValueError(f"Both volumes must have the same shape. Received: {ground_truth.shape} and {results.shape}.")
    pairs = list(zip(np.moveaxis(ground_truth, axis, 0), np.moveaxis(results, axis, 0), strict=True))
    return Quality(
        slice_psnr=float(np.mean([psnr(*pair, data_range=data_range) for pair in pairs])),
        slice_ssim=float(np.mean([ssim(*pair, data_range=data_range) for pair in pairs])),
        volume_psnr=psnr(ground_truth, results, data_range=data_range),
        volume_ssim=ssim(ground_truth, results, data_range=data_range) if len(pairs) >= SSIM_WINDOW else None,
    )


def psnr(ground_truth: Floats, results: Floats, *, data_range: float) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Args:
        ground_truth: of any shape.
        results: of the same shape and unit.
        data_range: the range of the intensities, in the same unit.

    Returns:
        20 log10(data_range) - 10 log10(mean squared error), computed in float64; infinite for equal arrays.
    """
    differences = np.subtract(ground_truth, results, dtype=np.float64)
    error = np.mean(np.square(differences, out=differences))
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(data_range) - 10 * np.log10(error))


def ssim(ground_truth: Floats, results: Floats, *, data_range: float) -> float:
    """Return the structural similarity of two images or volumes; see `measure`.

    Args:
        ground_truth: (i, j) or (i, j, k), each axis at least 11 long.
        results: the same shape and units.
        data_range: the range of the intensities, in the same units.
    """
    # Imported here, so that PSNR is available without the extra `evaluate`.
    metrics = load_scikit_image("skimage.metrics")
    return float(
        metrics.structural_similarity(
            ground_truth,
            results,
            data_range=data_range,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            use_sample_covariance=False,
        )
    )
