"""Export of trained stages, one module per format, and numerical verification of each exported file.

For example:

    from sr_keras import find_stage
    from sr_keras.export import Request, export_stage

    path, manifest = export_stage(Request(find_stage("georgescu2020_hw_x2"), "fp16"), "onnx", "out")
"""

from sr_keras.export.request import Request, parse_shape
from sr_keras.export.steps import check_request, export_stage, model_file_path, verify

__all__ = ["Request", "check_request", "export_stage", "model_file_path", "parse_shape", "verify"]
