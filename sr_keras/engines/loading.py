"""From a name or a path to an engine."""

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

from sr_keras.engines.formats import FORMATS, FormatName, format_of
from sr_keras.engines.interface import NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.manifest import Manifest, read_manifest
from sr_keras.engines.model_file import ModelFileEngine, refused
from sr_keras.errors import ModelFileError
from sr_keras.models.stages import SHIPPED, TrainedStage, find_stage

Kind = Literal["keras", "onnx"]
# Where the class that runs each format lives.
HOMES: dict[FormatName, tuple[str, str]] = {
    "saved_model": ("saved_model_engine", "SavedModelEngine"),
    "onnx": ("onnx_engine", "OnnxEngine"),
    "litert": ("litert_engine", "LitertEngine"),
    "openvino": ("openvino_engine", "OpenvinoEngine"),
    "tensorrt": ("tensorrt_engine", "TensorrtEngine"),
    "tensorrt-rtx": ("tensorrt_engine", "TensorrtRtxEngine"),
}
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def load_engine(name: str | Path, kind: Kind | None = None) -> NamedEngine:
    """Return the engine for a shipped model, a trained run or an exported file. The runtime loads at the first run.

    Args:
        name: a shipped name, the path of a run or of a stage's card, or the path of an exported file.
        kind: of a shipped model, "keras" or "onnx". None takes onnxruntime, except where there is a GPU that only
            Keras can use.

    Raises:
        StageError: there is no such model.
        ModelFileError: the file is of no format known, damaged, or not the one its manifest was written for.
        MissingDependencyError: a file without its manifest needs a runtime to say what it is, and that is missing.
    """
    path = Path(name)
    found = format_of(path)
    if found and path.exists():
        return load_model_file(path)
    if path.is_file() and path.suffix != ".json":
        suffixes = ", ".join(item.suffix for item in FORMATS.values())
        raise ModelFileError(
            f"A model file must end in one of {suffixes}, or be a stage's .json. Received: {path}. "
            "Export the model with sr-keras export."
        )
    stage = find_stage(str(name))
    shipped = shipped_onnx(stage)
    if shipped is None or (kind or default_kind()) == "keras":
        return KerasEngine(stage)
    engine = load_model_file(shipped, stage.name)
    if engine.card.weights_sha256 != stage.card.weights_sha256:
        raise ModelFileError(
            f"The ONNX file of {stage.name} must be made of its weights. Received: {shipped.name}, made of others. "
            "Install sr_keras again."
        )
    return engine


def load_model_file(path: Path, name: str = "") -> ModelFileEngine:
    """Return the engine for an exported file, under its own name or another.

    Raises:
        ModelFileError: it cannot be used; see `load_engine`.
    """
    manifest = manifest_of(path)
    return engine_class(manifest.format)(path, manifest, name)


def manifest_of(path: Path) -> Manifest:
    """Return the manifest of an exported file: the one beside it, else the facts inside it.

    Raises:
        ModelFileError: there is no such file, it is damaged, it is not the one its manifest was written for, or it was
            not made by sr-keras.
    """
    name = format_of(path)
    if name is None or not path.exists():
        suffixes = ", ".join(item.suffix for item in FORMATS.values())
        raise ModelFileError(f"An exported file must exist and end in one of {suffixes}. Received: {path}.")
    return read_manifest(path) or _embedded(path, name)


def shipped_onnx(stage: TrainedStage) -> Path | None:
    """Return the ONNX file that ships for a stage, None if there is none."""
    path = SHIPPED / "onnx" / f"{stage.name}.onnx"
    return path if path.is_file() and stage.weights.parent == SHIPPED else None


def default_kind() -> Kind:
    """Return what runs shipped models here: onnxruntime, unless only TensorFlow can use the GPU."""
    if not NVIDIA_DRIVER.exists() or find_spec("tensorflow") is None or find_spec("keras") is None:
        return "onnx"
    providers = import_module("onnxruntime").get_available_providers() if find_spec("onnxruntime") else []
    return "onnx" if "CUDAExecutionProvider" in providers else "keras"


def _embedded(path: Path, name: FormatName) -> Manifest:
    engine = engine_class(name)
    try:
        metadata = engine.embedded(path)
        content = None if metadata is None else json.loads(metadata)
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        raise refused(path, engine.runtime, error) from error
    if content is None:
        raise ModelFileError(
            f"A model file must be one that sr-keras export wrote. Received: {path}, which has no facts of ours in it. "
            "Export the model again."
        )
    return Manifest.parse(content, str(path))


def engine_class(name: FormatName) -> type[ModelFileEngine]:
    """Return the class that runs a format."""
    module, attribute = HOMES[name]
    return cast(type[ModelFileEngine], getattr(import_module(f"sr_keras.engines.{module}"), attribute))
