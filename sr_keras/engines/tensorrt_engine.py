"""Runs TensorRT and TensorRT-RTX engines: one code for both, whose Python modules have the same interface."""

import base64
import re
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sr_keras.engines.formats import FORMATS, FormatName
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.engines.signature import Tensor
from sr_keras.errors import MissingDependencyError, ModelFileError
from sr_keras.framework import load_module
from sr_keras.networks import output_factors

MODULES: dict[str, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
# The facts lie in the network's name, which stands as it is in the engine: this and compressed JSON in base 64.
NAME_PREFIX = "sr_keras:"
FACTS = re.compile(re.escape(NAME_PREFIX).encode() + rb"([A-Za-z0-9+/]+=*)")


class TensorrtEngine(ModelFileEngine):
    """Runs a TensorRT engine on the GPU it was built for."""

    runtime: ClassVar[str] = "TensorRT"
    format: ClassVar[FormatName] = "tensorrt"

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the facts in the engine, JSON; None if there are none. Needs no GPU."""
        return unpack_metadata(path.read_bytes())

    def _load(self) -> Any:
        install = FORMATS[self.format].install
        tensorrt = load_module(MODULES[self.format], install)
        cuda = load_module("cuda.bindings.runtime", install)
        check_hardware(self.path.name, self.manifest.target, compute_capability(cuda))
        messages: list[str] = []
        # Code for the host that an engine may carry is not run unless it is allowed; it is not.
        runtime = tensorrt.Runtime(collecting_logger(tensorrt, messages))
        engine = runtime.deserialize_cuda_engine(self.path.read_bytes())
        if engine is None:
            raise RuntimeError(messages[0] if messages else "no reason was given")
        return _Session(cuda, runtime, engine)

    def _infer(self, session: "_Session", batch: Images) -> Images:
        card = self.card
        height, width = output_factors(card.stage, card.scale)
        shape = (batch.shape[0], batch.shape[1] * height, batch.shape[2] * width, 1)
        return session.run(batch, self.outputs, shape)


class TensorrtRtxEngine(TensorrtEngine):
    """Runs a TensorRT-RTX engine on a GPU of one of the compute capabilities it was built for."""

    runtime: ClassVar[str] = "TensorRT-RTX"
    format: ClassVar[FormatName] = "tensorrt-rtx"


class _Session:
    """An engine on the device, and buffers as large as the largest batch so far."""

    def __init__(self, cuda: Any, runtime: Any, engine: Any) -> None:
        self._cuda = cuda
        # An engine does not keep alive the runtime that made it.
        self._runtime, self._engine = runtime, engine
        self._context = engine.create_execution_context()
        self._stream = _checked(cuda, cuda.cudaStreamCreate())
        self._buffers: dict[str, tuple[int, int]] = {}

    def run(self, batch: Images, outputs: tuple[Tensor, ...], shape: tuple[int, ...]) -> Images:
        """Return the output `final`, of a shape (batch, height, width, 1)."""
        cuda, final = self._cuda, np.empty(shape, np.float32)
        self._context.set_input_shape("lr", batch.shape)
        self._bind("lr", batch.nbytes)
        for output in outputs:
            self._bind(output.name, final.nbytes)
        kinds = cuda.cudaMemcpyKind
        self._copy(self._buffers["lr"][0], batch.ctypes.data, batch.nbytes, kinds.cudaMemcpyHostToDevice)
        if not self._context.execute_async_v3(int(self._stream)):
            raise RuntimeError("the engine did not run")
        self._copy(final.ctypes.data, self._buffers["final"][0], final.nbytes, kinds.cudaMemcpyDeviceToHost)
        _checked(cuda, cuda.cudaStreamSynchronize(self._stream))
        return final

    def _bind(self, name: str, size: int) -> None:
        address, capacity = self._buffers.get(name, (0, 0))
        if size > capacity:
            if address:
                _checked(self._cuda, self._cuda.cudaFree(address))
            address = int(_checked(self._cuda, self._cuda.cudaMalloc(size)))
            self._buffers[name] = (address, size)
        self._context.set_tensor_address(name, address)

    def _copy(self, target: int, source: int, size: int, kind: Any) -> None:
        _checked(self._cuda, self._cuda.cudaMemcpyAsync(target, source, size, kind, self._stream))


def pack_metadata(metadata: str) -> str:
    """Return facts as a network's name."""
    return NAME_PREFIX + base64.b64encode(zlib.compress(metadata.encode(), 9)).decode()


def unpack_metadata(content: bytes) -> str | None:
    """Return the facts in the bytes of an engine, None if there are none.

    Raises:
        ValueError: they are damaged.
    """
    found = FACTS.search(content)
    if found is None:
        return None
    try:
        return zlib.decompress(base64.b64decode(found[1])).decode()
    except zlib.error as error:
        raise ValueError(f"its facts are damaged: {error}") from error


def compute_capability(cuda: Any) -> str:
    """Return the compute capability of the first GPU, "SM89".

    Args:
        cuda: the module cuda.bindings.runtime.

    Raises:
        MissingDependencyError: there is no GPU, or its driver is too old.
    """
    attributes = cuda.cudaDeviceAttr
    numbers = []
    for attribute in (attributes.cudaDevAttrComputeCapabilityMajor, attributes.cudaDevAttrComputeCapabilityMinor):
        error, number = cuda.cudaDeviceGetAttribute(attribute, 0)
        if error != cuda.cudaError_t.cudaSuccess:
            raise MissingDependencyError(
                f"TensorRT engines run on NVIDIA GPUs only. Received: this machine, where CUDA says {error.name}. "
                "Use the GPU the engine was built for, or an .onnx file, which runs anywhere."
            )
        numbers.append(number)
    return f"SM{numbers[0]}{numbers[1]}"


def check_hardware(name: str, target: dict[str, Any], present: str) -> None:
    """Refuse an engine that was built for other hardware.

    Args:
        name: of the engine's file.
        target: of its manifest.
        present: this GPU's compute capability, "SM89".

    Raises:
        ModelFileError: it was.
    """
    built = target.get("compute_capabilities", [])
    if present not in built:
        raise ModelFileError(
            f"A TensorRT engine runs on the compute capability it was built for. Received: {name}, built for "
            f"{', '.join(built)}, on a GPU of {present}. Export it again on or for this GPU."
        )


def collecting_logger(tensorrt: Any, messages: list[str]) -> Any:
    """Return a TensorRT logger that keeps errors for their exceptions instead of writing them to stderr."""

    class Collecting(tensorrt.ILogger):
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Keep errors."""
            if severity in (tensorrt.ILogger.ERROR, tensorrt.ILogger.INTERNAL_ERROR):
                messages.append(message)

    return Collecting()


def _checked(cuda: Any, answer: Any) -> Any:
    """Return what a CUDA call gave besides its error code, if that is success."""
    error, *values = answer
    if error != cuda.cudaError_t.cudaSuccess:
        raise RuntimeError(f"CUDA: {error.name}")
    return values[0] if values else None
