"""Export to ncnn: a .ncnn.param, the layers as text, with its .ncnn.bin beside it, the weights."""

from pathlib import Path

from sr_keras.engines.manifest import Manifest
from sr_keras.engines.ncnn_engine import METADATA_PREFIX
from sr_keras.export.ncnn_network import ncnn_network
from sr_keras.export.request import Request


def write(request: Request, path: Path) -> Manifest:
    """Write the two files and return their manifest. fp16 is the precision of the weights, and of the arithmetic where
    the device has it.

    Args:
        request: the export.
        path: of the .ncnn.param.

    Raises:
        ModelFileError: a layer of the network has no ncnn counterpart.
    """
    param, weights = ncnn_network(request.model(), half=request.precision == "fp16")
    manifest = request.manifest("ncnn", ("ncnn",))
    # ncnn reads as many lines as the second one says, and ignores this one.
    path.write_text(f"{param}{METADATA_PREFIX}{manifest.metadata_json()}\n")
    path.with_suffix(".bin").write_bytes(weights)
    return manifest
