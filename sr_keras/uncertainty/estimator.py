"""The estimators that ship, run on onnxruntime beside their stages."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines import Images
from sr_keras.engines.interface import Engine
from sr_keras.engines.onnx_engine import OnnxEngine, open_session
from sr_keras.errors import ConfigurationError, ModelFileError
from sr_keras.files import file_sha256, read_json
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import SHIPPED
from sr_keras.uncertainty import LEVEL

FOLDER = SHIPPED / "uncertainty"


@dataclass(frozen=True)
class Estimator:
    """What gives the half-widths of intervals around what a stage makes: an engine, for `Batched`.

    Attributes:
        path: of its ONNX file.
        card: of the stage.
        threads: of the processor; None is all cores.
    """

    path: Path
    card: StageCard
    threads: int | None = None

    def run(self, images: Images) -> Images:
        """Return half-widths for a batch.

        Args:
            images: (batch, height, width), float32, normalised; for the d stage (batch, in-plane, depth).

        Returns:
            What the stage upsamples them to, in shape; float32, normalised, calibrated.
        """
        half_widths: Images = self._session.run(None, {"lr": np.ascontiguousarray(images, np.float32)})[0]
        return half_widths

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`."""
        return bool(self._session.get_providers() == ["CPUExecutionProvider"])

    @cached_property
    def record(self) -> dict[str, Any]:
        """What is known of it: the level, the calibration scans, and what weights of the stage it was learned for."""
        content: dict[str, Any] = json.loads(OnnxEngine.embedded(self.path) or "{}")
        return content

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its file."""
        return file_sha256(self.path)

    @cached_property
    def _session(self) -> Any:
        return open_session(self.path, self.threads, spinning=False)


def estimator_of(engine: Engine) -> Estimator:
    """Return the estimator of a stage on the scan that its engine is folded for.

    Raises:
        ConfigurationError: there is none for this stage.
        ModelFileError: the file is missing, or was not learned for the weights of the stage.
    """
    card = engine.card
    path = FOLDER / f"{card.name}.onnx"
    if not (path.is_file() and getattr(engine, "conditional", False)):
        raise ConfigurationError(
            f"Nothing estimates the uncertainty of {card.name}; use --quality fast, or leave --uncertainty out."
        )
    estimator = Estimator(path, card, getattr(engine, "threads", None))
    if estimator.record.get("stage_sha256") != card.weights_sha256:
        raise ModelFileError(f"{path.name} was not learned for the weights of {card.name}; install sr_keras again.")
    return estimator


def coverage_records(estimators: Iterable[Estimator]) -> dict[str, Any]:
    """Return the level of intervals, what they were calibrated on and what share of other scans' voxels they held."""
    known = list(estimators)
    reached = read_json(FOLDER / "coverage.json", ModelFileError) if known else {}
    return {
        "Level": LEVEL,
        "CalibratedOn": [f"{len(each.record['calibrated_on'])} scans" for each in known],
        "CoverageOnOtherScans": {each.card.name: reached.get(each.card.name) for each in known},
        "Estimators": {each.card.name: each.sha256 for each in known},
    }
