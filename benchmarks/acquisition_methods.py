"""What `acquisitions.py` compares: shipped models, and conditional stages folded for each scan."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.cli.options import load_upscalers
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.inference.upscaler import Upscaler
from sr_keras.networks import StageName
from sr_keras.networks.folding import ConditionalWeights, load_conditional_weights
from sr_keras.volumes.volume import Volume

Stack = npt.NDArray[np.float32]
# Slices that a fingerprint is taken from.
FINGERPRINT_SLICES = 12


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


def shipped(name: str) -> Method:
    """Return a shipped model, which has no dial."""
    (upscaler,) = load_upscalers((name,)).values()
    return Method(frozenset(engine.card.stage for engine in upscaler.engines), _Shipped(upscaler))


@dataclass(frozen=True)
class _Shipped:
    upscaler: Upscaler

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        del dial
        # A range of exactly 0 to 1, so that the intensities stay what they are.
        volume = Volume(stack, np.eye(4), "MR")
        return np.asarray(self.upscaler.upscale(volume, factors, slice_axis=0).voxels, np.float32)


def conditional(folder: Path) -> Method:
    """Return the conditional stages of a folder: `hw_x2.npz` and the like."""
    weights = {path.stem: load_conditional_weights(path) for path in sorted(folder.glob("*.npz"))}
    return Method(frozenset(name.split("_")[0] for name in weights), _Conditional(weights))


@dataclass(frozen=True)
class _Conditional:
    weights: dict[str, ConditionalWeights]

    def __call__(self, stack: Stack, factors: tuple[int, int, int], dial: float) -> Stack:
        if factors[0] == 1:
            return self._stage("hw", factors[1], stack, (0, 1), dial)
        # Both orientations that contain the through-plane axis, with depth last.
        rows = self._stage("d", factors[0], stack.transpose(1, 2, 0), (1,), dial).transpose(2, 0, 1)
        columns = self._stage("d", factors[0], stack.transpose(2, 1, 0), (1,), dial).transpose(2, 1, 0)
        return np.asarray((rows + columns) / 2, np.float32)

    def _stage(self, stage: StageName, scale: int, images: Stack, axes: tuple[int, ...], dial: float) -> Stack:
        from sr_keras.networks.conditional import build_folded, fold_into

        weights = self.weights[f"{stage}_x{scale}"]
        widths = [layer["bias"].size for name, layer in sorted(weights.convolutions.items()) if name.startswith("conv")]
        model = build_folded(stage, scale, widths=widths, skip=widths[0] == 48)
        vector = fingerprint(_evenly(images), axes)
        fold_into(model, weights, np.append(vector, np.float32(dial)))
        batches = (images[start : start + 8, ..., None] for start in range(0, len(images), 8))
        return np.concatenate([np.asarray(model.predict_on_batch(batch)["final"])[..., 0] for batch in batches])


def _evenly(images: Stack) -> Iterable[Stack]:
    """Return images from the middle three quarters of a stack."""
    count = len(images)
    chosen = count // 8 + (2 * np.arange(FINGERPRINT_SLICES) + 1) * (count - count // 4) // (2 * FINGERPRINT_SLICES)
    return (np.ascontiguousarray(images[index]) for index in dict.fromkeys(np.minimum(chosen, count - 1)))
