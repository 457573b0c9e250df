"""Every shipped stage passes numerical verification in every format that runs here."""

import pytest

from sr_keras.engines.formats import FORMATS
from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import shipped_stages


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if "tensorrt" not in kind])
@pytest.mark.parametrize("stage", shipped_stages().values(), ids=lambda stage: stage.name)
def test_every_shipped_stage_exports_to_every_format(stage, kind, tmp_path):
    _, manifest = export_stage(Request(stage, "fp32", shipped_reference_slices()), kind, tmp_path)
    assert manifest.verification["status"] == "passed"
