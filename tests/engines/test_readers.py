"""The readers in export/ run each file without sr_keras; their output is that of Keras."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sr_keras.engines import KerasEngine
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import find_stage

READERS = Path(__file__).parents[2] / "export"


@pytest.mark.parametrize("kind", ["saved_model", "onnx", "litert", "openvino", "ncnn"])
def test_the_output_of_a_reader_is_that_of_keras(exported, kind, tmp_path):
    images = shipped_reference_slices().second[:2, :40, :48]
    np.save(tmp_path / "images.npy", images)
    reader = READERS / f"read_{kind}.py"
    assert "import sr_keras" not in reader.read_text()
    assert "from sr_keras" not in reader.read_text()
    command = [sys.executable, str(reader), str(exported[kind][0]), "images.npy", "result.npy"]
    subprocess.run(command, capture_output=True, check=True, cwd=tmp_path)
    expected = KerasEngine(find_stage("georgescu2020_hw_x2")).run(images)
    np.testing.assert_allclose(np.load(tmp_path / "result.npy"), expected, atol=1e-5)
