"""The estimator of a stage: from the images that the stage sees to the half-width of an interval around its output.

Half-widths grow with what the filters of the first layer find around a pixel, whatever its sign; a description of the
scan, its fingerprint, shifts and scales them. They are learned as a quantile of the logarithm of the absolute error:
R. Koenker and G. Bassett, "Regression Quantiles", Econometrica 46 (1978), DOI 10.2307/1913643.
"""

from math import prod
from typing import Any

import keras
from keras import layers, ops

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import pixel_shuffle
from sr_keras.uncertainty import LEVEL

# Filters of the first two convolutions, the size of the first one's kernels, and units that describe the scan. With
# what finds edges in an exported file they are 16 each, to which runtimes pad channels.
FILTERS, FEATURES, KERNEL_SIZE, HIDDEN = 14, 15, 5, 8
# Standard deviations of the training scans beyond which a description counts as this far.
LARGEST_DEVIATION = 4.0
# Half-widths are not below this, of normalised intensities, before they are scaled.
LEAST = 1e-3
# Half-widths at first, of normalised intensities.
FIRST = 0.02
# Errors below this are all alike to the loss, of normalised intensities.
SMALLEST_ERROR = 1e-4


def build(stage: StageName, scale: int, mean: Any, deviation: Any) -> keras.Model:
    """Return an untrained estimator.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor of the stage.
        mean: (length,), of the fingerprints of the scans to learn from.
        deviation: (length,), their standard deviations.

    Input shape:
        A dictionary of `lr` (batch, height, width, 1), normalised intensities, for the d stage (batch, in-plane, depth,
        1), and `description` (batch, length), fingerprints.

    Output shape:
        Half-widths (batch, height * scale, width * scale, 1), for the d stage (batch, in-plane, depth * scale, 1),
        normalised, not calibrated.
    """
    images, description = keras.Input((None, None, 1), name="lr"), keras.Input((len(mean),), name="description")
    standard = layers.Normalization(mean=mean, variance=deviation**2, name="standard")(description)
    hidden = layers.Dense(HIDDEN, "tanh", name="hidden")(ops.clip(standard, -LARGEST_DEVIATION, LARGEST_DEVIATION))
    shifts = ops.expand_dims(layers.Dense(FEATURES, name="shifts")(hidden), (1, 2))
    size = ops.expand_dims(ops.exp(layers.Dense(1, name="size")(hidden)), (1, 2))
    responses = ops.abs(layers.Conv2D(FILTERS, KERNEL_SIZE, padding="same", name="responses")(images))
    around = layers.AveragePooling2D(3, 1, "same", name="around")(responses)
    features = ops.relu(layers.Conv2D(FEATURES, 1, name="features")(around) + shifts)
    pixels, first = prod(output_factors(stage, scale)), keras.initializers.Constant(FIRST)
    widths = layers.Conv2D(pixels, 1, bias_initializer=first, name="widths")(features)
    outputs = pixel_shuffle(ops.maximum(widths, LEAST) * size, stage, scale)
    return keras.Model({"lr": images, "description": description}, outputs, name=f"half_widths_{stage}_x{scale}")


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
