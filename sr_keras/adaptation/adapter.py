"""What `Upscaler` asks to adapt a stage to the scan before it runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.stage import card_at_scale, check_adapted, engine_of, network_of_chain, save_adapted
from sr_keras.adaptation.start import start_of
from sr_keras.engines import Engine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.errors import ConfigurationError, StageError, UnknownModelError
from sr_keras.inference.adapter import Adaptation
from sr_keras.inference.planning import Step
from sr_keras.models.cards import StageCard
from sr_keras.models.own import ModelStage
from sr_keras.models.stages import Stage, find_stage
from sr_keras.progress import ProgressCallback
from sr_keras.volumes.volume import Volume

# Factors that a stage can be made for, and adapted to.
FACTORS = (2, 3, 4, 5, 6, 7, 8)


class FactorEngine(KerasEngine):
    """Runs a d stage at another factor than its own: its last layer is interpolated between the pixels it makes.

    Args:
        base: the stage.
        scale: the factor.
    """

    def __init__(self, base: Stage, scale: int) -> None:
        self.base, self._card = base, card_at_scale(base.card, scale)

    @property
    def name(self) -> str:
        """That of the stage, and the factor."""
        return f"{self.base.name} at x{self.card.scale}"

    @property
    def card(self) -> StageCard:
        """The card of the stage, of the other factor."""
        return self._card

    @property
    def conditional(self) -> bool:
        """Whether the stage can be folded for a scan."""
        return bool(self.base.card.description)

    @property
    def trust(self) -> float:
        """How much of the network's details the scan that it is folded for gets, from 0 to 1."""
        return KerasEngine(self.base).trust

    def for_scan(self, description: Iterable[float]) -> "FactorEngine":
        """Return the engine of a conditional stage folded for a scan."""
        return FactorEngine(KerasEngine(self.base).for_scan(description).stage, self.card.scale)

    @cached_property
    def stage(self) -> Stage:  # type: ignore[override]
        """The stage at the other factor, built when it first runs."""
        network = network_of_chain(self.card.family, start_of(self.base, self.card.scale))
        return ModelStage(self.name, self.card, network)


@dataclass(frozen=True)
class ScanAdapter:
    """Adapts the d stage that upsamples the through-plane axis to each scan.

    Attributes:
        settings: how.
        save: the folder to keep the adapted stage in; None keeps it nowhere.
        force: whether a stage that is there is replaced.

    >>> from dataclasses import replace
    >>> from sr_keras import ScanAdapter, Upscaler, choose_stages, load_engine, shipped_stages
    >>> engines = [load_engine(name) for name in choose_stages(shipped_stages())]
    >>> upscaler = Upscaler(engines, adapter=ScanAdapter())
    """

    settings: Settings = field(default_factory=Settings)
    save: Path | None = None
    force: bool = False

    @property
    def request(self) -> Mapping[str, Any]:
        """See `Adapter.request`."""
        settings = self.settings
        return {
            "steps": settings.steps,
            "slice_thickness_mm": settings.thickness,
            "profile": settings.profile,
            "seed": settings.seed,
        }

    def engines(self, engines: Sequence[Engine]) -> list[Engine]:
        """See `Adapter.engines`: the d stage of the largest factor is that of the others too."""
        known = {engine.card.scale: engine for engine in engines if engine.card.stage == "d"}
        if not known:
            return list(engines)
        base = stage_of(known[max(known)])
        return [*engines, *(FactorEngine(base, factor) for factor in FACTORS if factor not in known)]

    def check(self, volume: Volume, slice_axis: int, engines: Mapping[Step, Engine]) -> None:
        """See `Adapter.check`."""
        self._step(slice_axis, engines)
        for step, engine in engines.items():
            if isinstance(engine, FactorEngine) and step.axes != (slice_axis,):
                raise ConfigurationError(
                    f"{volume.source}: x{step.scale} along {'ijk'[step.axes[0]]} has no stage, and only the "
                    f"through-plane axis, {'ijk'[slice_axis]}, can be adapted to; choose another --scale."
                )
        if self.save is not None:
            check_adapted(self.save, force=self.force)

    def adapt(
        self,
        volume: Volume,
        slice_axis: int,
        engines: Mapping[Step, Engine],
        noise_kept: float,
        memory: int | None,
        progress: ProgressCallback | None,
    ) -> Adaptation:
        """See `Adapter.adapt`."""
        step = self._step(slice_axis, engines)
        engine = engines[step]
        stage = stage_of(engine)
        settings = replace(self.settings, noise_kept=noise_kept)
        outcome = adapt(stage, [(volume, slice_axis)], step.scale, settings, memory=memory, progress=progress)
        if outcome.stage is None:
            return Adaptation(step, engine, outcome.record, outcome.line, gained=False)
        if self.save is not None:
            save_adapted(outcome.stage, self.save, force=self.force)
        return Adaptation(step, engine_of(outcome.stage), outcome.record, outcome.line, gained=True)

    def _step(self, slice_axis: int, engines: Mapping[Step, Engine]) -> Step:
        """Return the first step that upsamples the through-plane axis alone."""
        for step in engines:
            if step.stage == "d" and step.axes == (slice_axis,):
                return step
        raise ConfigurationError(
            f"No d stage upsamples the through-plane axis, {'ijk'[slice_axis]}, so there is nothing to adapt; choose "
            "another --scale, or leave --adapt out."
        )


def stage_of(engine: Engine) -> Stage:
    """Return the stage that an engine runs, to start from.

    Raises:
        StageError: it runs an exported file.
    """
    if isinstance(engine, FactorEngine):
        return engine.base
    if isinstance(engine, KerasEngine):
        return engine.stage
    name = getattr(engine, "name", engine.card.name)
    try:
        stage = find_stage(name)
    except UnknownModelError as error:
        raise StageError(
            f"{name} is no trained stage to start from; name a run's folder or a shipped model to adapt."
        ) from error
    # A conditional stage is folded for the scan already: its weights are where training begins.
    return stage.for_scan(engine.card.description) if stage.conditional else stage
