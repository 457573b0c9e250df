"""Which engines a benchmark compares: models and files as they are, or a model exported for each of several engines."""

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
    """Return what is to be measured.

    Args:
        models: shipped names, runs, or exported files.
        engines: "keras" and formats, with commas between; each model is exported to them; None takes them as is.
        precision: of what is exported.
        folder: an empty folder for what is exported.

    Raises:
        ConfigurationError: an engine or a precision does not exist.
        StageError: a model that is to be exported is no stage.
        ModelFileError: an exported file is too far from Keras.
        MissingDependencyError: a package that an engine needs is not installed.
    """
    if engines is None:
        return [Candidate(Path(model).name, model) for model in models]
    names = [name.strip() for name in engines.split(",")]
    for name in names:
        if name != "keras" and name not in FORMATS:
            raise ConfigurationError(f"An engine must be one of keras, {', '.join(FORMATS)}. Received: {name}.")
    if precision not in PRECISIONS:
        raise ConfigurationError(f"The precision must be one of {', '.join(PRECISIONS)}. Received: {precision}.")
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
