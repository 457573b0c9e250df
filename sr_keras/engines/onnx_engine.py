"""The engine that runs ONNX files on onnxruntime."""

from pathlib import Path
from typing import Any

from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module

METADATA_KEY = "sr_keras"
# In order of preference. TF32, which rounds inputs to 10 bits, is disabled where possible.
PROVIDERS: dict[str, dict[str, str]] = {
    "TensorrtExecutionProvider": {},
    "CUDAExecutionProvider": {"use_tf32": "0"},
    "CPUExecutionProvider": {},
}
# Log level: errors are raised as exceptions and need not be logged as well.
ONLY_FATAL = 4


class OnnxEngine(ModelFileEngine):
    """Runs an ONNX file on TensorRT, CUDA or the CPU, the first of them that the installed onnxruntime supports."""

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, an entry of metadata_props; see `ModelFileEngine.embedded`."""
        metadata: str | None = _open(path).get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        return metadata

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`: true on CPUs only, since GPU libraries select kernels for each size."""
        return bool(self._session.get_providers() == ["CPUExecutionProvider"])

    def _load(self) -> Any:
        return _open(self.path, self.threads)

    def _infer(self, session: Any, batch: Images) -> Images:
        output: Images = session.run(["final"], {"lr": batch})[0]
        return output


def _open(path: Path, threads: int | None = None) -> Any:
    runtime = load_module("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    # Memory patterns are planned for each shape; they nearly double the peak memory and save no time.
    options.enable_mem_pattern = False
    # Given no number, it starts a thread a core and binds each to one, even outside the cores that the process may use.
    options.intra_op_num_threads = threads or 0
    available = runtime.get_available_providers()
    providers = [(name, settings) for name, settings in PROVIDERS.items() if name in available]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # Its errors have no common base but Exception.
        raise ValueError(str(error)) from error
