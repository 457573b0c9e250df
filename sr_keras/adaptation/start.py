"""What adaptation begins with: a plain chain of convolutions of any factor, whatever stage it comes from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.errors import StageError
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.planning import Step
from sr_keras.models.stages import Stage, TrainedStage
from sr_keras.networks.folding import LINEAR_TAPS
from sr_keras.volumes.resampling import interpolation_kernel
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """A plain chain for one scan, see `sr_keras.networks.conditional.build_folded`.

    Attributes:
        scale: its factor.
        widths: filters of each convolution but the last.
        skip: whether it has a skip connection.
        weights: kernel (height, width, in, out) and bias (out,) by the names of the layers.
    """

    scale: int
    widths: tuple[int, ...]
    skip: bool
    weights: dict[str, tuple[Floats, Floats]]


def folded_for(stage: Stage, volume: Volume, axis: int, noise_kept: float) -> Stage:
    """Return a d stage folded for a scan if it is conditional, else the stage itself.

    Args:
        stage: to start from.
        volume: the scan.
        axis: its through-plane axis.
        noise_kept: how much of its noise is kept, 0 to 1.
    """
    if not (isinstance(stage, TrainedStage) and stage.conditional):
        return stage
    return stage.for_scan(Conditions(noise_kept).description(volume, Step("d", stage.card.scale, (axis,))))


def start_of(stage: Stage, scale: int) -> Start:
    """Return the chain to start with at a factor, which may be another one than the stage's.

    Raises:
        StageError: the network of the stage is no chain.
    """
    network = stage.network
    layers = {layer.name: layer for layer in network.layers}
    if not {"conv1", "details"} <= layers.keys():
        raise StageError(
            f"{stage.name}, of the family {stage.card.family}, cannot be adapted; name a stage of fast or best."
        )
    convolutions = [name for name in layers if name.startswith("conv")]
    weights = {name: tuple(layers[name].get_weights()) for name in (*convolutions, "details")}
    weights["linear"] = _linear(layers, stage.card.scale)
    if scale != stage.card.scale:
        weights |= _at_scale(weights, stage.card.scale, scale)
    widths = tuple(int(weights[name][1].size) for name in convolutions)
    return Start(scale, widths, "skip" in layers, weights)


def _linear(layers: dict[str, Any], scale: int) -> tuple[Floats, Floats]:
    """Return the kernel and the bias of the linear part; fixed cubic interpolation has fewer taps and no bias."""
    if "linear" in layers:
        kernel, bias = layers["linear"].get_weights()
        return kernel, bias
    (kernel,) = layers["cubic"].get_weights()
    missing = (LINEAR_TAPS - kernel.shape[1]) // 2
    return np.pad(kernel, ((0, 0), (missing, missing), (0, 0), (0, 0))), np.zeros(scale, np.float32)


def _at_scale(weights: dict[str, tuple[Floats, Floats]], old: int, new: int) -> dict[str, tuple[Floats, Floats]]:
    """Return the layers whose channels are phases of a low-resolution pixel, for another number of phases.

    What they add to cubic interpolation is interpolated linearly between the phases, and goes on beyond the outer ones.
    """
    matrix = _phase_matrix(old, new)
    kernel, bias = weights["details"]
    linear, offset = weights["linear"]
    residual = linear - _cubic(old)
    return {
        "details": (kernel @ matrix, bias @ matrix),
        "linear": (_cubic(new) + residual @ matrix, offset @ matrix),
    }


def _phase_matrix(old: int, new: int) -> Floats:
    """Return the weights (old phases, new phases) of linear interpolation between the centres of upsampled pixels."""
    places = (np.arange(new) + 0.5) / new * old - 0.5
    first = np.clip(np.floor(places).astype(int), 0, old - 2)
    matrix = np.zeros((old, new), np.float32)
    matrix[first, np.arange(new)] = 1.0 - (places - first)
    matrix[first + 1, np.arange(new)] = places - first
    return matrix


def _cubic(scale: int) -> Floats:
    return interpolation_kernel((1, scale), LINEAR_TAPS).astype(np.float32)
