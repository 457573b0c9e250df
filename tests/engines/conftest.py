"""Exported files of the shipped hw stage, made once for all tests here."""

import pytest

from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import find_stage

FORMATS = ("saved_model", "onnx", "litert", "openvino", "ncnn")


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The path and manifest of an fp32 file of each format that has a runtime here."""
    request = Request(find_stage("georgescu2020_hw_x2"), "fp32", shipped_reference_slices())
    folder = tmp_path_factory.mktemp("exported")
    return {kind: export_stage(request, kind, folder) for kind in FORMATS}
