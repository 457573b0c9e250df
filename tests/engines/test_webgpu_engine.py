"""The WebGPU engine where there is no adapter, and for what it cannot run; test_gpus.py runs it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from sr_keras.engines import load_engine
from sr_keras.engines.webgpu_engine import WebgpuEngine
from sr_keras.errors import ModelFileError

PREDICT = (sys.executable, "-m", "sr_keras", "predict")


def test_without_an_adapter_nothing_runs_on_the_processor_instead(tmp_path, small_scan):
    none = str(tmp_path / "none.json")
    variables = {"VK_DRIVER_FILES": none, "VK_ICD_FILENAMES": none}
    command = [*PREDICT, str(small_scan), "--engine", "webgpu", "-o", str(tmp_path / "out.nii.gz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert "finds no WebGPU adapter here" in message or "install it: pip install 'sr_keras[webgpu]'" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["litert", "ncnn"])
def test_only_onnx_files_run_on_webgpu(kind, exported):
    path, _ = exported[kind]
    with pytest.raises(ModelFileError, match=f"^{path.name} is no ONNX file, which --engine webgpu runs; export it "):
        load_engine(path, "webgpu")


def test_an_engine_folded_for_a_scan_stays_on_webgpu():
    engine = load_engine("fast_hw_x2", "webgpu")
    assert isinstance(engine, WebgpuEngine)
    assert engine.runtime.startswith("onnxruntime WebGPU")
    assert not engine.dynamic_shape
    folded = engine.for_scan(np.asarray(engine.card.description))
    assert isinstance(folded, WebgpuEngine)
