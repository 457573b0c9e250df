"""Export of trained stages, one module a format, and the proof that each file computes what its stage computes.

from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_slices
from sr_keras.models.stages import find_stage

request = Request(find_stage("georgescu2020_hw_x2"), "fp16", shipped_slices())
artefact, manifest = export_stage(request, "onnx", Path("out"))
"""

from sr_keras.export.request import Request, parse_shape
from sr_keras.export.steps import check_request, export_stage, model_file_path, verify

__all__ = ["Request", "check_request", "export_stage", "model_file_path", "parse_shape", "verify"]
