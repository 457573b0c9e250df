"""Losses that a configuration can name, and the metrics that each epoch logs."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Filter of the SSIM metric, in pixels: scikit-image's default, and small enough for the published patches.
SSIM_FILTER = 7
# Below this difference, a thousandth of the intensity range, the Charbonnier loss grows by the square.
CHARBONNIER_EPSILON = 1e-3
# With this weight the gradient is as large as that of an L1 where errors are a hundredth of the data range, so that one
# bound on gradients serves both.
PSNR_WEIGHT = 0.005
# Mean squared errors far below this one, 60 dB, count alike.
SMALLEST_ERROR = 1e-6


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


def negative_psnr(groups: int = 0) -> Callable[[Any, Any], Any]:
    """Return a loss whose gradient is that of the mean PSNR, with the sign changed.

    Scans that are easy to super-resolve have small errors, so they hardly count in a mean of errors. In a mean of PSNRs
    each counts as much. L. Chen et al., "HINet", CVPRW 2021, DOI 10.1109/CVPRW53098.2021.00027.

    Args:
        groups: equal parts of a batch, each of one scan, whose images have one PSNR together; 0 gives each its own.

    Returns:
        A function of the ground truth and the prediction, both (batch, height, width, channels), that returns a tensor
        (batch,), float32.
    """

    def loss(ground_truth: Any, predicted: Any) -> Any:
        differences = tf.cast(ground_truth, tf.float32) - tf.cast(predicted, tf.float32)
        errors = tf.reduce_mean(tf.square(differences), axis=(1, 2, 3))
        # Batches of validation are one image.
        if groups and errors.shape[0] % groups == 0:
            means = tf.reduce_mean(tf.reshape(errors, (groups, -1)), axis=1)
            errors = tf.repeat(means, errors.shape[0] // groups)
        return PSNR_WEIGHT * tf.math.log(errors + SMALLEST_ERROR)

    return loss


def loss_named(name: str, groups: int) -> Any:
    """Return the loss of a name of `LOSSES`, as Keras takes it.

    Args:
        name: "l1", "l2", "charbonnier" or "psnr".
        groups: as in `negative_psnr`.
    """
    known = {"l1": "mean_absolute_error", "l2": "mean_squared_error", "charbonnier": charbonnier}
    return negative_psnr(groups) if name == "psnr" else known[name]
