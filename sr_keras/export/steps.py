"""The steps of an export: write the file, verify it against Keras, describe it, keep it."""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from sr_keras.engines.formats import FORMATS, FormatName, check_precision
from sr_keras.engines.interface import NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import Kind, load_engine, load_model_file, manifest_of
from sr_keras.engines.manifest import Manifest, files_of, manifest_path, versions_of
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.errors import ConfigurationError, MissingDependencyError, ModelFileError, OutputError
from sr_keras.export.reference_slices import ReferenceSlices, shipped_reference_slices
from sr_keras.export.request import Request
from sr_keras.export.verification import Verification, verify_outputs
from sr_keras.files import atomic_write_folder
from sr_keras.framework import require_tensorflow
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import find_stage, shipped_stages

UNVERIFIED = (
    "The engine was built for each of its compute capabilities without an error, from an ONNX graph that onnx.checker "
    "passed. It was not run or deserialised here: {reason} Run `sr-keras verify` on the target."
)


def export_stage(
    request: Request,
    kind: FormatName,
    output: str | os.PathLike[str],
    *,
    reference: NamedEngine | None = None,
    force: bool = False,
) -> tuple[Path, Manifest]:
    """Export a stage, verify the file against Keras, and keep it with its manifest if it passes.

    Args:
        request: the export.
        kind: the format.
        output: an existing folder.
        reference: engine that the file is compared with. None loads the stage on Keras; for several exports of one
            stage, load it once and pass it.
        force: whether existing files are overwritten.

    Returns:
        The path of the file (or folder) and its manifest.

    Raises:
        ConfigurationError: the format does not support the precision.
        OutputError: the output exists or cannot be written.
        ModelFileError: the format cannot express the network, or the file differs too much from Keras. Nothing is kept.
        MissingDependencyError: a package that writes the format is not installed.
    """
    output = Path(output)
    check_request(request, kind, output, force=force)
    require_tensorflow("Export")
    write, engine_class = FORMATS[kind].load_writer(), FORMATS[kind].load_engine_class()
    target = model_file_path(request, kind, output)
    request = replace(request, timing_cache=output / "tensorrt.timing_cache")
    with atomic_write_folder(output, target.name) as folder:
        # Another run may have ended since.
        check_request(request, kind, output, force=force)
        path = folder / target.name
        manifest: Manifest = write(request, path)
        engine = engine_class(path, manifest)
        verification = _verification(engine, reference or KerasEngine(request.stage), request.slices)
        manifest = replace(manifest, verification=verification.as_dict(), files=files_of(path))
        manifest.write(path)
    return target, manifest


def model_file_path(request: Request, kind: FormatName, output: str | os.PathLike[str]) -> Path:
    """Return the path of an exported file: the stage's name, a fixed shape, the precision and the format's suffix.

    Args:
        request: the export.
        kind: the format.
        output: the folder.
    """
    card = request.stage.card
    shape = "" if not any(request.shape) else "_" + "x".join(str(length or "n") for length in request.shape)
    stem = f"{card.family}_{card.stage}_x{card.scale}{shape}_{request.precision}"
    return Path(output) / (stem + FORMATS[kind].suffix)


def check_request(request: Request, kind: FormatName, output: str | os.PathLike[str], *, force: bool) -> None:
    """Refuse an export that is bound to fail before any work is done for it.

    Args:
        request: the export.
        kind: the format.
        output: the folder.
        force: whether existing files are overwritten.

    Raises:
        ConfigurationError: the format supports neither the precision nor the choice of compute capabilities.
        OutputError: the output folder does not exist, or the file does.
    """
    check_precision(kind, request.precision)
    if request.compute_capabilities and kind != "tensorrt-rtx":
        raise ConfigurationError(
            f"{kind} cannot be built for chosen compute capabilities, only tensorrt-rtx can; leave out "
            f"{', '.join(request.compute_capabilities)}."
        )
    if not Path(output).is_dir():
        raise OutputError(f"The folder {output} does not exist; create it first.")
    target = model_file_path(request, kind, output)
    for path in (target, manifest_path(target)):
        if path.exists() and not force:
            raise OutputError(f"{path} exists; use --force to overwrite.")


def verify(
    path: str | os.PathLike[str],
    slices: ReferenceSlices | None = None,
    model: str | NamedEngine | None = None,
    kind: Kind | None = None,
) -> Manifest:
    """Compare an exported file with its stage on this machine, and write the result to its manifest.

    Args:
        path: of the file.
        slices: real slices to run it on; None takes those that ship.
        model: name of the stage that it was exported from, or an engine that runs it, such as a `KerasEngine`; None
            finds it among those that ship.
        kind: "webgpu" runs an ONNX file on WebGPU; None takes what the format runs on.

    Returns:
        The new manifest.

    Raises:
        ModelFileError: it differs too much from its stage, is damaged, or was built for other hardware.
        StageError: the stage cannot be found.
        MissingDependencyError: this machine lacks its runtime or its GPU.
    """
    path = Path(path)
    manifest = manifest_of(path)
    engine = load_model_file(path, kind=kind)
    verification = verify_outputs(
        engine,
        _reference(manifest.card, model),
        manifest.precision,
        slices or shipped_reference_slices(),
        _runtime(engine),
    )
    manifest = replace(manifest, verification=verification.as_dict(), files=files_of(path))
    manifest.write(path)
    return manifest


def _verification(engine: ModelFileEngine, reference: NamedEngine, slices: ReferenceSlices) -> Verification:
    manifest = engine.manifest
    try:
        return verify_outputs(engine, reference, manifest.precision, slices, _runtime(engine))
    except MissingDependencyError as error:
        return Verification("not verified", reason=UNVERIFIED.format(reason=error))


def _reference(card: StageCard, model: str | NamedEngine | None) -> NamedEngine:
    """Return the engine of the stage that a file was exported from, on Keras if installed, else on onnxruntime."""
    shipped = {stage.card.weights_sha256: name for name, stage in shipped_stages().items()}
    given = model or shipped.get(card.weights_sha256)
    if given is None:
        known, name = None, "a stage that ships"
    elif isinstance(given, str):
        known, name = find_stage(given).card, given
    else:
        known, name = given.card, given.name
    if given is None or known is None or known.weights_sha256 != card.weights_sha256:
        raise ModelFileError(
            f"The file was exported from weights with the SHA-256 {card.weights_sha256}, not from {name}; name its "
            "stage with --model."
        )
    kind: Literal["keras", "onnx"] = "keras" if find_spec("keras") and find_spec("tensorflow") else "onnx"
    return load_engine(given, kind) if isinstance(given, str) else given


def _runtime(engine: ModelFileEngine) -> str:
    """Return the runtime of an engine with its version, and the device where it names one."""
    found = versions_of(*FORMATS[engine.manifest.format].distributions)
    _, in_parentheses, device = engine.runtime.partition("(")
    versions = ", ".join(f"{name} {number}" for name, number in found.items() if name != "sr_keras")
    return f"{versions} {in_parentheses}{device}".rstrip()
