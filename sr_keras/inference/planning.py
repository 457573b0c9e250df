"""From the factors that a user asks for to the stages that make them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod
from typing import Protocol

from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.networks import StageName
from sr_keras.volumes.geometry import SPACING_TOLERANCE, format_spacing
from sr_keras.volumes.volume import Volume, format_shape

Factors = tuple[int, int, int]

# No axis is upsampled by more: nothing real is left to find.
LARGEST_FACTOR = 8
# Where no hw stage runs, slabs are spans of the slowest axis of a NIfTI file.
SLOWEST_AXIS = 2


@dataclass(frozen=True)
class Step:
    """One pass of a stage over a volume.

    Attributes:
        stage: "hw" upsamples two axes, "d" one.
        scale: the factor.
        axes: the axes of the volume that grow, of 0, 1 and 2.
    """

    stage: StageName
    scale: int
    axes: tuple[int, ...]

    @property
    def label(self) -> str:
        """The step as people write it, "hw x2 on ij"."""
        return f"{self.stage} x{self.scale} on {''.join('ijk'[axis] for axis in self.axes)}"


class Available(Protocol):
    """A stage at hand, such as its card."""

    @property
    def stage(self) -> StageName:
        """The stage's name."""

    @property
    def scale(self) -> int:
        """The factor it upsamples by."""

    @property
    def receptive_field_radius(self) -> tuple[int, int]:
        """Of its network along height and width, in low-resolution pixels."""


def plan_steps(factors: Factors, slice_axis: int, stages: Iterable[Available]) -> list[Step]:
    """Return the passes that upsample a volume, the d stage before the hw stage.

    The d stage runs in two orientations, so that it costs least on the smallest volume: on x2 along each axis half the
    arithmetic of the published order, hw first, at the same quality to 0.2 dB. And slices that the hw stage makes last
    need nothing of their neighbours: they can be written as they come.

    Where one axis grows the d stage upsamples it. Where two grow the hw stage upsamples them together; where three grow
    the d stage upsamples the through-plane axis and the hw stage the two others. What two axes do not have in common
    is left to the d stage.

    Args:
        factors: along i, j, k.
        slice_axis: the through-plane axis, which matters where all three grow.
        stages: the stages at hand.

    Raises:
        ConfigurationError: no product of these scales gives a factor; the message lists those that can be had.
    """
    stages = list(stages)
    hw, d = _scales(stages, "hw"), _scales(stages, "d")
    if not all(1 <= factor <= LARGEST_FACTOR for factor in factors):
        raise _no_such_scale(factors, slice_axis, hw, d)
    growing = [axis for axis in range(3) if factors[axis] != 1]
    pair = [axis for axis in growing if axis != slice_axis] if len(growing) == 3 else growing
    together = _common_factor([factors[axis] for axis in pair], hw, d) if len(pair) == 2 else 1
    steps: list[Step] = []
    for axis in growing:
        rest = factors[axis] // together if axis in pair else factors[axis]
        through = _product(rest, d)
        if through is None:
            raise _no_such_scale(factors, slice_axis, hw, d)
        steps += [Step("d", scale, (axis,)) for scale in through]
    return steps + [Step("hw", scale, tuple(pair)) for scale in _product(together, hw) or []]


def factors_for_spacing(spacing: Sequence[float], target: Sequence[float], stages: Iterable[Available]) -> Factors:
    """Return the smallest factors whose stages reach a spacing at least as fine as the target along each axis.

    Args:
        spacing: of the scan, mm along i, j, k.
        target: wanted, mm along i, j, k.
        stages: the stages at hand.
    """
    stages = list(stages)
    # Each axis alone is the d stage's. Without one the hw stage reaches what it can.
    reachable = _reachable((), _scales(stages, "d") or _scales(stages, "hw"))
    i, j, k = (
        next((factor for factor in reachable if old / factor <= new * (1 + SPACING_TOLERANCE)), reachable[-1])
        for old, new in zip(spacing, target, strict=True)
    )
    return i, j, k


def upsampled_shape(shape: Sequence[int], factors: Factors) -> tuple[int, int, int]:
    """Return the shape of a volume after all stages."""
    i, j, k = (length * factor for length, factor in zip(shape, factors, strict=True))
    return i, j, k


def shape_after(shape: Sequence[int], step: Step) -> tuple[int, int, int]:
    """Return the shape of a volume after one step."""
    i, j, k = (length * (step.scale if axis in step.axes else 1) for axis, length in enumerate(shape))
    return i, j, k


