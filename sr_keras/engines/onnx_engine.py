"""Runs ONNX files on onnxruntime."""

from pathlib import Path
from typing import Any, ClassVar

from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module

METADATA_KEY = "sr_keras"
# In the order of preference. TF32 is off where it can be: it rounds inputs to 10 bits.
PROVIDERS: dict[str, dict[str, str]] = {
    "TensorrtExecutionProvider": {},
    "CUDAExecutionProvider": {"use_tf32": "0"},
    "CPUExecutionProvider": {},
}
# Errors of onnxruntime are raised as well; only fatal ones are logged on top.
ONLY_FATAL = 4


class OnnxEngine(ModelFileEngine):
    """Runs an ONNX file on TensorRT, CUDA or the CPU: on the first of them that this onnxruntime has."""

    runtime: ClassVar[str] = "onnxruntime"

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the facts in the file's metadata_props, JSON; None if there are none."""
        metadata: str | None = _open(path).get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        return metadata

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`: on processors alone, since GPUs choose their ways for each size anew."""
        return bool(self._session.get_providers() == ["CPUExecutionProvider"])

    def _load(self) -> Any:
        return _open(self.path)

    def _infer(self, session: Any, batch: Images) -> Images:
        output: Images = session.run(["final"], {"lr": batch})[0]
        return output


def _open(path: Path) -> Any:
    runtime = load_module("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    # Plans of memory for one shape, which take nearly twice as much of it and save no time.
    options.enable_mem_pattern = False
    available = runtime.get_available_providers()
    providers = [(name, settings) for name, settings in PROVIDERS.items() if name in available]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # Its errors have no common base but Exception.
        raise ValueError(str(error)) from error
