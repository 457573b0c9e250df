"""Trained stages: weights and a card that describes them, shipped with the package or written by a training run.

A stage is two files of one name, `NAME.json` (the card) and `NAME.weights.h5`, of a conditional stage
`NAME.weights.npz`. Neither holds code: the network is built by its family's module, and the weights are plain arrays.
"""

import math
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from sr_keras.errors import StageError, UnknownModelError
from sr_keras.files import atomic_write, file_sha256, read_json
from sr_keras.framework import load_keras
from sr_keras.models.cards import StageCard, weights_path, write_card
from sr_keras.networks import build_network
from sr_keras.networks.folding import ConditionalWeights, load_conditional_weights, save_conditional_weights
from sr_keras.resources import check_room

# The folder of the stages that ship with the package.
SHIPPED = Path(str(files("sr_keras") / "weights"))
# Bytes that HDF5 takes for an array beside its values, at most, and those of a value.
ARRAY_BYTES, VALUE_BYTES = 8192, 4


class Stage(Protocol):
    """A network and its card: a `TrainedStage`, or a Keras model at hand, see `sr_keras.models.own`."""

    @property
    def name(self) -> str:
        """How messages call it."""

    @property
    def card(self) -> StageCard:
        """Its description."""

    @property
    def network(self) -> Any:
        """The Keras model, with the outputs `intermediate` and `final`."""


@dataclass(frozen=True)
class TrainedStage:
    """A card and the weights beside it.

    Attributes:
        name: the shipped name, or the path given to `find_stage`.
        card: description and provenance.
        weights: path of the weights file.
    """

    name: str
    card: StageCard
    weights: Path

    @property
    def conditional(self) -> bool:
        """Whether its weights depend on the scan, see `sr_keras.networks.conditional`."""
        return bool(self.card.description)

    @cached_property
    def network(self) -> Any:
        """The Keras model with its weights, folded for the card's description if it is conditional. Imports Keras.

        Raises:
            StageError: the weights are not those of the card, or do not fit its network.
            MissingDependencyError: Keras or its backend is not installed.
        """
        self._check_weights()
        load_keras()
        card = self.card
        try:
            if self.conditional:
                return self._folded()
            model = network_of(card)
            with warnings.catch_warnings():
                # Keras only warns where a layer is missing from the file, and leaves it untrained.
                warnings.simplefilter("error", UserWarning)
                model.load_weights(self.weights)
        except (OSError, ValueError, KeyError, RuntimeError, UserWarning) as error:
            raise StageError(
                f"{self.weights.name} does not fit the network on its card ({card.family}, {card.stage}, "
                f"x{card.scale}); use the card it was saved with."
            ) from error
        return model

    @cached_property
    def conditional_weights(self) -> ConditionalWeights:
        """What a conditional stage has learned.

        Raises:
            StageError: the weights are not those of the card, or not those of a conditional stage.
        """
        self._check_weights()
        try:
            return load_conditional_weights(self.weights)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise StageError(
                f"{self.weights.name} holds no conditional stage; use the card it was saved with."
            ) from error

    def for_scan(self, description: Iterable[float]) -> "TrainedStage":
        """Return a conditional stage whose network is folded for a scan.

        Args:
            description: of the scan, see `sr_keras.networks.folding.fold`.
        """
        stage = replace(self, card=replace(self.card, description=[float(number) for number in description]))
        # Read once, however many scans there are.
        stage.__dict__["conditional_weights"] = self.conditional_weights
        return stage

    def _folded(self) -> Any:
        from sr_keras.networks.conditional import fold_into

        network = network_of(self.card)
        fold_into(network, self.conditional_weights, self.card.description)
        return network

    def _check_weights(self) -> None:
        if not self.weights.is_file() or file_sha256(self.weights) != self.card.weights_sha256:
            raise StageError(
                f"{self.weights.name} is missing or has another SHA-256 than the card of {self.name} states; "
                "copy both files again."
            )


