"""Run a TensorRT (.engine) or TensorRT-RTX (.rtx) engine without sr_keras, on the GPU it was built for.

    python export/read_tensorrt.py MODEL IMAGES.npy RESULT.npy SCALE_HEIGHT SCALE_WIDTH

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 and within the limits as the file's manifest says.
Needs: pip install cuda-bindings, and tensorrt or tensorrt-rtx-cu13
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from cuda.bindings import runtime as cuda

model, source, target, *scales = sys.argv[1:]
if model.endswith(".rtx"):
    import tensorrt_rtx as trt
else:
    import tensorrt as trt


def checked(answer: tuple[Any, ...]) -> Any:
    """Return what a CUDA call gave, or end."""
    error, *values = answer
    if error != cuda.cudaError_t.cudaSuccess:
        sys.exit(f"CUDA: {error.name}")
    return values[0] if values else None


lr = np.ascontiguousarray(np.load(source, allow_pickle=False)[..., None])
batch, height, width, _ = lr.shape
final = np.empty((batch, height * int(scales[0]), width * int(scales[1]), 1), np.float32)
checked(cuda.cudaSetDevice(0))
runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
engine = runtime.deserialize_cuda_engine(Path(model).read_bytes())
if engine is None:
    sys.exit(f"{model} was built for another GPU or another version of TensorRT")
context, stream = engine.create_execution_context(), checked(cuda.cudaStreamCreate())
context.set_input_shape("lr", lr.shape)
kinds, buffers = cuda.cudaMemcpyKind, {}
for name in (engine.get_tensor_name(number) for number in range(engine.num_io_tensors)):
    buffers[name] = checked(cuda.cudaMalloc(lr.nbytes if name == "lr" else final.nbytes))
    context.set_tensor_address(name, int(buffers[name]))
checked(cuda.cudaMemcpyAsync(buffers["lr"], lr.ctypes.data, lr.nbytes, kinds.cudaMemcpyHostToDevice, stream))
if not context.execute_async_v3(int(stream)):
    sys.exit("the engine did not run")
checked(cuda.cudaMemcpyAsync(final.ctypes.data, buffers["final"], final.nbytes, kinds.cudaMemcpyDeviceToHost, stream))
checked(cuda.cudaStreamSynchronize(stream))
np.save(target, final[..., 0])
