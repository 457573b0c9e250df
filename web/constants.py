"""Write what the page must have in common with the Python code: `python web/constants.py > web/src/constants.json`."""

import json
import sys
from base64 import b64encode

from onnx import TensorProto, helper

from sr_keras.acquisition import fingerprint
from sr_keras.dicom import grid
from sr_keras.inference import conditions, spectrum
from sr_keras.networks import folding
from sr_keras.volumes import label_maps, normalization, resampling, volume


def constants() -> dict[str, object]:
    """Return the constants by the module of the page that uses them."""
    return {
        "normalization": _of(normalization, "CT_FLOOR", "CEILING_PERCENTILE", "PERCENTILE_SAMPLES")
        | _of(volume, "CT_MINIMUM_BELOW"),
        "fingerprint": _of(fingerprint, "BANDS", "DILATIONS", "TISSUE", "LEAST_TISSUE", "LEAST_POWER", "LEAST_NOISE")
        | _of(fingerprint, "MEDIAN_ABSOLUTE", "KERNEL_NORM")
        | _of(conditions, "SLICES"),
        "folding": _of(
            folding, "KEPT_NOISE", "LARGEST_DEVIATION", "NEAR", "FAR", "LARGEST_FIRST_SCORE", "LARGEST_SCORE"
        )
        | _of(folding, "LINEAR_TAPS")
        | _of(resampling, "KEYS_A"),
        "spectrum": _of(spectrum, "LARGEST_RATIO", "UPPER_BAND", "LOWER_BAND", "SLICES", "SHORTEST"),
        "labels": _of(label_maps, "LABEL_INTENT", "WORDS", "MOST_LABELS", "ALIKE", "ALIKE_BY_NAME", "FEW")
        | _of(label_maps, "FEWEST_PAIRS", "MASKS"),
        "dicom": _of(grid, "FEWEST_SLICES", "ORIENTATION_TOLERANCE", "PIXEL_SPACING_TOLERANCE", "SPACING_TOLERANCE")
        | _of(grid, "SAME_POSITION", "TILT_TOLERANCE"),
        "matrixProduct": _matrix_product(),
    }


def _of(module: object, *names: str) -> dict[str, object]:
    return {name: getattr(module, name) for name in names}


def _matrix_product() -> str:
    """Return an ONNX file of one matrix product, in base64: a benchmark's measure of the machine."""
    one, other, product = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in ("a", "b", "c")
    )
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", [one, other], [product])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return b64encode(model.SerializeToString()).decode()


if __name__ == "__main__":
    json.dump(constants(), sys.stdout, indent=1)
    sys.stdout.write("\n")
