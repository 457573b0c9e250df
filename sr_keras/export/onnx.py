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

# The lowest opset that serves is taken. Axes to squeeze are an input, and quantisation is by channel, from 13 on.
OPSETS: dict[Precision, tuple[int, ...]] = {"fp32": (13, 17), "fp16": (9, 11, 13, 17), "int8": (13, 17)}


def write(request: Request, path: Path) -> Manifest:
    """Write the file and return its manifest."""
    onnx = load_module("onnx", FORMATS["onnx"].install)
    # Half precision is for GPUs, and what suits floats was not tried on integers.
    model = onnx_model(request, for_processors=request.precision == "fp32")
    manifest = request.manifest("onnx", ("onnx", "tf2onnx", "onnxslim", "onnxruntime"), opset=opset_of(model))
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.metadata_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return manifest


def onnx_model(request: Request, *, for_processors: bool = False) -> Any:
    """Return the stage as an ONNX model of the shape and precision asked for.

    Args:
        request: what to export.
        for_processors: whether it is drawn as runtimes on processors are fast, see `optimise`.

    Raises:
        ModelFileError: it can be expressed in none of our opsets.
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
    """Return the version of the standard operators that a model is written in."""
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
        f"A network must be expressible in an ONNX opset of {OPSETS[request.precision]}. Received: {card.family}, "
        f"which is not: {reasons[-1].splitlines()[0]}. Choose another format."
    )


def _converted(onnx: Any, request: Request, opset: int) -> Any:
    """Return what Keras exports, with free axes, after onnxslim."""
    load_module("tf2onnx", FORMATS["onnx"].install)
    slim = load_module("onnxslim", FORMATS["onnx"].install)
    signature = [load_keras().InputSpec(shape=(*FREE, 1), dtype="float32", name="lr")]
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "keras.onnx"
        request.model().export(str(path), format="onnx", verbose=False, opset_version=opset, input_signature=signature)
        return slim.slim(onnx.load(path))
