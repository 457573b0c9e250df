"""The network of `fast` and `best`: a chain of convolutions that predicts the residual of cubic interpolation."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import cubic_phases, pixel_shuffle


def build_chain(
    family: str, stage: StageName, scale: int, precision: str, *, widths: Sequence[int], skip: bool
) -> keras.Model:
    """Return an untrained chain whose convolutions all run at low resolution.

    Args:
        family: name of the family, for the model's name.
        stage: "hw" or "d".
        scale: upsampling factor, 2 or more.
        precision: a Keras dtype policy; the sum with the cubic interpolation is always float32.
        widths: number of filters of each convolution but the last.
        skip: whether a skip connection adds the output of the first convolution to that of the last but one.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        A dictionary of `intermediate` and `final`, each (batch, height * scale, width * scale, 1); for the d stage
        (batch, in-plane, depth * scale, 1); float32. Both are the output of the upscaling layer, which is the last one.
    """
    height_factor, width_factor = output_factors(stage, scale)
    policy = keras.DTypePolicy(precision)
    images = keras.Input((None, None, 1), name="lr")
    first = features = _convolution(images, 1, widths[0], policy)
    for number, filters in enumerate(widths[1:], 2):
        features = _convolution(features, number, filters, policy)
    if skip:
        features = layers.Add(name="skip", dtype=policy)([features, first])
    details = layers.Conv2D(height_factor * width_factor, 3, padding="same", name="details", dtype=policy)(features)
    summed = layers.Add(name="sum", dtype="float32")([cubic_phases(images, stage, scale), details])
    upscaled = pixel_shuffle(summed, stage, scale)
    outputs = {
        name: layers.Activation("linear", name=name, dtype="float32")(upscaled) for name in ("intermediate", "final")
    }
    return keras.Model(images, outputs, name=f"{family}_{stage}_x{scale}")


def chain_receptive_field_radius(widths: Sequence[int]) -> tuple[int, int]:
    """Return the radius of the receptive field of a chain along height and width, in low-resolution pixels."""
    radius = len(widths) + 1
    return radius, radius


def _convolution(images: Any, number: int, filters: int, policy: keras.DTypePolicy) -> Any:
    return layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}", dtype=policy)(images)
