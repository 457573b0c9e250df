"""How much arithmetic a network needs, counted from its graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sr_keras.errors import MissingDependencyError
from sr_keras.framework import load_keras
from sr_keras.models.stages import StageCard
from sr_keras.networks import build_network, output_factors


def macs(card: StageCard, height: int, width: int) -> int:
    """Return the MACs of all convolutions of a stage for one low-resolution image.

    Args:
        card: what the stage is.
        height: of the image in pixels.
        width: of the image in pixels.

    Raises:
        MissingDependencyError: the card does not say, and Keras, which holds the graph, is not installed.
    """
    if card.macs:
        return card.macs * height * width
    return network_macs(build_network(card.family, card.stage, card.scale), height, width)


def network_macs(network: Any, height: int, width: int) -> int:
    """Return the same for a Keras model with one input of free height and width."""
    keras = load_keras()
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    probe = keras.Model(network.input, [layer.output for layer in convolutions])
    outputs: list[Any] = probe.compute_output_spec(keras.KerasTensor((1, height, width, 1)))
    return sum(
        int(np.prod(layer.kernel.shape)) * output.shape[1] * output.shape[2]
        for layer, output in zip(convolutions, outputs, strict=True)
    )


def parameters(network: Any) -> int:
    """Return how many numbers of a Keras model training fits."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def workload_of(card: StageCard, stacks: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Return how much a run is: `slices`, `megapixels` of them enlarged, and `macs`, 0 without Keras.

    Args:
        card: what the stage is.
        stacks: of low-resolution images, (count, height, width) each.
    """
    rows, columns = output_factors(card.stage, card.scale)
    pixels = sum(count * height * rows * width * columns for count, height, width in stacks)
    try:
        adds = sum(count * macs(card, height, width) for count, height, width in stacks)
    except MissingDependencyError:
        adds = 0
    return {"slices": sum(count for count, _, _ in stacks), "megapixels": pixels / 1e6, "macs": adds}


def stacks_of(stage: str, shape: Sequence[int], depth: int) -> list[tuple[int, int, int]]:
    """Return the stacks (count, height, width) of images that a stage cuts a volume into.

    Args:
        stage: "hw" or "d".
        shape: of the volume.
        depth: its through-plane axis.
    """
    slices = shape[depth]
    first, second = (length for axis, length in enumerate(shape) if axis != depth)
    return [(second, first, slices), (first, second, slices)] if stage == "d" else [(slices, first, second)]
