"""How a low-resolution patch is made from a high-resolution one, in graph and for a whole batch at once.

M.-I. Georgescu, R. T. Ionescu, N. Verga, "Convolutional Neural Networks with Intermediate Loss for 3D Super-Resolution
of CT and MRI Scans", IEEE Access 8 (2020), DOI 10.1109/ACCESS.2020.2980266: with some probability a patch is blurred
by a small Gaussian whose standard deviation is drawn anew for each patch; then it is downsampled by antialiased cubic
interpolation. Evaluation uses `sr_keras.volumes.resampling.downsample_volume`, which does the same without the blur.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from sr_keras.volumes.resampling import cubic_matrix

# Standard deviations below this leave a patch as it is; keeps 1 / sigma finite.
SMALLEST_SIGMA = 1e-3


def gaussian_blur(images: Any, sigmas: Any, kernel_size: int) -> Any:
    """Blur each image of a batch by its own Gaussian.

    Args:
        images: (batch, height, width, channels), float.
        sigmas: (batch,), standard deviations in pixels; 0 leaves an image unchanged.
        kernel_size: odd number of taps along each axis; the image is reflected at its border.

    Returns:
        Tensor of the shape and dtype of `images`.
    """
    radius = kernel_size // 2
    taps = ops.convert_to_tensor(np.arange(-radius, radius + 1, dtype=np.float32))
    widths = ops.maximum(ops.cast(sigmas, "float32"), SMALLEST_SIGMA)
    weights = keras.activations.softmax(-0.5 * ops.square(taps[None, :] / widths[:, None]))
    weights = ops.cast(weights, images.dtype)[:, :, None, None, None]
    blurred = images
    for axis in (1, 2):
        padding = [(radius, radius) if axis == padded else (0, 0) for padded in range(4)]
        padded_images = ops.pad(blurred, padding, mode="symmetric")
        length = images.shape[axis]
        blurred = sum(weights[:, tap] * _window(padded_images, axis, tap, length) for tap in range(kernel_size))
    return blurred


def downsample_images(images: Any, scale: int, axes: tuple[int, ...]) -> Any:
    """Downsample images by antialiased cubic interpolation (MATLAB's `imresize`).

    Args:
        images: (batch, height, width, 1), float; each of `axes` has a static length that is a multiple of `scale`.
        scale: the factor.
        axes: the axes to downsample, of 1 (height) and 2 (width).

    Returns:
        Tensor of the dtype of `images` with each of `axes` divided by `scale`.
    """
    reduced = images[..., 0]
    for axis in axes:
        length = images.shape[axis]
        matrix = ops.convert_to_tensor(cubic_matrix(length, length // scale, scale), dtype=images.dtype)
        reduced = ops.matmul(reduced, ops.transpose(matrix)) if axis == 2 else ops.matmul(matrix, reduced)
    return reduced[..., None]


def _window(images: Any, axis: int, start: int, length: int) -> Any:
    return images[:, start : start + length] if axis == 1 else images[:, :, start : start + length]
