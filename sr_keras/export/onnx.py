"""Export to ONNX."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sr_keras.engines.formats import FORMATS, Precision
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.onnx_engine import METADATA_KEY
from sr_keras.errors import ModelFileError
from sr_keras.export.onnx_graph import optimise
from sr_keras.export.onnx_precision import to_half, to_int8
from sr_keras.export.request import FREE, Request, quiet
from sr_keras.framework import load_keras, load_module
from sr_keras.networks import output_factors

# The lowest sufficient opset is used. From 13 on the axes of Squeeze are an input, and quantisation is per channel.
OPSETS: dict[Precision, tuple[int, ...]] = {"fp32": (13, 17), "fp16": (9, 11, 13, 17), "int8": (13, 17)}


def write(request: Request, path: Path) -> Manifest:
    """Write an ONNX file and return its manifest.

    Args:
        request: the export.
        path: of the file.

    Raises:
        ModelFileError: no opset can express the network.
        MissingDependencyError: a package that writes the format is not installed.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    # fp16 is for GPUs, and the rewriting was not measured on int8.
    model = onnx_model(request, for_processors=request.precision == "fp32")
    manifest = request.manifest("onnx", ("onnx", "tf2onnx", "onnxslim", "onnxruntime"), opset=opset_of(model))
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.metadata_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return manifest


def onnx_model(request: Request, *, for_processors: bool = False) -> Any:
    """Return the stage as an ONNX model of the requested shape and precision.

    Args:
        request: the export.
        for_processors: whether the graph is optimised for CPUs, see `optimise`.

    Raises:
        ModelFileError: no opset can express the network.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    model = _lowest(onnx, request, for_processors=for_processors)
    if request.precision == "fp16":
        model = to_half(onnx, model)
    if request.precision == "int8":
        model = to_int8(onnx, model, request.calibration_inputs())
    onnx.checker.check_model(model, full_check=True)
    return model


def opset_of(model: Any) -> int:
    """Return the opset version of a model's standard operators."""
    return next(int(entry.version) for entry in model.opset_import if not entry.domain)


def _lowest(onnx: Any, request: Request, *, for_processors: bool) -> Any:
    card = request.stage.card
    reasons = []
    for opset in OPSETS[request.precision]:
        try:
            factors = output_factors(card.stage, card.scale)
            model = optimise(
                onnx, _converted(onnx, request, opset), request.shape, factors, for_processors=for_processors
            )
            onnx.checker.check_model(model, full_check=True)
            return model
        except (
            ValueError,
            RuntimeError,
            NotImplementedError,
            onnx.checker.ValidationError,
            onnx.shape_inference.InferenceError,
        ) as error:
            reasons.append(f"opset {opset}: {error}")
    raise ModelFileError(
        f"{card.name} cannot be expressed in ONNX opsets {OPSETS[request.precision]}: {reasons[-1].splitlines()[0]}; "
        "choose another format."
    )


def _converted(onnx: Any, request: Request, opset: int) -> Any:
    """Return Keras's export with free axes, simplified by onnxslim."""
    load_module("tf2onnx", FORMATS["onnx"].install)
    slim = load_module("onnxslim", FORMATS["onnx"].install)
    signature = [load_keras().InputSpec(shape=(*FREE, 1), dtype="float32", name="lr")]
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "keras.onnx"
        request.model().export(str(path), format="onnx", verbose=False, opset_version=opset, input_signature=signature)
        return slim.slim(onnx.load(path))
