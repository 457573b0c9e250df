"""Trained stages: weights and a card that describes them, shipped with the package or written by a training run.

A stage is two files of one name, `NAME.json` (the card) and `NAME.weights.h5`, of a conditional stage
`NAME.weights.npz`. Neither holds code: the network is built by its family's module, and the weights are plain arrays.
"""

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, Self

from sr_keras.errors import StageError, UnknownModelError
from sr_keras.files import atomic_write, file_sha256, read_json
from sr_keras.framework import load_keras
from sr_keras.networks import STAGES, StageName, build_network
from sr_keras.networks.folding import ConditionalWeights, load_conditional_weights, save_conditional_weights

WEIGHTS_SUFFIX, CONDITIONAL_SUFFIX = ".weights.h5", ".weights.npz"
# Bounds of the chain on a card, which may come from anywhere.
LONGEST_CHAIN, WIDEST_CHAIN = 64, 1024
# The folder of the stages that ship with the package.
SHIPPED = Path(str(files("sr_keras") / "weights"))


@dataclass(frozen=True)
class StageCard:
    """Description and provenance of a trained stage.

    Attributes:
        family: the network family.
        stage: "hw" or "d".
        scale: upsampling factor, 2 or more.
        receptive_field_radius: of the network along height and width, in low-resolution pixels.
        modalities: of the training scans, "CT" or "MR".
        trained_on: file name and SHA-256 of each training scan.
        scores: rows of `sr-keras evaluate` for this stage, under its family's name, and for each interpolation; empty
            if it was not evaluated.
        configuration: of the training run.
        versions: of the libraries used for training.
        weights_sha256: SHA-256 of the weights file.
        validated_on: file name and SHA-256 of each scan by which the best epoch was selected.
        data: `what`, `source` and `licence` of each training scan, as far as known.
        training_seconds: duration of training over all sessions of the run; None if not recorded.
        parameters: number of trainable parameters; 0 if not recorded.
        macs: MACs of all convolutions for one low-resolution pixel; 0 if not recorded.
        description: what a conditional network is told of a scan by default: a fingerprint, see
            `sr_keras.acquisition.fingerprint`, and how much noise is kept. Empty for a network that is not conditional.
        chain: of a stage adapted to a scan, `widths` and `skip` of its chain, see
            `sr_keras.networks.conditional.build_folded`. Empty for the network of the family itself.
        start: SHA-256 of the weights that training began at, see `training.start` of the configuration; empty where it
            began at random ones.
    """

    family: str
    stage: StageName
    scale: int
    receptive_field_radius: tuple[int, int]
    modalities: list[str]
    trained_on: dict[str, str]
    scores: list[dict[str, Any]]
    configuration: dict[str, Any]
    versions: dict[str, str]
    weights_sha256: str = ""
    validated_on: dict[str, str] = field(default_factory=dict)
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    training_seconds: float | None = None
    parameters: int = 0
    macs: int = 0
    description: list[float] = field(default_factory=list)
    chain: dict[str, Any] = field(default_factory=dict)
    start: str = ""

    @property
    def name(self) -> str:
        """The name under which the stage ships, "georgescu2020_hw_x2"."""
        return f"{self.family}_{self.stage}_x{self.scale}"

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Return the card that parsed JSON describes. Optional fields that an older card lacks keep their defaults.

        Raises:
            KeyError: a required field is missing.
            TypeError: a required field is missing, or the content is no mapping.
            ValueError: a field has a value that no card can have.
        """
        known = {item.name: content[item.name] for item in fields(cls) if item.name in content}
        card = cls(**known | {"receptive_field_radius": tuple(content["receptive_field_radius"])})
        card._check()
        return card

    def _check(self) -> None:
        """Refuse values that would fail later, or garble a terminal: cards may come from anywhere."""
        radius = self.receptive_field_radius
        valid = {
            "family": isinstance(self.family, str) and self.family.isidentifier(),
            "stage": self.stage in STAGES,
            "scale": _is_count(self.scale) and self.scale > 1,
            "receptive_field_radius": len(radius) == 2 and all(map(_is_count, radius)),
            "modalities": isinstance(self.modalities, list) and all(isinstance(each, str) for each in self.modalities),
            "scores": isinstance(self.scores, list) and all(isinstance(row, dict) for row in self.scores),
            "parameters": _is_count(self.parameters),
            "macs": _is_count(self.macs),
            "description": isinstance(self.description, list)
            and all(isinstance(each, float) for each in self.description),
            "chain": _is_chain(self.chain),
            "start": isinstance(self.start, str),
        }
        mappings = (self.trained_on, self.configuration, self.versions, self.validated_on, self.data)
        wrong = [name for name, holds in valid.items() if not holds]
        if wrong or not all(isinstance(each, dict) for each in mappings):
            raise ValueError(f"invalid {wrong[0] if wrong else 'mapping'}")


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
            network.save_weights(temporary)
    write_card(replace(card, weights_sha256=file_sha256(weights)), target)
    return target


def weights_path(path: Path, card: StageCard) -> Path:
    """Return the path of the weights of a stage whose files have a path without suffix."""
    return path.with_name(path.name + (CONDITIONAL_SUFFIX if card.description else WEIGHTS_SUFFIX))


def write_card(card: StageCard, path: str | os.PathLike[str]) -> None:
    """Write a card as JSON.

    Args:
        card: the card.
        path: of the file; an existing one is replaced.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=2) + "\n")


def _read_stage(path: Path, name: str) -> TrainedStage:
    content = read_json(path, StageError)
    try:
        card = StageCard.parse(content)
    except (ValueError, KeyError, TypeError) as error:
        raise StageError(f"{path} is not a stage's card ({error!r}); copy it again from its training run.") from error
    return TrainedStage(name, card, weights_path(path.with_suffix(""), card))


def _is_chain(value: Any) -> bool:
    """Say whether a value describes the chain of an adapted stage, or none."""
    if value == {}:
        return True
    widths = value.get("widths") if isinstance(value, dict) else None
    return (
        isinstance(widths, list)
        and 0 < len(widths) <= LONGEST_CHAIN
        and all(_is_count(each) and 0 < each <= WIDEST_CHAIN for each in widths)
        and isinstance(value.get("skip"), bool)
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
