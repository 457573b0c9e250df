"""The interface of what adapts a stage to the scan before it runs; `sr_keras.adaptation` has one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sr_keras.engines import Engine
from sr_keras.inference.planning import Step
from sr_keras.progress import ProgressCallback
from sr_keras.volumes.volume import Volume


@dataclass(frozen=True)
class Adaptation:
    """What became of a stage.

    Attributes:
        step: that the stage runs.
        engine: that runs it from now on.
        record: what was done, as JSON can hold it.
        line: what a user should know.
        gained: whether the stage was adapted; else it is what it was.
    """

    step: Step
    engine: Engine
    record: Mapping[str, Any]
    line: str
    gained: bool


class Adapter(Protocol):
    """Adapts the stage that upsamples the through-plane axis to a scan."""

    @property
    def request(self) -> Mapping[str, Any]:
        """All that decides what it makes of a scan, as JSON can hold it."""

    def engines(self, engines: Sequence[Engine]) -> list[Engine]:
        """Return the engines at hand, and those of more factors along the through-plane axis."""

    def check(self, volume: Volume, slice_axis: int, engines: Mapping[Step, Engine]) -> None:
        """Refuse a job in which nothing can be adapted, before anything is done for it.

        Raises:
            ConfigurationError: no d stage runs along the through-plane axis.
        """

    def adapt(
        self,
        volume: Volume,
        slice_axis: int,
        engines: Mapping[Step, Engine],
        memory: int | None,
        progress: ProgressCallback | None,
    ) -> Adaptation:
        """Adapt the stage of a job to its scan.

        Raises:
            VolumeError: the scan has nothing to learn from, or there is too little memory.
        """
