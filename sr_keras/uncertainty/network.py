"""The estimator of a stage: from the images that the stage sees to the half-width of an interval around its output.

Half-widths grow with what the filters of the first layer find around a pixel, whatever its sign. They are learned as a
quantile of the logarithm of the absolute error: R. Koenker and G. Bassett, "Regression Quantiles", Econometrica 46
(1978), DOI 10.2307/1913643.
"""

from math import prod
from typing import Any

import keras
from keras import layers, ops

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import pixel_shuffle
from sr_keras.uncertainty import LEVEL

# Filters of the first two convolutions, and the size of the first one's kernels. With what finds edges in an exported
# file they are 16 each, to which runtimes pad channels.
FILTERS, FEATURES, KERNEL_SIZE = 14, 15, 5
# Half-widths are not below this before they are calibrated, of normalised intensities.
LEAST = 1e-3
# Half-widths at first, of normalised intensities.
FIRST = 0.02
# Errors below this are all alike to the loss, of normalised intensities.
SMALLEST_ERROR = 1e-4


def build(stage: StageName, scale: int) -> keras.Model:
    """Return an untrained estimator.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor of the stage.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        Half-widths (batch, height * scale, width * scale, 1), for the d stage (batch, in-plane, depth * scale, 1),
        normalised, not calibrated.
    """
    images = keras.Input((None, None, 1), name="lr")
    responses = ops.abs(layers.Conv2D(FILTERS, KERNEL_SIZE, padding="same", name="responses")(images))
    around = layers.AveragePooling2D(3, 1, "same", name="around")(responses)
    features = layers.Conv2D(FEATURES, 1, activation="relu", name="features")(around)
    pixels, first = prod(output_factors(stage, scale)), keras.initializers.Constant(FIRST)
    widths = layers.Conv2D(pixels, 1, bias_initializer=first, name="widths")(features)
    outputs = pixel_shuffle(ops.maximum(widths, LEAST), stage, scale)
    return keras.Model(images, outputs, name=f"half_widths_{stage}_x{scale}")


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
