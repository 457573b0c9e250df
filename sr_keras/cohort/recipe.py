"""What to do with each scan, in a form that travels to other machines: names and numbers, no loaded engine."""

from dataclasses import dataclass, field
from functools import partial

from sr_keras.engines import load_engine
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.planning import Factors
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.upscaler import Upscaler
from sr_keras.volumes.volume import Modality


@dataclass(frozen=True)
class Recipe:
    """How to make the `PredictionJob` of a cohort.

    Attributes:
        models: names of shipped models, or paths that lead to the same files on every machine.
        threads: of the processor for each process; None takes all cores.
        self_ensemble: as in `Upscaler`.
        data_consistency: as in `Upscaler`.
        conditions: as in `Upscaler`.
        factors: as in `PredictionJob`, like all that follow.
        spacing: in mm along i, j, k.
        slice_axis: 0, 1 or 2.
        dtype: on disk, of NIfTI files.
        modality: of all scans.
        nan_fill: in the scans' units.
        memory: bytes for each process.
        replace: whether a result that was made otherwise is made again.
    """

    models: tuple[str, ...]
    threads: int | None = None
    self_ensemble: SelfEnsemble = "none"
    data_consistency: bool = False
    conditions: Conditions = field(default_factory=Conditions)
    factors: Factors = (2, 2, 2)
    spacing: tuple[float, float, float] | None = None
    slice_axis: int | None = None
    dtype: str | None = None
    modality: Modality | None = None
    nan_fill: float | None = None
    memory: int | None = None
    replace: bool = False

    def job(self) -> PredictionJob:
        """Return the job, with engines that load at their first run.

        Raises:
            SrKerasError: a model cannot be used.
        """
        engines = list(map(partial(load_engine, threads=self.threads), self.models))
        return PredictionJob(
            Upscaler(engines, self.self_ensemble, self.data_consistency, self.conditions),
            factors=self.factors,
            spacing=self.spacing,
            slice_axis=self.slice_axis,
            dtype=self.dtype,
            modality=self.modality,
            nan_fill=self.nan_fill,
            force=self.replace,
            memory=self.memory,
        )
