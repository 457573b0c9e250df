"""Super-resolution of 3-D CT and MRI scans.

Everything public is imported from here, and only when it is used: `import sr_keras` loads no deep-learning framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_keras.engines import KerasEngine as KerasEngine
    from sr_keras.engines import load_engine as load_engine
    from sr_keras.errors import SrKerasError as SrKerasError
    from sr_keras.inference.upscaler import Upscaler as Upscaler
    from sr_keras.io.nifti import read_volume as read_volume
    from sr_keras.io.nifti import write_volume as write_volume
    from sr_keras.models.registry import choose_stages as choose_stages
    from sr_keras.models.stages import find_stage as find_stage
    from sr_keras.models.stages import shipped_stages as shipped_stages
    from sr_keras.networks import build_network as build_network
    from sr_keras.training.configuration import Configuration as Configuration
    from sr_keras.training.configuration import read_configuration as read_configuration
    from sr_keras.training.run import resume_training as resume_training
    from sr_keras.training.run import start_training as start_training
    from sr_keras.volumes.volume import Volume as Volume

_HOMES = {
    "Configuration": "training.configuration",
    "KerasEngine": "engines",
    "SrKerasError": "errors",
    "Upscaler": "inference.upscaler",
    "Volume": "volumes.volume",
    "build_network": "networks",
    "choose_stages": "models.registry",
    "find_stage": "models.stages",
    "load_engine": "engines",
    "read_configuration": "training.configuration",
    "read_volume": "io.nifti",
    "resume_training": "training.run",
    "shipped_stages": "models.stages",
    "start_training": "training.run",
    "write_volume": "io.nifti",
}

__all__ = [
    "Configuration",
    "KerasEngine",
    "SrKerasError",
    "Upscaler",
    "Volume",
    "build_network",
    "choose_stages",
    "find_stage",
    "load_engine",
    "read_configuration",
    "read_volume",
    "resume_training",
    "shipped_stages",
    "start_training",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
