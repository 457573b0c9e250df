"""A network for the best picture, at most twice the multiply-adds of `georgescu2020`.

Like `fast` it learns what a cubic enlargement lacks, and all its convolutions see the low-resolution image. Chosen by
the experiments in `docs/experiments.md`.
"""

from typing import Any

import keras
from keras import layers

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.upscaling import cubic_phases, pixel_shuffle

FILTERS = 48
# Convolutions from FILTERS to FILTERS channels. The d stage at x2 has the smallest reference.
DEPTHS: dict[tuple[StageName, int], int] = {
    ("hw", 2): 10,
    ("hw", 3): 10,
    ("hw", 4): 10,
    ("d", 2): 7,
    ("d", 3): 8,
    ("d", 4): 10,
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
    first = features = _convolution(images, 1, policy)
    for number in range(2, DEPTHS[stage, scale] + 2):
        features = _convolution(features, number, policy)
    features = layers.Add(name="skip", dtype=policy)([features, first])
    details = layers.Conv2D(height_factor * width_factor, 3, padding="same", name="details", dtype=policy)(features)
    summed = layers.Add(name="sum", dtype="float32")([cubic_phases(images, stage, scale), details])
    upscaled = pixel_shuffle(summed, stage, scale)
    outputs = {
        name: layers.Activation("linear", name=name, dtype="float32")(upscaled) for name in ("intermediate", "final")
    }
    return keras.Model(images, outputs, name=f"quality_{stage}_x{scale}")


def reach(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels."""
    convolutions = DEPTHS[stage, scale] + 2
    return convolutions, convolutions


def _convolution(images: Any, number: int, policy: keras.DTypePolicy) -> Any:
    layer = layers.Conv2D(FILTERS, 3, padding="same", activation="relu", name=f"conv{number}", dtype=policy)
    return layer(images)