def network_of(card: StageCard, policy: str = "float32") -> Any:
    """Return the network of a card's stage without its weights: the family's, or the plain chain of a conditional or
    adapted stage.

    Args:
        card: of the stage.
        policy: a Keras dtype policy.
    """
    if not (card.chain or card.description):
        return build_network(card.family, card.stage, card.scale, policy)
    from sr_keras.networks.conditional import build_folded, conditional_chain

    if card.chain:
        widths, skip = card.chain["widths"], card.chain["skip"]
    else:
        widths, skip = conditional_chain(card.family, card.stage, card.scale)
    return build_folded(card.stage, card.scale, widths=widths, skip=skip, precision=policy, name=card.family)


def shipped_stages() -> dict[str, TrainedStage]:
    """Return the stages that ship with the package, by name.

    >>> from sr_keras import shipped_stages
    >>> shipped_stages()["fast_hw_x4"].card.scale
    4
    """
    return {path.stem: _read_stage(path, path.stem) for path in sorted(SHIPPED.glob("*.json"))}


def find_stage(name: str | os.PathLike[str]) -> TrainedStage:
    """Return a trained stage.

    Args:
        name: a shipped name, the path of a stage's card, or the folder of the run that trained it.

    Raises:
        UnknownModelError: it is none of those.
        StageError: its card cannot be read.

    >>> from sr_keras import find_stage
    >>> find_stage("fast_d_x2").card.receptive_field_radius
    (5, 5)
    """
    path, name = Path(name), os.fspath(name)
    if path.is_dir():
        path = path / "stage.json"
    if path.suffix == ".json" and path.is_file():
        return _read_stage(path, name)
    stages = shipped_stages()
    if name not in stages:
        raise UnknownModelError(
            f"{name} is not a model; name a training run's folder, a stage's .json file or one of {', '.join(stages)}."
        )
    return stages[name]


def load_model(name: str | os.PathLike[str]) -> Any:
    """Return the Keras model of a trained stage.

    Args:
        name: a shipped name, the path of a stage's card, or the folder of the run that trained it.

    Returns:
        A Keras functional model: (batch, height, width, 1), normalised intensities -> {"intermediate", "final"}, each
        (batch, height * scale or height, width * scale, 1). A conditional network is folded for the description on its
        card, so that it is a plain one.

    Raises:
        UnknownModelError: it is none of those.
        StageError: its card or its weights cannot be read.
        MissingDependencyError: Keras or its backend is not installed.

    >>> from sr_keras import load_model
    >>> load_model("fast_hw_x2").output["final"].shape
    (None, None, None, 1)
    """
    return find_stage(name).network


def save_stage(network: Any, card: StageCard, path: str | os.PathLike[str]) -> Path:
    """Write the weights of a Keras model and their card.

    Args:
        network: the trained Keras model. It loses its optimizer.
        card: its description; `weights_sha256` is filled in here.
        path: of both files, without suffix.

    Returns:
        The path of the card.

    Raises:
        OutputError: a file cannot be written.
    """
    path = Path(path)
    weights, target = weights_path(path, card), path.with_name(path.name + ".json")
    with atomic_write(weights) as temporary:
        if card.description:
            from sr_keras.networks.conditional import conditional_weights

            save_conditional_weights(temporary, conditional_weights(network))
        else:
            # The state of the optimizer would make the file three times as large.
            network.optimizer = None
            check_weights_fit(path, network.variables)
            network.save_weights(temporary)
    write_card(replace(card, weights_sha256=file_sha256(weights)), target)
    return target


def check_weights_fit(path: Path, variables: Iterable[Any]) -> None:
    """Refuse to write weights that may not fit: HDF5 reports that, and then crashes the process when it ends.

    Args:
        path: in the folder of the file.
        variables: of Keras, that are written.

    Raises:
        OutputError: there may be too little room.
    """
    check_room(path, sum(ARRAY_BYTES + VALUE_BYTES * math.prod(variable.shape) for variable in variables))


def _read_stage(path: Path, name: str) -> TrainedStage:
    content = read_json(path, StageError)
    try:
        card = StageCard.parse(content)
    except (ValueError, KeyError, TypeError) as error:
        raise StageError(f"{path} is not a stage's card ({error!r}); copy it again from its training run.") from error
    return TrainedStage(name, card, weights_path(path.with_suffix(""), card))
