"""Load an engine by the name or the path of a model."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from sr_keras.engines.folded_onnx import FoldedOnnx
from sr_keras.engines.formats import FORMATS, FormatName, format_of, format_suffixes
from sr_keras.engines.interface import NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.manifest import Manifest, read_manifest
from sr_keras.engines.model_file import ModelFileEngine, refused
from sr_keras.errors import ModelFileError
from sr_keras.files import parse_json
from sr_keras.models.stages import SHIPPED, TrainedStage, find_stage

Kind = Literal["keras", "onnx", "webgpu"]
# Present where the NVIDIA driver is loaded.
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def load_engine(name: str | os.PathLike[str], kind: Kind | None = None, *, threads: int | None = None) -> NamedEngine:
    """Return the engine for a shipped model, a training run or an exported file. Its runtime is imported at its first
    run.

    Args:
        name: a shipped name, the path of a run or of a stage's card, or the path of an exported file.
        kind: runs a shipped model on "keras" or as "onnx", and a shipped model or an ONNX file on "webgpu". None
            selects ONNX, except where only Keras can use the GPU.
        threads: processor threads of an exported file's runtime; None takes all cores. Keras takes no such number.

    Raises:
        UnknownModelError: the name is none of those.
        StageError: the card of the stage cannot be read.
        ModelFileError: the format is unknown, or the file is damaged or not the one its manifest was written for.
        MissingDependencyError: a file without a manifest can be read only by a runtime that is not installed.

    >>> import numpy as np
    >>> from sr_keras import load_engine
    >>> engine = load_engine("fast_d_x2", "onnx")
    >>> engine.runtime
    'onnxruntime'
    >>> engine.run(np.zeros((1, 16, 24), np.float32)).shape
    (1, 16, 48)
    """
    path = Path(name)
    if format_of(path) and path.exists():
        return load_model_file(path, threads=threads, kind=kind)
    if path.is_file() and path.suffix != ".json":
        raise ModelFileError(
            f"{path} is no model file: its suffix is none of {format_suffixes()} or .json; export a model with "
            "sr-keras export."
        )
    stage = find_stage(name)
    shipped = shipped_onnx(stage)
    if shipped is None and kind == "webgpu":
        raise ModelFileError(f"{name} is no ONNX file, which --engine webgpu runs; export it with --format onnx.")
    if shipped is None or (kind or default_kind()) == "keras":
        return KerasEngine(stage)
    engine = _shipped_engine(shipped, stage, kind)
    engine.threads = threads
    if engine.card.weights_sha256 != stage.card.weights_sha256:
        raise ModelFileError(
            f"{shipped.name} was not exported from the weights of {stage.name} that ship; install sr_keras again."
        )
    return engine


def _shipped_engine(path: Path, stage: TrainedStage, kind: Kind | None) -> ModelFileEngine:
    """Return the engine for the ONNX file that ships for a stage; of a conditional one, with what folds it."""
    if not stage.conditional:
        return load_model_file(path, stage.name, kind=kind)
    manifest = manifest_of(path)
    folded = FoldedOnnx.read(path, stage.conditional_weights)
    engine: ModelFileEngine = engine_class(manifest, kind, path)(path, manifest, stage.name, folded)
    return engine


def engine_class(manifest: Manifest, kind: Kind | None, path: Path) -> Any:
    """Return the class that runs an exported file.

    Args:
        manifest: of the file.
        kind: "webgpu" runs ONNX files on WebGPU; any other leaves the runtime to the format.
        path: of the file, for the message.

    Raises:
        ModelFileError: WebGPU is asked for, and the file is in another format.
    """
    if kind != "webgpu":
        return FORMATS[manifest.format].load_engine_class()
    if manifest.format != "onnx":
        raise ModelFileError(f"{path.name} is no ONNX file, which --engine webgpu runs; export it with --format onnx.")
    from sr_keras.engines.webgpu_engine import WebgpuEngine

    return WebgpuEngine


def load_model_file(
    path: Path, name: str = "", threads: int | None = None, kind: Kind | None = None
) -> ModelFileEngine:
    """Return the engine for an exported file.

    Args:
        path: of the file, or of the SavedModel's folder.
        name: how to call the engine; empty is the file's name.
        threads: as in `load_engine`.
        kind: as in `load_engine`.

    Raises:
        ModelFileError: it cannot be used; see `load_engine`.
    """
    manifest = manifest_of(path)
    engine: ModelFileEngine = engine_class(manifest, kind, path)(path, manifest, name)
    engine.threads = threads
    return engine


def manifest_of(path: str | os.PathLike[str]) -> Manifest:
    """Return the manifest of an exported file: the one beside it, else the metadata embedded in it.

    Raises:
        ModelFileError: the file does not exist, is damaged, is not the one its manifest was written for, or was not
            exported by sr-keras.
    """
    path = Path(path)
    name = format_of(path)
    if not path.exists():
        raise ModelFileError(f"{path} does not exist; name an exported file.")
    if name is None:
        raise ModelFileError(f"{path} is no exported file: its suffix is none of {format_suffixes()}.")
    return read_manifest(path) or _embedded(path, name)


def shipped_onnx(stage: TrainedStage) -> Path | None:
    """Return the ONNX file that ships for a stage, None if there is none."""
    path = SHIPPED / "onnx" / f"{stage.name}.onnx"
    return path if path.is_file() and stage.weights.parent == SHIPPED else None


def default_kind() -> Kind:
    """Return what runs shipped models on this machine: "onnx", unless only Keras can use the GPU."""
    if not NVIDIA_DRIVER.exists() or find_spec("tensorflow") is None or find_spec("keras") is None:
        return "onnx"
    providers = import_module("onnxruntime").get_available_providers() if find_spec("onnxruntime") else []
    return "onnx" if "CUDAExecutionProvider" in providers else "keras"


def _embedded(path: Path, name: FormatName) -> Manifest:
    try:
        metadata = FORMATS[name].load_engine_class().embedded(path)
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        raise refused(path, FORMATS[name].runtime, error) from error
    if metadata is None:
        raise ModelFileError(f"{path} has no metadata of sr_keras; export the model with sr-keras export.")
    return Manifest.parse(parse_json(metadata, f"The metadata of {path}", ModelFileError), str(path))
