"""The engine that runs TensorRT and TensorRT-RTX files; the Python modules of both have the same interface."""

import base64
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines.formats import FORMATS, FormatName
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.engines.signature import Tensor
from sr_keras.errors import MissingDependencyError, ModelFileError
from sr_keras.files import LARGEST_JSON
from sr_keras.framework import load_module
from sr_keras.networks import output_factors

# The metadata is embedded as the network's name, which is stored verbatim: this prefix and compressed JSON in base64.
NAME_PREFIX = "sr_keras:"
METADATA = re.compile(re.escape(NAME_PREFIX).encode() + rb"([A-Za-z0-9+/]+=*)")


class TensorrtEngine(ModelFileEngine):
    """Runs a TensorRT or TensorRT-RTX engine on a GPU of a compute capability that it was built for."""

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata; see `ModelFileEngine.embedded`. Needs no GPU."""
        return unpack_metadata(path.read_bytes())

    def _load(self) -> Any:
        tensorrt = load_tensorrt(self.manifest.format)
        cuda = load_module("cuda.bindings.runtime", FORMATS[self.manifest.format].install)
        check_hardware(self.path.name, self.manifest.target, compute_capability(cuda))
        messages: list[str] = []
        # `engine_host_code_allowed` stays off: an engine file may embed code for the host.
        runtime = tensorrt.Runtime(collecting_logger(tensorrt, messages))
        engine = runtime.deserialize_cuda_engine(self.path.read_bytes())
        if engine is None:
            raise RuntimeError(messages[0] if messages else "no reason was given")
        return _DeviceEngine(cuda, runtime, engine)

    def _infer(self, session: "_DeviceEngine", batch: Images) -> Images:
        card = self.card
        height, width = output_factors(card.stage, card.scale)
        shape = (batch.shape[0], batch.shape[1] * height, batch.shape[2] * width, 1)
        return session.run(batch, self.outputs, shape)


class _DeviceEngine:
    """An engine on the device, and buffers for the largest batch so far."""

    def __init__(self, cuda: Any, runtime: Any, engine: Any) -> None:
        self._cuda = cuda
        # An engine does not hold a reference to the runtime that made it.
        self._runtime, self._engine = runtime, engine
        self._context = engine.create_execution_context()
        self._stream = _checked(cuda, cuda.cudaStreamCreate())
        self._buffers: dict[str, tuple[int, int]] = {}

    def run(self, batch: Images, outputs: tuple[Tensor, ...], shape: tuple[int, ...]) -> Images:
        """Return the output `final`.

        Args:
            batch: (batch, height, width, 1), float32.
            outputs: of the network.
            shape: of the output, (batch, height, width, 1).
        """
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


def load_tensorrt(name: FormatName) -> Any:
    """Import TensorRT or TensorRT-RTX and return it.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return load_module(name.replace("-", "_"), FORMATS[name].install)


def pack_metadata(metadata: str) -> str:
    """Return metadata, JSON, as a network's name."""
    return NAME_PREFIX + base64.b64encode(zlib.compress(metadata.encode(), 9)).decode()


def unpack_metadata(content: bytes) -> str | None:
    """Return the metadata in the bytes of an engine, JSON; None if it has none.

    Raises:
        ValueError: the metadata is damaged or longer than a network's name can be.
    """
    found = METADATA.search(content)
    if found is None:
        return None
    try:
        inflate = zlib.decompressobj()
        metadata = inflate.decompress(base64.b64decode(found[1]), LARGEST_JSON)
    except zlib.error as error:
        raise ValueError(f"its metadata is damaged: {error}") from error
    if inflate.unconsumed_tail or not inflate.eof:
        raise ValueError("its metadata is damaged")
    return metadata.decode()


def compute_capability(cuda: Any) -> str:
    """Return the compute capability of the first GPU, "SM89".

    Args:
        cuda: the module cuda.bindings.runtime.

    Raises:
        MissingDependencyError: there is no GPU, or its driver does not support the CUDA version.
    """
    attributes = cuda.cudaDeviceAttr
    numbers = []
    for attribute in (attributes.cudaDevAttrComputeCapabilityMajor, attributes.cudaDevAttrComputeCapabilityMinor):
        error, number = cuda.cudaDeviceGetAttribute(attribute, 0)
        if error != cuda.cudaError_t.cudaSuccess:
            raise MissingDependencyError(
                f"TensorRT finds no NVIDIA GPU here (CUDA: {error.name}); use the GPU the engine was built for, or an "
                ".onnx file, which runs anywhere."
            )
        numbers.append(number)
    return f"SM{numbers[0]}{numbers[1]}"


def check_hardware(name: str, target: dict[str, Any], present: str) -> None:
    """Refuse an engine that was built for other hardware.

    Args:
        name: of the engine file.
        target: of its manifest.
        present: compute capability of this GPU, "SM89".

    Raises:
        ModelFileError: the engine was not built for this compute capability.
    """
    built = target.get("compute_capabilities", [])
    if present not in built:
        raise ModelFileError(
            f"{name} was built for {', '.join(built)}, and this GPU is {present}; export it again for this GPU."
        )


def collecting_logger(tensorrt: Any, messages: list[str]) -> Any:
    """Return a TensorRT logger that collects errors instead of writing them to stderr.

    Args:
        tensorrt: the module.
        messages: receives the text of each error.
    """

    class Collecting(tensorrt.ILogger):
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Collect errors."""
            if severity in (tensorrt.ILogger.ERROR, tensorrt.ILogger.INTERNAL_ERROR):
                messages.append(message)

    return Collecting()


def _checked(cuda: Any, answer: Any) -> Any:
    """Return the result of a CUDA call, or raise its error."""
    error, *values = answer
    if error != cuda.cudaError_t.cudaSuccess:
        raise RuntimeError(f"CUDA: {error.name}")
    return values[0] if values else None
