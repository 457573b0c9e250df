"""Export to LiteRT (TensorFlow Lite)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.litert_engine import FILE_IDENTIFIER, METADATA_NAME
from sr_keras.engines.manifest import Manifest
from sr_keras.export.request import Request, quiet
from sr_keras.files import atomic_write
from sr_keras.framework import load_module


def write(request: Request, path: Path) -> Manifest:
    """Write a LiteRT file and return its manifest. Inputs and outputs are float32 whatever the precision.

    Args:
        request: the export.
        path: of the file.

    Raises:
        MissingDependencyError: a package that writes the format is not installed.
    """
    load_module("ai_edge_litert.schema_py_generated", FORMATS["litert"].install)
    manifest = request.manifest("litert", ("ai-edge-litert",))
    settings = _settings(request)
    with quiet():
        request.model().export(
            str(path), format="litert", verbose=False, input_signature=request.signature(), **settings
        )
    _embed(path, manifest.metadata_json())
    return manifest


def _settings(request: Request) -> dict[str, Any]:
    """Return the converter's settings for the precision of a request."""
    lite = load_module("tensorflow", FORMATS["saved_model"].install).lite
    if request.precision == "fp32":
        return {}
    if request.precision == "fp16":
        float16 = load_module("tensorflow", FORMATS["saved_model"].install).float16
        return {"optimizations": [lite.Optimize.DEFAULT], "target_spec": {"supported_types": [float16]}}

    def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
        for images in request.calibration_inputs():
            yield [images[..., None]]

    return {
        "optimizations": [lite.Optimize.DEFAULT],
        "representative_dataset": representative,
        "target_spec": {"supported_ops": [lite.OpsSet.TFLITE_BUILTINS_INT8]},
    }


def _embed(path: Path, metadata: str) -> None:
    """Embed metadata in the file."""
    schema = load_module("ai_edge_litert.schema_py_generated", FORMATS["litert"].install)
    flatbuffers = load_module("flatbuffers", FORMATS["litert"].install)
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = metadata.encode()
    model.buffers.append(buffer)
    entry.name, entry.buffer = METADATA_NAME.decode(), len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(metadata))
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    with atomic_write(path) as temporary:
        temporary.write_bytes(builder.Output())
