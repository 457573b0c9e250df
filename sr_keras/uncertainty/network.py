"""The estimator of a stage: from the images that the stage sees to the half-width of intervals around its output.

Half-widths depend on what the filters of the first layer find at a pixel and around it, whatever its sign: at a pixel
for details smaller than it, around it for edges and noise. They are learned as a quantile of the logarithm of the
absolute error: R. Koenker and G. Bassett, "Regression Quantiles", Econometrica 46 (1978), DOI 10.2307/1913643.
"""

from typing import Any

import keras
from keras import layers, ops

from sr_keras.networks import StageName
from sr_keras.uncertainty import LEVEL

# Filters of the first two convolutions, and the size of the first one's kernels. With what finds edges in an exported
# file they are 16 each, to which runtimes pad channels.
FILTERS, FEATURES, KERNEL_SIZE = 14, 15, 5
# Low-resolution pixels in each direction that a half-width depends on: the kernels, and the mean over 3 x 3 pixels.
RADIUS = KERNEL_SIZE // 2 + 1
# What a small detail leaves in the scan is some hundredths of the range: the filters see it this much larger.
GAIN = 30.0
# Half-widths are not below this before they are calibrated, of normalised intensities.
LEAST = 1e-3
# Half-widths at first, of normalised intensities.
FIRST = 0.05
# Errors below this are all alike to the loss, of normalised intensities.
SMALLEST_ERROR = 1e-4


@keras.saving.register_keras_serializable("sr_keras")
class ZeroMean(keras.constraints.Constraint):
    """Kernels that find nothing where all is alike."""

    def __call__(self, kernel: Any) -> Any:
        """Return the kernel (height, width, in, out) without the mean of each filter."""
        return kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True)


def build(stage: StageName, scale: int) -> keras.Model:
    """Return an untrained estimator.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor of the stage.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        Half-widths, of the same shape: one for all pixels that the stage makes of one. Normalised, not calibrated.
    """
    images = keras.Input((None, None, 1), name="lr")
    filters = layers.Conv2D(FILTERS, KERNEL_SIZE, padding="same", kernel_constraint=ZeroMean(), name="responses")
    responses = ops.abs(filters(images * GAIN))
    # Zero lies beyond the borders.
    around = layers.AveragePooling2D(3, 1, "valid", name="around")(layers.ZeroPadding2D()(responses))
    found = ops.concatenate([responses, around], axis=-1)
    features = layers.Conv2D(FEATURES, 1, activation="relu", name="features")(found)
    first = keras.initializers.Constant(FIRST)
    widths = layers.Conv2D(1, 1, bias_initializer=first, name="widths")(features)
    return keras.Model(images, ops.maximum(widths, LEAST), name=f"half_widths_{stage}_x{scale}")


def quantile_loss(errors: Any, half_widths: Any) -> Any:
    """Return the loss whose minimum is the `LEVEL` quantile of the absolute error.

    Args:
        errors: absolute, (batch, height, width, 1), normalised.
        half_widths: of the same shape.

    Returns:
        (batch, height, width).
    """
    difference = ops.log(errors + SMALLEST_ERROR) - ops.log(half_widths)
    return ops.mean(ops.maximum(LEVEL * difference, (LEVEL - 1.0) * difference), axis=-1)