def slab_axis_of(steps: Sequence[Step]) -> int:
    """Return the axis along which the result is made: across the slices of the hw stage, else the slowest of files."""
    last = next((step for step in steps if step.stage == "hw"), None)
    return SLOWEST_AXIS if last is None else next(axis for axis in range(3) if axis not in last.axes)


def check_slices(
    volume: Volume, factors: Factors, slice_axis: int, steps: Sequence[Step], stages: Iterable[Available]
) -> None:
    """Refuse slices in which a network would see more border than scan.

    Args:
        volume: the scan.
        factors: along i, j, k.
        slice_axis: the through-plane axis.
        steps: that make the factors.
        stages: the stages at hand.

    Raises:
        VolumeError: an axis is shorter than the receptive field radius of a network that sees it.
    """
    stages = list(stages)
    step = _too_short(volume.shape, steps, stages)
    if step is None:
        return
    raise VolumeError(
        f"{volume.source}: {format_shape(volume.shape)} voxels are too few for {step.label}, which needs "
        f"{_radius(step, stages)} along each axis of its slices; {_remedy(volume.shape, factors, slice_axis, stages)}."
    )


def _too_short(shape: Sequence[int], steps: Iterable[Step], stages: Sequence[Available]) -> Step | None:
    """Return the first step whose slices are smaller than the receptive field radius of its network."""
    for step in steps:
        in_slices = range(3) if step.stage == "d" else step.axes
        if min(shape[axis] for axis in in_slices) < _radius(step, stages):
            return step
    return None


def _radius(step: Step, stages: Sequence[Available]) -> int:
    return next(
        max(each.receptive_field_radius) for each in stages if (each.stage, each.scale) == (step.stage, step.scale)
    )


def _remedy(shape: Sequence[int], factors: Factors, slice_axis: int, stages: Sequence[Available]) -> str:
    """Return the largest scale that a volume is large enough for, as advice."""
    choices = sorted(product(*({1, factor} for factor in factors)), key=prod, reverse=True)
    for i, j, k in choices[:-1]:
        try:
            steps = plan_steps((i, j, k), slice_axis, stages)
        except ConfigurationError:
            continue
        if _too_short(shape, steps, stages) is None:
            return f"use --scale {i}x{j}x{k}"
    return "use a larger scan"


def _scales(stages: Iterable[Available], name: StageName) -> list[int]:
    return sorted({stage.scale for stage in stages if stage.stage == name}, reverse=True)


def _common_factor(pair: Sequence[int], hw: Sequence[int], d: Sequence[int]) -> int:
    """Return the largest factor that the hw stage can give both axes and whose rest the d stage can give each."""
    for factor in range(gcd(*pair), 1, -1):
        rests = [whole // factor for whole in pair if whole % factor == 0]
        if (
            len(rests) == 2
            and _product(factor, hw) is not None
            and all(_product(rest, d) is not None for rest in rests)
        ):
            return factor
    return 1


def _product(factor: int, scales: Sequence[int]) -> list[int] | None:
    """Return scales, the largest first, whose product is the factor; None if there are none."""
    if factor == 1:
        return []
    for scale in scales:
        rest = _product(factor // scale, scales) if factor % scale == 0 else None
        if rest is not None:
            return [scale, *rest]
    return None


def _reachable(hw: Sequence[int], d: Sequence[int]) -> list[int]:
    """Return the factors that some axis can be upsampled by."""
    scales = sorted({*hw, *d}, reverse=True)
    return [factor for factor in range(1, LARGEST_FACTOR + 1) if _product(factor, scales) is not None]


def _no_such_scale(factors: Factors, slice_axis: int, hw: Sequence[int], d: Sequence[int]) -> ConfigurationError:
    wanted = format_spacing(factors)
    if not (hw or d):
        return ConfigurationError("There is no trained stage to super-resolve with; name one with --model.")
    if not d and all(factor in {1, *hw} for factor in factors):
        example = "x".join("1" if axis == slice_axis else str(hw[-1]) for axis in range(3))
        return ConfigurationError(f"{wanted} needs a d stage too; add one with --model or use --scale {example}.")
    reachable = ", ".join(map(str, _reachable(hw, d)))
    return ConfigurationError(f"{wanted} is not made of the factors {reachable}; choose of those, or use --spacing.")
