"""What `acquisitions.py` compares."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.cli.options import load_upscalers
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.upscaler import Upscaler
from sr_keras.volumes.volume import Volume

Stack = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Method:
    """A way to upsample a stack (slice, row, column) of normalised intensities by factors, with a noise dial of 0 to 1.

    Attributes:
        stages: that it has.
        upsample: takes the stack, the factors and the dial.
    """

    stages: frozenset[str]
    upsample: Any

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        """Return the upsampled stack."""
        result: Stack = self.upsample(stack, factors, dial)
        return result


def lanczos(stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
    """Upsample by Lanczos interpolation."""
    del dial
    return interpolate(stack, factors, "lanczos")


def model(name: str) -> Method:
    """Return a shipped model or a training run; the dial is that of conditional ones."""
    (upscaler,) = load_upscalers((name,)).values()
    return Method(frozenset(engine.card.stage for engine in upscaler.engines), _Shipped(upscaler))


@dataclass(frozen=True)
class _Shipped:
    upscaler: Upscaler

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        # A range of exactly 0 to 1, so that the intensities stay what they are.
        volume = Volume(stack, np.eye(4), "MR")
        upscaler = replace(self.upscaler, conditions=Conditions(dial))
        return np.asarray(upscaler.upscale(volume, factors, slice_axis=0).voxels, np.float32)
