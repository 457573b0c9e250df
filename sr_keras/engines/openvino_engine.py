"""The engine that runs OpenVINO files."""

import sys
from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module

RT_INFO_KEY = "sr_keras"


class OpenvinoEngine(ModelFileEngine):
    """Runs an OpenVINO file (.xml, with its .bin beside it) on the CPU."""

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, an entry of rt_info; see `ModelFileEngine.embedded`."""
        model = _core().read_model(str(path))
        return str(model.get_rt_info(RT_INFO_KEY).value) if model.has_rt_info(RT_INFO_KEY) else None

    def _load(self) -> Any:
        # By default OpenVINO computes in bfloat16 where the processor supports it.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": self.threads or 0}
        return _core().compile_model(str(self.path), "CPU", settings)

    def _infer(self, session: Any, batch: Images) -> Images:
        output: Images = session({"lr": batch})["final"]
        return output


def load_openvino() -> Any:
    """Import OpenVINO with its telemetry disabled, and return it.

    Its converter reports each use to a server, from a process forked by a thread. Medical software must not do that,
    and forking while numpy multiplies matrices deadlocks numpy.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return load_module("openvino", FORMATS["openvino"].install)


def _core() -> Any:
    return load_openvino().Core()
