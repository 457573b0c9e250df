"""What `acquisitions.py` compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.engines import load_engine
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.volume import Volume

Stack = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Method:
    """A way to upsample a stack (slice, row, column) of normalised intensities by factors, with a noise dial of 0 to 1.

    Attributes:
        weights: the SHA-256 of those of each stage that it has.
        upsample: takes the stack, the factors and the dial.
        has_dial: whether the dial changes anything.
    """

    weights: Mapping[str, str]
    upsample: Any
    has_dial: bool = True

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        """Return the upsampled stack."""
        result: Stack = self.upsample(stack, factors, dial)
        return result

    def at_dials(self, stack: Stack, factors: tuple[int, int, int], dials: Sequence[float]) -> dict[str, Stack]:
        """Return the upsampled stack at each of some dials."""
        results = {str(dial): self(stack, factors, dial) for dial in dials[: None if self.has_dial else 1]}
        return {str(dial): results.get(str(dial), results[str(dials[0])]) for dial in dials}


def lanczos(stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
    """Upsample by Lanczos interpolation."""
    del dial
    return interpolate(stack, factors, "lanczos")


def model(name: str, scale: int) -> Method:
    """Return the stages of a family for a scale, a shipped model, or a training run; conditional ones have a dial."""
    stages = [
        stage for stage, each in shipped_stages().items() if each.card.family == name and each.card.scale == scale
    ]
    engines = [load_engine(each) for each in stages or [name]]
    conditional = any(engine.card.description for engine in engines)
    weights = {engine.card.stage: engine.card.weights_sha256 for engine in engines}
    return Method(weights, _Shipped(Upscaler(engines)), conditional)


@dataclass(frozen=True)
class _Shipped:
    upscaler: Upscaler

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        # A range of exactly 0 to 1, so that the intensities stay what they are.
        volume = Volume(stack, np.eye(4), "MR")
        upscaler = replace(self.upscaler, conditions=Conditions(dial))
        return np.asarray(upscaler.upscale(volume, factors, slice_axis=0).voxels, np.float32)
