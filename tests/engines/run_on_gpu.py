"""Run model files on a GPU engine, in a process without TensorFlow: run_on_gpu.py webgpu|ncnn INPUTS.npz OUTPUTS.npz.

INPUTS.npz holds images by the path of the file, or by the name of the shipped model, that runs them. One process runs
all of them, since WebGPU compiles each shader once a process. The last line is the engine's runtime.
"""

import sys
from pathlib import Path

import numpy as np

from sr_keras.engines import load_engine
from sr_keras.engines.loading import load_model_file
from sr_keras.errors import MissingDependencyError

kind, source, target = sys.argv[1:]
outputs = {}
runtime = ""
with np.load(source) as inputs:
    for model, images in inputs.items():
        if kind == "webgpu":
            engine = load_engine(model, "webgpu")
        else:
            engine = load_model_file(Path(model))
            engine.vulkan = True
        try:
            outputs[model] = engine.run(images)
        except MissingDependencyError as error:
            sys.exit(f"MissingDependencyError: {error}")
        runtime = engine.runtime
np.savez(target, **outputs)
sys.stdout.write(f"{runtime}\n")
