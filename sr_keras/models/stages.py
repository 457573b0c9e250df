"""Trained stages: weights with a card that says what they are, shipped with the package or made by a run.

A stage is two files of one name, `NAME.json` (the card) and `NAME.weights.h5`. Nothing in them is ever executed: the
network is built from its family's code, and the weights are plain arrays.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from sr_keras.errors import StageError
from sr_keras.files import atomic_write, file_sha256
from sr_keras.framework import load_keras
from sr_keras.networks import StageName, build_network

WEIGHTS_SUFFIX = ".weights.h5"
# Where the stages lie that come with the package.
SHIPPED = Path(str(files("sr_keras") / "weights"))


@dataclass(frozen=True)
class StageCard:
    """What a trained stage is and where it came from.

    Attributes:
        family: the network's family.
        stage: "hw" or "d".
        scale: the factor it enlarges by.
        receptive_field_radius: of the network along height and width, in low-resolution pixels.
        modalities: what it was trained on, of "CT" and "MR".
        trained_on: file name and SHA-256 of each training scan.
        scores: rows of `sr-keras evaluate` for this stage, under its family's name, and for all interpolations, where
            they were measured.
        configuration: of the training run.
        versions: of the libraries it was trained with.
        weights_sha256: of the weights' file.
        validated_on: file name and SHA-256 of each scan that the best epoch was chosen on.
        data: by training scan what it shows, its `source` and its `licence`, where that was looked up.
        training_seconds: how long training took, over all sessions of the run; None where nobody measured it.
        parameters: numbers that training fitted; 0 on cards that do not say.
        macs: of all convolutions for one low-resolution pixel; 0 on cards that do not say.
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

    @property
    def name(self) -> str:
        """What the stage is called where it ships, "georgescu2020_hw_x2"."""
        return f"{self.family}_{self.stage}_x{self.scale}"

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Return the card that parsed JSON describes. What older cards do not say stays unknown.

        Raises:
            KeyError: what every card says is missing.
            TypeError: it is no mapping, or its radius no list.
        """
        known = {item.name: content[item.name] for item in fields(cls) if item.name in content}
        return cls(**known | {"receptive_field_radius": tuple(content["receptive_field_radius"])})


@dataclass(frozen=True)
class TrainedStage:
    """A card and the weights beside it.

    Attributes:
        name: the shipped name, or the path it was found at.
        card: what it is.
        weights: the weights' file.
    """

    name: str
    card: StageCard
    weights: Path

    @cached_property
    def network(self) -> Any:
        """The Keras model with its weights. Imports Keras.

        Raises:
            StageError: the weights are not those of the card, or do not fit its network.
            MissingDependencyError: Keras or its backend is not installed.
        """
        if not self.weights.is_file() or file_sha256(self.weights) != self.card.weights_sha256:
            raise StageError(
                f"The weights of {self.name} must be the file its card was written for. Received: {self.weights.name}, "
                "which is missing or has another SHA-256. Copy both files again."
            )
        load_keras()

        model = build_network(self.card.family, self.card.stage, self.card.scale)
        try:
            with warnings.catch_warnings():
                # Keras only warns where a file lacks a layer, and leaves it untrained.
                warnings.simplefilter("error", UserWarning)
                model.load_weights(self.weights)
        except (OSError, ValueError, KeyError, UserWarning) as error:
            raise StageError(
                f"The weights must fit the configuration on their card ({self.card.family}, {self.card.stage}, "
                f"x{self.card.scale}). Received: {self.weights.name}, which does not. Use the card it was saved with."
            ) from error
        return model


def shipped_stages() -> dict[str, TrainedStage]:
    """Return the stages that come with the package, by name."""
    return {path.stem: _read_stage(path, path.stem) for path in sorted(SHIPPED.glob("*.json"))}


def find_stage(name: str) -> TrainedStage:
    """Return a stage by its shipped name, by the path of its card, or by the folder of the run that trained it.

    Raises:
        StageError: there is none, or its card cannot be read.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "stage.json"
    if path.suffix == ".json" and path.is_file():
        return _read_stage(path, name)
    stages = shipped_stages()
    if name not in stages:
        raise StageError(
            f"A model must be a run's folder, a stage's .json file, or one of {', '.join(stages)}. Received: {name}."
        )
    return stages[name]


def save_stage(network: Any, card: StageCard, path: Path) -> Path:
    """Write the weights of a Keras model and their card.

    Args:
        network: the trained model.
        card: what it is; `weights_sha256` is filled in here.
        path: where, without suffix.

    Returns:
        The path of the card.
    """
    weights, target = path.with_name(path.name + WEIGHTS_SUFFIX), path.with_name(path.name + ".json")
    # A copy without optimizer, whose state would make the file three times as large.
    network.optimizer = None
    with atomic_write(weights) as temporary:
        network.save_weights(temporary)
    write_card(replace(card, weights_sha256=file_sha256(weights)), target)
    return target


def write_card(card: StageCard, path: Path) -> None:
    """Write a card as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=2) + "\n")


def _read_stage(path: Path, name: str) -> TrainedStage:
    try:
        card = StageCard.parse(json.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"A stage's card must be JSON with the fields that save_stage writes. Received: {path}: {error!r}. "
            "Copy it again from the run that made it."
        ) from error
    return TrainedStage(name, card, path.with_name(path.stem + WEIGHTS_SUFFIX))
