"""Export to OpenVINO: an .xml with its .bin beside it."""

from pathlib import Path

from sr_keras.engines.manifest import Manifest
from sr_keras.engines.openvino_engine import RT_INFO_KEY, load_openvino
from sr_keras.export.request import Request, quiet


def write(request: Request, path: Path) -> Manifest:
    """Write the two files and return their manifest. fp16 is the precision of the weights.

    Args:
        request: the export.
        path: of the .xml.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    openvino = load_openvino()
    manifest = request.manifest("openvino", ("openvino",))
    plain = path.with_name("plain.xml")
    with quiet():
        request.model().export(str(plain), format="openvino", verbose=False, input_signature=request.signature())
        model = openvino.Core().read_model(str(plain))
        model.set_rt_info(manifest.metadata_json(), RT_INFO_KEY)
        openvino.save_model(model, str(path), compress_to_fp16=request.precision == "fp16")
    del model
    for leftover in (plain, plain.with_suffix(".bin")):
        leftover.unlink()
    return manifest
