"""How strong the noise of a scan is, in-plane."""

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image
from sr_keras.training.denoising import estimate_noise

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
# Of white noise, the response to 1 -2 1 x 1 -2 1 over its standard deviation; edges hardly show in it.
KERNEL_NORM = 6.0
# The noise is measured where it is least, by the standard deviation in a Gaussian window of this many pixels.
WINDOW, QUIET_SHARE = 3.0, 0.15


def noise_of(slices: Floats, tissue: Mask, modality: str) -> float:
    """Return the standard deviation of the noise of a scan, in the units of its slices.

    MRI has white noise, which shows at the highest frequencies; that of CT is coloured and does not.

    Args:
        slices: (slice, row, column), float32.
        tissue: (slice, row, column).
        modality: "CT" or "MR".
    """
    if modality == "CT":
        return estimate_noise(slices, tissue)
    estimates = [_white(image, mask) for image, mask in zip(slices, tissue, strict=True) if mask[1:-1, 1:-1].any()]
    return float(np.median(estimates)) if estimates else 0.0


def _white(image: Floats, tissue: Mask) -> float:
    rows = image[:-2] - 2.0 * image[1:-1] + image[2:]
    response = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    deviation = np.sqrt(np.maximum(smooth_image(np.square(response), WINDOW), 0.0))
    return float(np.quantile(deviation[tissue[1:-1, 1:-1]], QUIET_SHARE)) / KERNEL_NORM
