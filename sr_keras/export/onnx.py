"""Export to ONNX."""

from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FORMATS, Precision
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.onnx_engine import METADATA_KEY
from sr_keras.export.onnx_graph import onnx_graph
from sr_keras.export.onnx_precision import to_half, to_int8
from sr_keras.export.request import Request
from sr_keras.framework import load_module
from sr_keras.networks import output_factors

# The lowest opset that suffices, which most runtimes support; quantisation is per channel from 13 on.
OPSETS: dict[Precision, int] = {"fp32": 13, "fp16": 9, "int8": 13}


def write(request: Request, path: Path) -> Manifest:
    """Write an ONNX file and return its manifest.

    Args:
        request: the export.
        path: of the file.

    Raises:
        ModelFileError: a layer of the network has no ONNX counterpart.
        MissingDependencyError: a package that writes the format is not installed.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    # fp16 is for GPUs, and the optimisation for CPUs was not measured on int8.
    model = onnx_model(request, for_processors=request.precision == "fp32")
    manifest = request.manifest("onnx", ("onnx", "onnxruntime"), opset=opset_of(model))
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.metadata_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return manifest


def onnx_model(request: Request, *, for_processors: bool = False) -> Any:
    """Return the stage as an ONNX model of the requested shape and precision.

    Args:
        request: the export.
        for_processors: whether the graph is optimised for CPUs, see `onnx_graph`.

    Raises:
        ModelFileError: a layer of the network has no ONNX counterpart.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    card = request.stage.card
    factors = output_factors(card.stage, card.scale)
    graph = onnx_graph(onnx, request.model(), request.shape, factors, for_processors=for_processors)
    opsets = [onnx.helper.make_opsetid("", OPSETS[request.precision])]
    version = onnx.helper.find_min_ir_version_for(opsets)
    model = onnx.helper.make_model(graph, producer_name="sr_keras", opset_imports=opsets, ir_version=version)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    if request.precision == "fp16":
        model = to_half(onnx, model)
    if request.precision == "int8":
        model = to_int8(onnx, model, request.calibration_inputs())
    onnx.checker.check_model(model, full_check=True)
    return model


def opset_of(model: Any) -> int:
    """Return the opset version of a model's standard operators."""
    return next(int(entry.version) for entry in model.opset_import if not entry.domain)
