"""The engines that a benchmark compares: models and files as given, or each model exported to several formats."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sr_keras.benchmark.session import Candidate
from sr_keras.benchmark.settings import OWN_MODEL
from sr_keras.engines.formats import FORMATS, PRECISIONS, FormatName, Precision
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import load_engine
from sr_keras.errors import ConfigurationError
from sr_keras.export import Request, export_stage
from sr_keras.models.cards import write_card
from sr_keras.models.own import ModelStage
from sr_keras.models.stages import Stage, find_stage


def find_candidates(
    models: Sequence[str | KerasEngine], engines: str | None, precision: str, folder: Path
) -> list[Candidate]:
    """Return the engines to measure.

    Args:
        models: shipped names, training runs, exported files, or engines of Keras models.
        engines: comma-separated list of "keras", "webgpu" and formats, to which each model is exported; None exports
            nothing.
        precision: of the exported files.
        folder: an empty folder for the exported files.

    Raises:
        ConfigurationError: an engine or a precision does not exist.
        UnknownModelError: there is no such model.
        StageError: a model to export is not a stage.
        ModelFileError: an exported file differs too much from Keras.
        MissingDependencyError: a package that an engine needs is not installed.
    """
    if engines is None:
        for model in models:
            # Here, and not in the process that measures it, where seconds have passed.
            if isinstance(model, str):
                load_engine(model)
        return [
            Candidate(Path(model).name, model)
            if isinstance(model, str)
            else _candidate(model.stage, "keras", "fp32", folder, prefix=f"{model.name} ")
            for model in models
        ]
    names = [name.strip() for name in engines.split(",")]
    for name in names:
        if name not in ("keras", "webgpu", *FORMATS):
            raise ConfigurationError(f"{name} is not an engine; choose from keras, webgpu, {', '.join(FORMATS)}.")
    if precision not in PRECISIONS:
        raise ConfigurationError(f"{precision} is not a precision; choose from {', '.join(PRECISIONS)}.")
    stages = [find_stage(model) if isinstance(model, str) else model.stage for model in models]
    several = len(stages) > 1
    return [
        _candidate(stage, name, precision, folder, prefix=f"{stage.name} " if several else "")
        for stage in stages
        for name in names
    ]


def _candidate(stage: Stage, engine: str, precision: Precision, folder: Path, *, prefix: str) -> Candidate:
    if engine == "keras" and isinstance(stage, ModelStage):
        return Candidate(f"{prefix}keras", _saved(stage, folder), OWN_MODEL)
    if engine == "keras":
        return Candidate(f"{prefix}keras", stage.name, "keras")
    if engine == "webgpu":
        folder /= engine
        folder.mkdir(exist_ok=True)
        path, _ = export_stage(Request(stage, precision), "onnx", folder)
        return Candidate(f"{prefix}{engine}", str(path), engine)
    path, _ = export_stage(Request(stage, precision), cast(FormatName, engine), folder)
    return Candidate(f"{prefix}{engine}", str(path))


def _saved(stage: ModelStage, folder: Path) -> str:
    """Write a Keras model and its card for the process that measures it, and return the path of the model."""
    path = folder / f"{stage.name}.keras"
    stage.network.save(path)
    write_card(stage.card, path.with_suffix(".json"))
    return str(path)
