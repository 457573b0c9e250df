"""Engines: what runs a trained stage on images, one module a runtime.

`load_engine` takes a shipped name, a run or any exported file and returns the engine for it. No runtime is imported
before it is needed.
"""

from sr_keras.engines.batching import Batched
from sr_keras.engines.interface import Engine, Images, NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import load_engine
from sr_keras.engines.tiling import tiled

__all__ = ["Batched", "Engine", "Images", "KerasEngine", "NamedEngine", "load_engine", "tiled"]
