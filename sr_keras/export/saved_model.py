"""Export to a TensorFlow SavedModel, a folder."""

from pathlib import Path

from sr_keras.engines.formats import Precision
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.saved_model_engine import METADATA_FILE
from sr_keras.export.request import Request, quiet

# fp16 is Keras's float16 policy; the networks cast their outputs to float32.
POLICIES: dict[Precision, str] = {"fp32": "float32", "fp16": "float16"}


def write(request: Request, path: Path) -> Manifest:
    """Write the folder and return its manifest.

    Args:
        request: the export.
        path: of the folder.
    """
    model = request.model(POLICIES[request.precision])
    with quiet():
        model.export(path, format="tf_saved_model", verbose=False, input_signature=request.signature())
    manifest = request.manifest("saved_model", ())
    metadata = path / METADATA_FILE
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(manifest.metadata_json())
    return manifest
