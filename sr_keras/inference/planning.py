"""From the factors that a user asks for to the stages that make them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Protocol

from sr_keras.errors import ConfigurationError
from sr_keras.networks import StageName
from sr_keras.volumes.geometry import SPACING_TOLERANCE, format_spacing

Factors = tuple[int, int, int]

# No axis is enlarged by more: nothing real is left to find.
LARGEST_FACTOR = 8


@dataclass(frozen=True)
class Step:
    """One pass of a stage over a volume.

    Attributes:
        stage: "hw" enlarges two axes, "d" one.
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
        """The factor it enlarges by."""


def parse_scale(text: str) -> Factors:
    """Return the factors along i, j, k of "2" (all three alike) or "2x2x1".

    Raises:
        ConfigurationError: it is neither.
    """
    parts = text.lower().split("x")
    if len(parts) not in (1, 3) or not all(part.isdecimal() for part in parts):
        raise ConfigurationError(
            f"A scale must be one whole number, or one for each axis of the file as in 2x2x1. Received: {text}."
        )
    i, j, k = (int(part) for part in (parts * 3 if len(parts) == 1 else parts))
    return i, j, k


def parse_spacing(text: str) -> tuple[float, float, float]:
    """Return the spacing in mm along i, j, k of "0.5" (all three alike) or "0.5x0.5x1".

    Raises:
        ConfigurationError: it is neither, or not above zero.
    """
    try:
        values = [float(part) for part in text.lower().split("x")]
        i, j, k = values * 3 if len(values) == 1 else values
    except ValueError:
        i = j = k = 0.0
    if not (min(i, j, k) > 0 and max(i, j, k) < float("inf")):
        raise ConfigurationError(
            f"A spacing must be one number of mm above zero, or one for each axis as in 0.5x0.5x1. Received: {text}."
        )
    return i, j, k


def plan_steps(factors: Factors, slice_axis: int, stages: Iterable[Available]) -> list[Step]:
    """Return the passes that enlarge a volume, the d stage before the hw stage.

    The d stage runs in two orientations, so that it costs least on the smallest volume: on x2 along each axis half the
    arithmetic of the published order, hw first, at the same quality to 0.2 dB. And slices that the hw stage makes last
    need nothing of their neighbours: they can be written as they come.

    Where one axis grows the d stage enlarges it. Where two grow the hw stage enlarges them together; where three grow
    the d stage enlarges the through-plane axis and the hw stage the two others. What two axes do not have in common
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
        raise _no_such_scale(factors, hw, d)
    growing = [axis for axis in range(3) if factors[axis] != 1]
    pair = [axis for axis in growing if axis != slice_axis] if len(growing) == 3 else growing
    together = _common_factor([factors[axis] for axis in pair], hw, d) if len(pair) == 2 else 1
    steps: list[Step] = []
    for axis in growing:
        rest = factors[axis] // together if axis in pair else factors[axis]
        through = _product(rest, d)
        if through is None:
            raise _no_such_scale(factors, hw, d)
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
    """Return the shape of a volume after it was enlarged."""
    i, j, k = (length * factor for length, factor in zip(shape, factors, strict=True))
    return i, j, k


def shape_after(shape: Sequence[int], step: Step) -> tuple[int, int, int]:
    """Return the shape of a volume after one step."""
    i, j, k = (length * (step.scale if axis in step.axes else 1) for axis, length in enumerate(shape))
    return i, j, k


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
    """Return the factors that some axis can be enlarged by."""
    scales = sorted({*hw, *d}, reverse=True)
    return [factor for factor in range(1, LARGEST_FACTOR + 1) if _product(factor, scales) is not None]


def _no_such_scale(factors: Factors, hw: Sequence[int], d: Sequence[int]) -> ConfigurationError:
    if not (hw or d):
        return ConfigurationError("Enlarging needs a trained stage. Received: none. Name one with --model.")
    return ConfigurationError(
        f"A scale must be made of the factors {', '.join(map(str, _reachable(hw, d)))} along each axis. "
        f"Received: {format_spacing(factors)}. Choose one of those, or a spacing in mm with --spacing."
    )
