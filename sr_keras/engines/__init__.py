"""Engines run a trained stage on images; each runtime is one module.

`load_engine` returns the engine for a shipped name, a training run or an exported file. No runtime is imported before
it is needed.
"""

from sr_keras.engines.batching import Batched
from sr_keras.engines.interface import Engine, Images, NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import load_engine
from sr_keras.engines.tiling import tiled

__all__ = ["Batched", "Engine", "Images", "KerasEngine", "NamedEngine", "load_engine", "tiled"]
