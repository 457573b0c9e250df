"""The networks are the same on every backend of Keras that is installed."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from sr_keras.engines import KerasEngine
from sr_keras.models.stages import find_stage

PROGRAM = """
import sys, numpy as np
from sr_keras.engines import KerasEngine
from sr_keras.models.stages import find_stage
images = np.load(sys.argv[1])
np.save(sys.argv[2], KerasEngine(find_stage(sys.argv[3])).run(images))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("name", ["georgescu2020_hw_x2", "georgescu2020_d_x2"])
def test_another_backend_gives_the_same_images(backend, name, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    images = np.random.default_rng(0).random((2, 24, 20)).astype(np.float32)
    np.save(tmp_path / "in.npy", images)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), name],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        check=True,
    )
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), KerasEngine(find_stage(name)).run(images), atol=1e-5)
