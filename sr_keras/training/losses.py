"""Losses that a configuration can name, and the metrics that each epoch logs."""

from typing import Any

import tensorflow as tf

# Filter of the SSIM metric, in pixels: scikit-image's default, and small enough for the published patches.
SSIM_FILTER = 7
# Below this difference, a thousandth of the intensity range, the Charbonnier loss grows by the square.
CHARBONNIER_EPSILON = 1e-3


def charbonnier(ground_truth: Any, predicted: Any) -> Any:
    """Return the mean over channels of sqrt(difference^2 + epsilon^2): an L1 that is smooth at zero.

    P. Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging" (1994),
    DOI 10.1109/ICIP.1994.413553.

    Args:
        ground_truth: (batch, height, width, channels), float, normalised intensities.
        predicted: the same shape and dtype.

    Returns:
        Tensor (batch, height, width).
    """
    return tf.reduce_mean(tf.sqrt(tf.square(ground_truth - predicted) + CHARBONNIER_EPSILON**2), axis=-1)


def psnr(ground_truth: Any, predicted: Any) -> Any:
    """Return the PSNR of each image of a batch in dB, for normalised intensities (data_range 1).

    Args:
        ground_truth: (batch, height, width, channels), float.
        predicted: the same shape.

    Returns:
        Tensor (batch,), float32. Keras' own `ops.psnr` is one figure for all images of a batch.
    """
    return tf.image.psnr(tf.cast(ground_truth, tf.float32), tf.cast(predicted, tf.float32), max_val=1.0)


def ssim(ground_truth: Any, predicted: Any) -> Any:
    """Return the SSIM of each image of a batch, for normalised intensities (data_range 1).

    Args:
        ground_truth: (batch, height, width, channels), float; height and width at least `SSIM_FILTER`.
        predicted: the same shape.

    Returns:
        Tensor (batch,), float32.
    """
    return tf.image.ssim(
        tf.cast(ground_truth, tf.float32), tf.cast(predicted, tf.float32), max_val=1.0, filter_size=SSIM_FILTER
    )


LOSS_FUNCTIONS = {"l1": "mean_absolute_error", "l2": "mean_squared_error", "charbonnier": charbonnier}
