"""A small network for real time: all its convolutions see the low-resolution image.

It learns what a cubic enlargement lacks. Chosen by the experiments in `docs/experiments.md`, for at most a quarter of
the multiply-adds of `georgescu2020`.
"""

from typing import Any

import keras
from keras import layers

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import cubic_phases, pixel_shuffle

FILTERS = 24
# Convolutions from FILTERS to FILTERS channels: as many as a quarter of the reference's arithmetic allows.
DEPTHS: dict[tuple[StageName, int], int] = {
    ("hw", 2): 5,
    ("hw", 3): 9,
    ("hw", 4): 10,
    ("d", 2): 3,
    ("d", 3): 4,
    ("d", 4): 5,
}


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        A dictionary of `intermediate` and `final`, each (batch, height * scale, width * scale, 1); for the d stage
        (batch, in-plane, depth * scale, 1); float32. Both are what the upscaling layer gives: nothing follows it.
    """
    height_factor, width_factor = output_factors(stage, scale)
    policy = keras.DTypePolicy(precision)
    images = keras.Input((None, None, 1), name="lr")
    features = images
    for number in range(1, DEPTHS[stage, scale] + 2):
        features = _convolution(features, number, policy)
    details = layers.Conv2D(height_factor * width_factor, 3, padding="same", name="details", dtype=policy)(features)
    summed = layers.Add(name="sum", dtype="float32")([cubic_phases(images, stage, scale), details])
    upscaled = pixel_shuffle(summed, stage, scale)
    outputs = {
        name: layers.Activation("linear", name=name, dtype="float32")(upscaled) for name in ("intermediate", "final")
    }
    return keras.Model(images, outputs, name=f"fast_{stage}_x{scale}")


def reach(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels."""
    convolutions = DEPTHS[stage, scale] + 2
    return convolutions, convolutions


def _convolution(images: Any, number: int, policy: keras.DTypePolicy) -> Any:
    layer = layers.Conv2D(FILTERS, 3, padding="same", activation="relu", name=f"conv{number}", dtype=policy)
    return layer(images)
