"""A Keras model at hand as a stage: a network of one's own, that no family builds and no card came with."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError
from sr_keras.framework import load_keras
from sr_keras.models.cards import StageCard
from sr_keras.models.complexity import network_macs, parameters
from sr_keras.networks import STAGES, StageName
from sr_keras.networks.inspection import check_network, named_outputs


@dataclass(frozen=True)
class ModelStage:
    """A Keras model and the card that was made for it.

    Attributes:
        name: that of the card.
        card: what could be found out about the model.
        network: the Keras model, with the outputs `intermediate` and `final`.
    """

    name: str
    card: StageCard
    network: Any


def stage_of_model(model: Any, stage: StageName, scale: int) -> ModelStage:
    """Return a Keras model as a stage.

    Args:
        model: from (batch, height, width, 1), normalised intensities, height and width free, to one tensor or to a
            dictionary with `final`: (batch, height * scale, width * scale, 1), for the d stage (batch, in-plane,
            depth * scale, 1).
        stage: "hw" or "d".
        scale: upsampling factor, 2 or more.

    Raises:
        ConfigurationError: the model has another input, other outputs or other factors.
        MissingDependencyError: Keras or its backend is not installed.
    """
    if stage not in STAGES:
        raise ConfigurationError(f"The stage must be hw (height and width) or d (depth). Received: {stage}.")
    if type(scale) is not int or scale < 2:
        raise ConfigurationError(f"The scale must be a whole number, 2 or more. Received: {scale}.")
    load_keras()
    network = named_outputs(model)
    found = check_network(network, stage, scale)
    card = StageCard(
        family=_identifier(network.name),
        stage=stage,
        scale=scale,
        receptive_field_radius=found.receptive_field_radius,
        # What it was trained on is its owner's to know.
        modalities=["CT", "MR"],
        trained_on={},
        scores=[],
        configuration={},
        versions={},
        weights_sha256=weights_digest(network),
        parameters=parameters(network),
        macs=_macs(network),
    )
    return ModelStage(card.name, card, network)


def weights_digest(network: Any) -> str:
    """Return the SHA-256 of the weights of a Keras model: of type, shape and bytes of each array, in their order."""
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _identifier(name: str) -> str:
    text = "".join(each if each.isalnum() and each.isascii() else "_" for each in name)
    return text if text.isidentifier() else f"network_{text}"


def _macs(network: Any) -> int:
    """Return the MACs for one low-resolution pixel; 0, which is "not recorded", where layers are not counted."""
    layers = load_keras().layers
    weighted = [layer for layer in network.layers if layer.weights]
    if not weighted or any(type(layer) is not layers.Conv2D or set(layer.strides) != {1} for layer in weighted):
        return 0
    try:
        return network_macs(network, 1, 1)
    except (AttributeError, ValueError):
        # A layer that is used twice has two outputs.
        return 0
