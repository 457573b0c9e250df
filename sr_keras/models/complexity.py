"""Computational complexity of networks, counted from their graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError, MissingDependencyError
from sr_keras.framework import load_keras
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import network_of
from sr_keras.networks import output_factors


def macs(card: StageCard, height: int, width: int) -> int:
    """Return the MACs of all convolutions of a stage for one low-resolution image.

    Args:
        card: of the stage.
        height: of the image in pixels.
        width: of the image in pixels.

    Raises:
        MissingDependencyError: the card does not record its MACs, and Keras, which could count them, is not installed.
        ConfigurationError: the card does not record them, and no family builds its network.
    """
    if card.macs:
        return card.macs * height * width
    return network_macs(network_of(card), height, width)


def network_macs(network: Any, height: int, width: int) -> int:
    """Return the MACs of all convolutions of a Keras model for one image.

    Args:
        network: a Keras model with one input (batch, height, width, 1).
        height: of the image in pixels.
        width: of the image in pixels.
    """
    keras = load_keras()
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    probe = keras.Model(network.input, [layer.output for layer in convolutions])
    outputs: list[Any] = probe.compute_output_spec(keras.KerasTensor((1, height, width, 1)))
    return sum(
        int(np.prod(layer.kernel.shape)) * output.shape[1] * output.shape[2]
        for layer, output in zip(convolutions, outputs, strict=True)
    )


def parameters(network: Any) -> int:
    """Return the number of trainable parameters of a Keras model."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def workload_of(card: StageCard, stacks: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Return the workload of running a stage over stacks of images.

    Args:
        card: of the stage.
        stacks: shapes (count, height, width) of the low-resolution images, in pixels.

    Returns:
        `slices`, the number of images; `megapixels`, millions of output pixels; `macs`, 0 where they are neither on the
        card nor, without Keras, countable.
    """
    rows, columns = output_factors(card.stage, card.scale)
    pixels = sum(count * height * rows * width * columns for count, height, width in stacks)
    try:
        total = sum(count * macs(card, height, width) for count, height, width in stacks)
    # Of a network that no family builds, they cannot be counted by its card.
    except (MissingDependencyError, ConfigurationError):
        total = 0
    return {"slices": sum(count for count, _, _ in stacks), "megapixels": pixels / 1e6, "macs": total}


def stacks_of(stage: str, shape: Sequence[int], depth: int) -> list[tuple[int, int, int]]:
    """Return the stacks (count, height, width) of images that a stage processes for one volume.

    Args:
        stage: "hw" or "d". The d stage runs over both families of planes that contain the through-plane axis.
        shape: of the volume, (i, j, k) in voxels.
        depth: its through-plane axis, 0, 1 or 2.

    >>> stacks_of("d", (20, 30, 40), depth=2)
    [(30, 20, 40), (20, 30, 40)]
    """
    slices = shape[depth]
    first, second = (length for axis, length in enumerate(shape) if axis != depth)
    return [(second, first, slices), (first, second, slices)] if stage == "d" else [(slices, first, second)]
