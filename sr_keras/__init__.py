"""Super-resolution of 3-D CT and MRI scans.

Everything public is imported from here, and only when it is used: `import sr_keras` loads no deep-learning framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_keras.adaptation.adapter import ScanAdapter as ScanAdapter
    from sr_keras.engines import KerasEngine as KerasEngine
    from sr_keras.engines import load_engine as load_engine
    from sr_keras.errors import SrKerasError as SrKerasError
    from sr_keras.evaluation.metrics import measure as measure
    from sr_keras.inference.upscale import upscale as upscale
    from sr_keras.inference.upscaler import Upscaler as Upscaler
    from sr_keras.io.nifti import read_volume as read_volume
    from sr_keras.io.nifti import write_volume as write_volume
    from sr_keras.models.registry import choose_stages as choose_stages
    from sr_keras.models.stages import find_stage as find_stage
    from sr_keras.models.stages import load_model as load_model
    from sr_keras.models.stages import shipped_stages as shipped_stages
    from sr_keras.networks import build_network as build_network
    from sr_keras.networks import register_family as register_family
    from sr_keras.training.batches import training_batches as training_batches
    from sr_keras.training.configuration import Configuration as Configuration
    from sr_keras.training.configuration import read_configuration as read_configuration
    from sr_keras.training.losses import charbonnier as charbonnier
    from sr_keras.training.losses import psnr as psnr
    from sr_keras.training.losses import ssim as ssim
    from sr_keras.training.run import resume_training as resume_training
    from sr_keras.training.run import start_training as start_training
    from sr_keras.volumes.volume import Volume as Volume

_HOMES = {
    "Configuration": "training.configuration",
    "KerasEngine": "engines",
    "ScanAdapter": "adaptation.adapter",
    "SrKerasError": "errors",
    "Upscaler": "inference.upscaler",
    "Volume": "volumes.volume",
    "build_network": "networks",
    "charbonnier": "training.losses",
    "choose_stages": "models.registry",
    "find_stage": "models.stages",
    "load_engine": "engines",
    "load_model": "models.stages",
    "measure": "evaluation.metrics",
    "psnr": "training.losses",
    "read_configuration": "training.configuration",
    "read_volume": "io.nifti",
    "register_family": "networks",
    "resume_training": "training.run",
    "shipped_stages": "models.stages",
    "ssim": "training.losses",
    "start_training": "training.run",
    "training_batches": "training.batches",
    "upscale": "inference.upscale",
    "write_volume": "io.nifti",
}

__all__ = [
    "Configuration",
    "KerasEngine",
    "ScanAdapter",
    "SrKerasError",
    "Upscaler",
    "Volume",
    "build_network",
    "charbonnier",
    "choose_stages",
    "find_stage",
    "load_engine",
    "load_model",
    "measure",
    "psnr",
    "read_configuration",
    "read_volume",
    "register_family",
    "resume_training",
    "shipped_stages",
    "ssim",
    "start_training",
    "training_batches",
    "upscale",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
