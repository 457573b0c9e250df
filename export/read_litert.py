"""Run a LiteRT file without sr_keras.

    python export/read_litert.py MODEL IMAGES.npy RESULT.npy

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 as the file's manifest says.
Needs: pip install ai-edge-litert
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

model, source, target = sys.argv[1:]
images = np.load(source, allow_pickle=False)[..., None]
interpreter = Interpreter(model)
entry = interpreter.get_input_details()[0]
if (entry["shape_signature"] == -1).any():
    interpreter.resize_tensor_input(entry["index"], images.shape)
run = interpreter.get_signature_runner("serving_default")
np.save(target, run(lr=images)["final"][..., 0])
