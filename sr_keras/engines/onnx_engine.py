"""The engine that runs ONNX files on onnxruntime."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sr_keras.engines.folded_onnx import FoldedOnnx
from sr_keras.engines.interface import Images
from sr_keras.engines.manifest import Manifest
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
    """Runs an ONNX file on TensorRT, CUDA or the CPU, the first of them that the installed onnxruntime supports.

    Args:
        path: of the file.
        manifest: its description.
        name: how to call the engine; empty is the file's name.
        folded: of a conditional stage: what makes the file one for another scan.
    """

    def __init__(self, path: Path, manifest: Manifest, name: str = "", folded: FoldedOnnx | None = None) -> None:
        super().__init__(path, manifest, name)
        self._folded = folded

    @property
    def conditional(self) -> bool:
        """Whether it can be folded for a scan."""
        return self._folded is not None

    @property
    def trust(self) -> float:
        """How much of the network's details the scan that it is folded for gets, from 0 to 1."""
        return self._folded.weights.trust(np.asarray(self.card.description, np.float32)) if self._folded else 1.0

    def for_scan(self, description: Iterable[float]) -> Self:
        """Return the engine of a conditional stage folded for a scan.

        Args:
            description: of the scan, see `sr_keras.networks.folding.fold`.
        """
        card = replace(self.card, description=[float(number) for number in description])
        engine = type(self)(self.path, replace(self.manifest, card=card), self.name, self._folded)
        engine.threads = self.threads
        return engine

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, an entry of metadata_props; see `ModelFileEngine.embedded`."""
        metadata: str | None = open_session(path).get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        return metadata

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`: true on CPUs only, since GPU libraries select kernels for each size."""
        return bool(self._session.get_providers() == ["CPUExecutionProvider"])

    def _load(self) -> Any:
        return open_session(self.path if self._folded is None else self._content(), self.threads)

    def _content(self) -> bytes:
        """Return the content of the file, of a conditional stage for the scan that it is folded for."""
        content = self.path.read_bytes()
        if self._folded is None:
            return content
        return self._folded.content_for(content, np.asarray(self.card.description, np.float32))

    def _infer(self, session: Any, batch: Images) -> Images:
        output: Images = session.run(["final"], {"lr": batch})[0]
        return output


def open_session(model: Path | bytes, threads: int | None = None, *, spinning: bool = True) -> Any:
    """Return the session of a model.

    Args:
        model: the path of a file, or its content.
        threads: of the processor; None is all cores.
        spinning: whether threads keep their cores for a while after a run, which saves time where the next one follows
            at once, and takes it from other sessions.

    Raises:
        ValueError: the runtime refuses it.
        MissingDependencyError: the runtime is not installed.
    """
    runtime = load_module("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    # Memory patterns are planned for each shape; they nearly double the peak memory and save no time.
    options.enable_mem_pattern = False
    # Given no number, it starts a thread a core and binds each to one, even outside the cores that the process may use.
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    available = runtime.get_available_providers()
    providers = [(name, settings) for name, settings in PROVIDERS.items() if name in available]
    try:
        content = model if isinstance(model, bytes) else str(model)
        return runtime.InferenceSession(content, options, providers=providers)
    except Exception as error:
        # Its errors have no common base but Exception.
        raise ValueError(str(error)) from error
