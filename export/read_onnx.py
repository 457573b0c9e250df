"""Run an ONNX file without sr_keras.

    python export/read_onnx.py MODEL IMAGES.npy RESULT.npy

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 as the file's manifest says.
Needs: pip install onnxruntime
"""

import sys

import numpy as np
import onnxruntime

model, source, target = sys.argv[1:]
images = np.load(source, allow_pickle=False)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
final = session.run(["final"], {"lr": images[..., None]})[0][..., 0]
np.save(target, final)
