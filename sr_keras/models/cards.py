"""Model cards: what a trained stage is, what it was trained on, and how it scored; JSON beside its weights."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from sr_keras.files import atomic_write
from sr_keras.networks import STAGES, StageName

WEIGHTS_SUFFIX, CONDITIONAL_SUFFIX = ".weights.h5", ".weights.npz"
# Bounds of the chain on a card, which may come from anywhere.
LONGEST_CHAIN, WIDEST_CHAIN = 64, 1024


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
            `sr_keras.networks.conditional.build_folded`, and `mirrored` where images are to be mirrored beyond their
            borders. Empty for the network of the family itself.
        start: SHA-256 of the weights that training began at, see `training.start` of the configuration; empty where it
            began at random ones.
        averaged: where the weights are a mean of several, SHA-256 and share of each; all else that the card says of
            training is then of the first. Empty where they are not.
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
    averaged: dict[str, float] = field(default_factory=dict)

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
            "averaged": isinstance(self.averaged, dict)
            and all(isinstance(share, float) for share in self.averaged.values()),
        }
        mappings = (self.trained_on, self.configuration, self.versions, self.validated_on, self.data)
        wrong = [name for name, holds in valid.items() if not holds]
        if wrong or not all(isinstance(each, dict) for each in mappings):
            raise ValueError(f"invalid {wrong[0] if wrong else 'mapping'}")


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
        and isinstance(value.get("mirrored", False), bool)
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
