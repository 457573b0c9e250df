"""What conditional stages are told of a scan, and the stages folded for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.engines import Engine
from sr_keras.engines.interface import ConditionalEngine
from sr_keras.errors import ConfigurationError
from sr_keras.inference.passes import slice_order
from sr_keras.inference.planning import Step
from sr_keras.networks import StageName, upsampled_axes
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.volumes.normalization import evenly, normalization_of
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float32]
# Slices of each orientation that are looked at, from the middle three quarters of the scan.
SLICES = 8
# How much of a scan's noise is kept, in words.
NOISE_SETTINGS = {"keep": KEPT_NOISE, "reduce": 0.5}


@dataclass(frozen=True)
class Conditions:
    """What is asked of conditional stages.

    Attributes:
        noise: how much of the scan's noise is kept, from 0 to 1.
        acquisition: the name of an acquisition to assume, for the records; empty measures the scan itself.
        fingerprints: of that acquisition, by stage; empty where the scan itself is measured.

    Raises:
        ConfigurationError: the noise is out of its range.
    """

    noise: float = KEPT_NOISE
    acquisition: str = ""
    fingerprints: Mapping[StageName, Any] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.noise <= 1.0:
            raise ConfigurationError(f"The noise that is kept must be between 0 and 1. Received: {self.noise:g}.")

    @property
    def request(self) -> dict[str, Any]:
        """What is asked for, as JSON can hold it."""
        return {"noise": self.noise, "acquisition": self.acquisition or "auto"}

    def description(self, volume: Volume, step: Step) -> Floats:
        """Return what the stage of a step is told of a scan: its fingerprint, and how much noise is kept."""
        known = (self.fingerprints or {}).get(step.stage)
        numbers = scan_fingerprint(volume, step) if known is None else known
        return np.append(np.asarray(numbers, np.float32), np.float32(self.noise))


def scan_fingerprint(volume: Volume, step: Step) -> Floats:
    """Return the fingerprint of a scan along the axes of a step, from few of its slices.

    Args:
        volume: the scan.
        step: the stage and the axes that grow.

    Returns:
        See `sr_keras.acquisition.fingerprint.fingerprint`; for the d stage the mean over both orientations.
    """
    across = [axis for axis in range(3) if axis not in step.axes]
    depth = step.axes[0] if step.stage == "d" else None
    orders = [slice_order(axis, depth) for axis in across]
    found = [fingerprint(_slices(volume, order), upsampled_axes(step.stage)) for order in orders]
    return np.asarray(np.mean([each for each in found if each.any()] or found[:1], axis=0), np.float32)


def folded_engines(engines: Mapping[Step, Engine], volume: Volume, conditions: Conditions) -> dict[Step, Engine]:
    """Return engines with the conditional ones among them folded for a scan.

    Args:
        engines: that run each step.
        volume: the scan.
        conditions: what is asked of them.
    """
    return {
        step: engine.for_scan(conditions.description(volume, step)) if is_conditional(engine) else engine
        for step, engine in engines.items()
    }


def check_can_be_told(engines: Mapping[Step, Engine], conditions: Conditions, *, adapts: bool) -> None:
    """Refuse what is asked for where no stage that runs could be told it.

    Args:
        engines: that run each step.
        conditions: what is asked of them.
        adapts: whether a stage is adapted to the scan, as much of whose noise it learns to keep as is asked for.

    Raises:
        ConfigurationError: as said.
    """
    if not engines or any(map(is_conditional, engines.values())):
        return
    asked = ["--noise"] if conditions.noise != KEPT_NOISE and not adapts else []
    asked += ["--acquisition"] if conditions.acquisition else []
    if asked:
        names = list(dict.fromkeys(engine.card.name for engine in engines.values()))
        raise ConfigurationError(
            f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} the same for every scan; leave "
            f"{' and '.join(asked)} out, or use --quality fast."
        )


def is_conditional(engine: Engine) -> TypeGuard[ConditionalEngine]:
    """Return whether an engine can be folded for a scan."""
    return bool(getattr(engine, "conditional", False))


def condition_records(engines: Mapping[Step, Engine]) -> dict[str, Any]:
    """Return what conditional stages were told of a scan, by step, as JSON can hold it."""
    return {
        step.label: {
            "fingerprint": [round(number, 4) for number in engine.card.description[:-1]],
            "noise": round(engine.card.description[-1], 4),
            "network_share": round(getattr(engine, "trust", 1.0), 4),
        }
        for step, engine in engines.items()
        if engine.card.description
    }


def condition_warnings(engines: Mapping[Step, Engine], *, estimated: bool = False) -> list[str]:
    """Return a warning for each step whose stage has not seen scans like this one, and falls back to interpolation.

    Args:
        engines: that run each step.
        estimated: whether the uncertainty is estimated, too.
    """
    also = "; the uncertainty was not calibrated on such scans" if estimated else ""
    return [
        f"Warning: along {''.join('ijk'[axis] for axis in step.axes)} the scan is unlike those that {engine.card.name} "
        f"was trained on; {100 * (1 - trust):.0f} % of the result is cubic interpolation{also}."
        for step, engine in engines.items()
        if (trust := getattr(engine, "trust", 1.0)) < 1.0
    ]


def _slices(volume: Volume, order: tuple[int, int, int]) -> Iterator[Floats]:
    """Yield normalised slices, cut in an order of the axes."""
    normalization, across = normalization_of(volume), order[0]
    length = volume.shape[across]
    start, kept = length // 8, max(1, length - length // 4)
    for index in evenly(np.arange(start, start + kept), SLICES):
        span: list[Any] = [slice(None)] * 3
        span[across] = slice(int(index), int(index) + 1)
        image = normalization.apply(volume.voxels[tuple(span)]).transpose(order)[0]
        # The padding around a CT's field of view is no detail.
        yield np.maximum(np.asarray(image, np.float32), np.float32(0.0))


def parse_noise(text: str) -> float:
    """Return how much noise a text asks to keep.

    Raises:
        ConfigurationError: it is neither keep, reduce nor a number from 0 to 1.
    """
    try:
        noise = NOISE_SETTINGS.get(text.lower())
        return Conditions(float(text) if noise is None else noise).noise
    except (ValueError, ConfigurationError) as error:
        raise ConfigurationError(
            f"The noise must be keep, reduce or a number from 0 to 1. Received: {text}."
        ) from error
