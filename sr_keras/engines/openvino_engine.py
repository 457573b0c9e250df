"""Runs OpenVINO files."""

import sys
from pathlib import Path
from typing import Any, ClassVar

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module

RT_INFO_KEY = "sr_keras"


class OpenvinoEngine(ModelFileEngine):
    """Runs an OpenVINO file (.xml, and .bin beside it) on the CPU."""

    runtime: ClassVar[str] = "openvino"

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the facts in the model's rt_info, JSON; None if there are none."""
        model = _core().read_model(str(path))
        return str(model.get_rt_info(RT_INFO_KEY).value) if model.has_rt_info(RT_INFO_KEY) else None

    def _load(self) -> Any:
        # Left to itself, OpenVINO computes in bfloat16 where the processor can.
        return _core().compile_model(str(self.path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def _infer(self, session: Any, batch: Images) -> Images:
        output: Images = session({"lr": batch})["final"]
        return output


def load_openvino() -> Any:
    """Import OpenVINO without the telemetry that it comes with, and return it.

    Its converter reports each use to a server, from a process that it forks off a thread. Medical software must not,
    and a fork while numpy multiplies matrices leaves numpy waiting for ever.

    Raises:
        MissingDependencyError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return load_module("openvino", FORMATS["openvino"].install)


def _core() -> Any:
    return load_openvino().Core()
