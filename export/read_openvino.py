"""Run an OpenVINO file (.xml, with its .bin beside it) without sr_keras.

    python export/read_openvino.py MODEL IMAGES.npy RESULT.npy

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 as the file's manifest says. Needs: pip install openvino
"""

import sys

import numpy as np
import openvino

model, source, target = sys.argv[1:]
images = np.load(source, allow_pickle=False)
# Without the hint, newer processors compute in bfloat16.
compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
np.save(target, compiled({"lr": images[..., None]})["final"][..., 0])
