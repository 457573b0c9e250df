"""Begin a training where another one ended: at a trained stage of the same network, or of a smaller one that grows.

The larger network computes at first what the smaller one does: T. Chen, I. Goodfellow, J. Shlens, "Net2Net:
Accelerating Learning via Knowledge Transfer", ICLR 2016, arXiv 1511.05641. Here layers are added behind the old ones,
as identities, and channels beside them: random ones, of which the old channels take nothing at first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ConfigurationError
from sr_keras.models.stages import TrainedStage, find_stage
from sr_keras.networks.conditional import conditional_chain
from sr_keras.networks.symmetry import features_order
from sr_keras.training.configuration import Configuration

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
# The first convolution's new channels, where a skip adds them to old ones, begin this small.
LITTLE = 0.001


@dataclass(frozen=True)
class Growth:
    """Where the channels of a chain lie in a larger one.

    Attributes:
        places: of the old channels in the output of each convolution of the larger chain but the last.
        beside: channels of the first convolution that a new skip adds to old ones of the last but one.
    """

    places: list[Places]
    beside: Places


def find_start(configuration: Configuration) -> TrainedStage | None:
    """Return the stage that a training begins at, None where it begins at nothing.

    Raises:
        UnknownModelError: there is no such stage.
        StageError: it cannot be read.
        ConfigurationError: it cannot grow into the network of the configuration.
    """
    name, network = configuration.training.start, configuration.network
    if not name:
        return None
    start = find_stage(name)
    card = start.card
    if not start.conditional or (card.stage, card.scale) != (network.stage, network.scale):
        raise ConfigurationError(
            f"training.start must name a conditional {network.stage} stage at x{network.scale}, not {name}."
        )
    bases = len(start.conditional_weights.convolutions["details"]["bases"])
    if bases != configuration.acquisition.bases:
        raise ConfigurationError(f"acquisition.bases must be {bases}, as in {name}.")
    growth_of(start, configuration)
    return start


def growth_of(start: TrainedStage, configuration: Configuration) -> Growth:
    """Return where the channels of a stage's chain lie in that of a configuration.

    Raises:
        ConfigurationError: they find no place.
    """
    network, card = configuration.network, start.card
    old, old_skip = conditional_chain(card.family, card.stage, card.scale)
    new, skip = conditional_chain(network.family, network.stage, network.scale)
    grows, rest = skip and not old_skip, len(new) - len(old)
    counts = [*old, *old[-1:] * rest]
    # With a skip of its own a chain can only go on as it is.
    fits = rest >= 0 and all(map(int.__le__, counts, new)) and (grows or not skip or old == new)
    if not fits or (old_skip and not skip) or (grows and old[0] + old[-1] > new[-1]):
        raise ConfigurationError(f"{start.name} cannot grow into {network.family}; name a smaller stage as start.")
    places = [_places(card.stage, *pair) for pair in zip(counts, new, strict=True)]
    if not grows:
        return Growth(places, np.array([], np.intp))
    # The skip brings the first convolution's old channels to the places where they were, so the last ones lie behind.
    places[-1] = _places(card.stage, counts[-1], new[-1], behind=True)
    return Growth(places, places[-1])


def start_as(model: Any, start: TrainedStage, configuration: Configuration) -> None:
    """Give an untrained conditional network what a stage has learned.

    Args:
        model: from `sr_keras.networks.conditional.build_conditional`.
        start: from `find_start`.
        configuration: of the training.
    """
    weights, growth = start.conditional_weights, growth_of(start, configuration)
    learned = (weights.mean, weights.deviation, weights.members)
    for name, values in zip(("mean", "deviation", "members"), learned, strict=True):
        getattr(model.get_layer("standard"), name).assign(values)
    for name, dense in zip(("hidden1", "hidden2"), weights.hidden, strict=True):
        model.get_layer(name).set_weights(dense)
    image = np.arange(1)
    names = [f"conv{number}" for number in range(1, len(growth.places) + 1)]
    pixels = np.arange(weights.convolutions["details"]["bias"].size)
    for name, incoming, outgoing in zip(
        (*names, "details", "linear"),
        (image, *growth.places, image),
        (*growth.places, pixels, pixels),
        strict=True,
    ):
        layer = model.get_layer(name)
        parts = _grown(_parts(layer), weights.convolutions.get(name), incoming, outgoing)
        if name == "conv1":
            for part in ("kernel", "bases"):
                parts[part][..., growth.beside] *= LITTLE
        _assign(layer, parts)


def _places(stage: Any, count: int, filters: int, *, behind: bool = False) -> Places:
    """Return the places of `count` channels among `filters`, the parities kept."""
    order, new = features_order(stage, count), features_order(stage, filters)
    channels = np.arange(filters).reshape(new)
    kept: Places = (channels[..., -order[2] :] if behind else channels[..., : order[2]]).ravel()
    return kept


def _parts(layer: Any) -> dict[str, Floats]:
    return {name: np.array(_variables(layer)[name]) for name in _variables(layer)}


def _assign(layer: Any, parts: Mapping[str, Floats]) -> None:
    for name, variable in _variables(layer).items():
        variable.assign(parts[name])


def _variables(layer: Any) -> dict[str, Any]:
    return {variable.name: variable for variable in layer.weights}


def _grown(
    parts: dict[str, Floats], old: Mapping[str, Floats] | None, incoming: Places, outgoing: Places
) -> dict[str, Floats]:
    """Return the parts of a layer with those of an old one among them, or an identity."""
    shape = parts["kernel"].shape[:2]
    if old is None:
        identity = np.zeros((*shape, incoming.size, outgoing.size), np.float32)
        identity[shape[0] // 2, shape[1] // 2] = np.eye(incoming.size)
        old = {"kernel": identity, "bias": 0.0, "bases": 0.0, "mixing": parts["mixing"], "film": 0.0}  # type: ignore[dict-item]
    for name in ("kernel", "bases"):
        # Old channels take nothing of new ones.
        parts[name][..., outgoing] = 0.0
        parts[name][..., incoming[:, None], outgoing] = old[name]
    parts["bias"][outgoing] = old["bias"]
    film = parts["film"].reshape(len(parts["film"]), 2, -1)
    film[..., outgoing] = np.reshape(old["film"], (-1, 2, outgoing.size)) if np.ndim(old["film"]) else 0.0
    return {**parts, "mixing": np.asarray(old["mixing"]), "film": film.reshape(len(film), -1)}
