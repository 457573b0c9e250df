"""The networks of Georgescu, Ionescu and Verga, "Convolutional Neural Networks with Intermediate Loss for 3D
Super-Resolution of CT and MRI Scans", IEEE Access 8 (2020), DOI 10.1109/ACCESS.2020.2980266.
"""

from typing import Any

import keras
from keras import layers

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import pixel_shuffle

FILTERS = 32
# Each 3 x 3 convolution adds one pixel to the receptive field radius: before the upscaling layer, and after it.
CONVOLUTIONS_BEFORE, CONVOLUTIONS_AFTER = 6, 4


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
        precision: a Keras dtype policy.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        A dictionary of `intermediate` (the output of the upscaling layer) and `final`, each (batch, height * scale,
        width * scale, 1); for the d stage (batch, in-plane, depth * scale, 1); float32.
    """
    height_factor, width_factor = output_factors(stage, scale)
    policy = keras.DTypePolicy(precision)
    images = keras.Input((None, None, 1), name="lr")
    conv1 = _convolution(images, 1, FILTERS, policy)
    conv2 = _convolution(conv1, 2, FILTERS, policy)
    conv3 = _convolution(conv2, 3, FILTERS, policy)
    skip1 = layers.Add(name="skip1", dtype=policy)([conv3, conv1])
    conv4 = _convolution(skip1, 4, FILTERS, policy)
    conv5 = _convolution(conv4, 5, FILTERS, policy)
    skip2 = layers.Add(name="skip2", dtype=policy)([conv5, conv1])
    conv6 = _convolution(skip2, 6, height_factor * width_factor, policy)
    upscaled = pixel_shuffle(conv6, stage, scale)
    conv7 = _convolution(upscaled, 7, FILTERS, policy)
    conv8 = _convolution(conv7, 8, FILTERS, policy)
    conv9 = _convolution(conv8, 9, FILTERS, policy)
    skip3 = layers.Add(name="skip3", dtype=policy)([conv9, conv7])
    conv10 = _convolution(skip3, 10, 1, policy)
    outputs = {
        "intermediate": layers.Activation("linear", name="intermediate", dtype="float32")(upscaled),
        "final": layers.Activation("linear", name="final", dtype="float32")(conv10),
    }
    return keras.Model(images, outputs, name=f"georgescu2020_{stage}_x{scale}")


def receptive_field_radius(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
    """
    height, width = (CONVOLUTIONS_BEFORE - (-CONVOLUTIONS_AFTER // factor) for factor in output_factors(stage, scale))
    return height, width


def _convolution(images: Any, number: int, filters: int, policy: keras.DTypePolicy) -> Any:
    layer = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}", dtype=policy)
    return layer(images)
