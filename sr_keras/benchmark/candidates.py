"""The engines that a benchmark compares: models and files as given, or each model exported to several formats."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sr_keras.benchmark.session import Candidate
from sr_keras.engines.formats import FORMATS, PRECISIONS, FormatName, Precision
from sr_keras.errors import ConfigurationError
from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import TrainedStage, find_stage


def find_candidates(models: Sequence[str], engines: str | None, precision: str, folder: Path) -> list[Candidate]:
    """Return the engines to measure.

    Args:
        models: shipped names, training runs, or exported files.
        engines: comma-separated list of "keras" and formats, to which each model is exported; None exports nothing.
        precision: of the exported files.
        folder: an empty folder for the exported files.

    Raises:
        ConfigurationError: an engine or a precision does not exist.
        StageError: a model to export is not a stage.
        ModelFileError: an exported file differs too much from Keras.
        MissingDependencyError: a package that an engine needs is not installed.
    """
    if engines is None:
        return [Candidate(Path(model).name, model) for model in models]
    names = [name.strip() for name in engines.split(",")]
    for name in names:
        if name != "keras" and name not in FORMATS:
            raise ConfigurationError(f"{name} is not an engine; choose from keras, {', '.join(FORMATS)}.")
    if precision not in PRECISIONS:
        raise ConfigurationError(f"{precision} is not a precision; choose from {', '.join(PRECISIONS)}.")
    stages = [find_stage(model) for model in models]
    several = len(stages) > 1
    return [
        _candidate(stage, name, precision, folder, prefix=f"{stage.name} " if several else "")
        for stage in stages
        for name in names
    ]


def _candidate(stage: TrainedStage, engine: str, precision: Precision, folder: Path, *, prefix: str) -> Candidate:
    if engine == "keras":
        return Candidate(f"{prefix}keras", stage.name, "keras")
    request = Request(stage, precision, shipped_reference_slices())
    path, _ = export_stage(request, cast(FormatName, engine), folder)
    return Candidate(f"{prefix}{engine}", str(path))
