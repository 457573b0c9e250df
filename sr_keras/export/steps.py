"""Export step by step: write, compare with Keras, describe, keep."""

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sr_keras.engines.formats import FORMATS, FormatName, check_precision
from sr_keras.engines.interface import NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import engine_class, load_engine, manifest_of
from sr_keras.engines.manifest import Manifest, files_of, manifest_path, versions_of
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.errors import ConfigurationError, MissingDependencyError, ModelFileError, OutputError
from sr_keras.export.reference_slices import ReferenceSlices
from sr_keras.export.request import Request
from sr_keras.export.verification import Verification, verify_outputs
from sr_keras.files import atomic_write_folder
from sr_keras.framework import require_tensorflow
from sr_keras.models.stages import StageCard, find_stage, shipped_stages

# The module of this package that writes each format, and its function.
WRITERS: dict[FormatName, tuple[str, str]] = {
    "saved_model": ("saved_model", "write"),
    "onnx": ("onnx", "write"),
    "litert": ("litert", "write"),
    "openvino": ("openvino", "write"),
    "tensorrt": ("tensorrt", "write"),
    "tensorrt-rtx": ("tensorrt", "write_rtx"),
}
# What runs each format, for the record of a comparison.
RUNTIMES: dict[FormatName, tuple[str, ...]] = {
    "saved_model": ("tensorflow", "tensorflow-cpu"),
    "onnx": ("onnxruntime", "onnxruntime-gpu"),
    "litert": ("ai-edge-litert",),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx-cu13",),
}
UNVERIFIED = (
    "The engine was built for each of its compute capabilities without an error, from an ONNX graph that onnx.checker "
    "passed. It was not run or deserialised here: {reason} Run `sr-keras verify` on the target."
)


def export_stage(
    request: Request, kind: FormatName, output: Path, *, reference: NamedEngine | None = None, force: bool = False
) -> tuple[Path, Manifest]:
    """Write a stage in a format, prove it against Keras, and keep it with its manifest if it passes.

    Args:
        request: what is to be made.
        kind: the format.
        output: a folder that exists.
        reference: what the file is compared with; None loads the stage on Keras, as do several exports in a row best
            once for all.
        force: whether files that exist are overwritten.

    Returns:
        The path of the file (or folder) and its manifest.

    Raises:
        ConfigurationError: the format cannot have that precision.
        OutputError: the output exists or cannot be written.
        ModelFileError: the format cannot hold the network, or the file is too far from Keras. Nothing is kept.
        MissingDependencyError: a package that writes the format is not installed.
    """
    check_request(request, kind, output, force=force)
    require_tensorflow("Export")
    name, function = WRITERS[kind]
    write = getattr(import_module(f"sr_keras.export.{name}"), function)
    target = model_file_path(request, kind, output)
    request = replace(request, timing_cache=output / "tensorrt.timing_cache")
    with atomic_write_folder(output, target.name) as folder:
        path = folder / target.name
        manifest: Manifest = write(request, path)
        engine = engine_class(kind)(path, manifest)
        verification = _verification(engine, reference or KerasEngine(request.stage), request.slices)
        manifest = replace(manifest, verification=verification.as_dict(), files=files_of(path))
        manifest.write(path)
    return target, manifest


def model_file_path(request: Request, kind: FormatName, output: Path) -> Path:
    """Return where a file is written: its stage's name, its shape if fixed, its precision, its format's suffix."""
    card = request.stage.card
    shape = "" if not any(request.shape) else "_" + "x".join(str(length or "n") for length in request.shape)
    stem = f"{card.family}_{card.stage}_x{card.scale}{shape}_{request.precision}"
    return output / (stem + FORMATS[kind].suffix)


def check_request(request: Request, kind: FormatName, output: Path, *, force: bool) -> None:
    """Refuse what cannot be made or written before any work is done for it.

    Raises:
        ConfigurationError: the format cannot have that precision, or no compute capability is asked of it.
        OutputError: the output folder does not exist, or a file in it does.
    """
    check_precision(kind, request.precision)
    if request.compute_capabilities and kind != "tensorrt-rtx":
        raise ConfigurationError(
            "Only tensorrt-rtx is built for compute capabilities other than this machine's. "
            f"Received: {', '.join(request.compute_capabilities)} for {kind}. Leave them out."
        )
    if not output.is_dir():
        raise OutputError(f"The output must be a folder that exists. Received: {output}. Create it first.")
    target = model_file_path(request, kind, output)
    for path in (target, manifest_path(target)):
        if path.exists() and not force:
            raise OutputError(
                f"Nothing is overwritten unasked. Received: {path}, which exists. Choose another, or --force."
            )


def verify(path: Path, slices: ReferenceSlices, model: str | None = None) -> Manifest:
    """Compare an exported file with its stage on this machine, and write the result to its manifest.

    Args:
        path: of the file.
        slices: real ones.
        model: the stage that it was made of; None finds it among those that ship.

    Raises:
        ModelFileError: it is too far from its stage, is damaged, or was built for other hardware.
        StageError: the stage cannot be found.
        MissingDependencyError: its runtime, or its GPU, is missing here.
    """
    manifest = manifest_of(path)
    engine = engine_class(manifest.format)(path, manifest)
    verification = verify_outputs(
        engine, _reference(manifest.card, model), manifest.precision, slices, _runtime(manifest.format)
    )
    manifest = replace(manifest, verification=verification.as_dict(), files=files_of(path))
    manifest.write(path)
    return manifest


def _verification(engine: ModelFileEngine, reference: NamedEngine, slices: ReferenceSlices) -> Verification:
    manifest = engine.manifest
    try:
        return verify_outputs(engine, reference, manifest.precision, slices, _runtime(manifest.format))
    except MissingDependencyError as error:
        return Verification("not verified", reason=UNVERIFIED.format(reason=error))


def _reference(card: StageCard, model: str | None) -> NamedEngine:
    """Return the engine of the stage that a file was made of: on Keras where that is installed, else on onnxruntime."""
    shipped = {stage.card.weights_sha256: name for name, stage in shipped_stages().items()}
    name = model or shipped.get(card.weights_sha256)
    if name is None or find_stage(name).card.weights_sha256 != card.weights_sha256:
        raise ModelFileError(
            f"A file is compared with the stage that it was made of, whose weights have the SHA-256 "
            f"{card.weights_sha256}. Received: {name or 'none that ships'}. Name that stage with --model."
        )
    return load_engine(name, "keras" if find_spec("keras") and find_spec("tensorflow") else "onnx")


def _runtime(kind: FormatName) -> str:
    """Return what runs a format, with its version."""
    found = versions_of(*RUNTIMES[kind])
    return ", ".join(f"{name} {number}" for name, number in found.items() if name != "sr_keras")
