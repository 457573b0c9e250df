"""A benchmark from settings to samples: each engine in its own process, first compared, then timed in turn."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from sr_keras.benchmark.process import WorkerProcess
from sr_keras.benchmark.settings import Settings
from sr_keras.errors import ModelFileError
from sr_keras.evaluation.metrics import psnr
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.io.nifti import read_volume
from sr_keras.machine import describe_machine, gpu_state
from sr_keras.models.complexity import stacks_of
from sr_keras.volumes.geometry import through_plane_axis

FORMAT = "sr_keras.benchmark/1"
# Seconds of matrix products in each repeat: they show the machine's upper bound, and whether it drifts.
MATRIX_SECONDS = 1.0
# Least PSNR between an engine and the baseline, in dB, for running the same network: that of int8 is about 40, that of
# another network far lower.
SAME_NETWORK = 35.0
# Slices of the synthetic volume that replaces a missing scan.
VOLUME_SLICES = 32


@dataclass(frozen=True)
class Candidate:
    """An engine to measure.

    Attributes:
        label: its name in tables.
        model: a shipped name, a run or a file, as `load_engine` takes it.
        kind: "keras" or "onnx" for a shipped model, "webgpu" for an ONNX file too; `OWN_MODEL` for a Keras model that
            this process saved; None for a file.
    """

    label: str
    model: str
    kind: str | None = None


@dataclass
class Measurement:
    """The measurements of one engine at one batch size.

    Attributes:
        label: of the engine.
        runtime: of the engine.
        batch: slices per run.
        slices: of one run: the batch, or all of a volume.
        megapixels: millions of output pixels of one run.
        macs: MACs of one run, counted from the network's graph; 0 if unknown.
        load_s: seconds from loading the engine to its first output.
        first_s: seconds of the first run at this shape.
        samples_s: seconds of every run, a list for each repeat.
        parts_s: of the volume scenario, seconds of reading, computing and writing of every run.
        peak_bytes: peak resident memory of the engine's process.
        psnr_to_baseline: in dB, data_range 1; None if the outputs are equal.
        skipped: why it was not measured; empty if it was.
    """

    label: str
    runtime: str
    batch: int
    slices: int = 0
    megapixels: float = 0.0
    macs: int = 0
    load_s: float = 0.0
    first_s: float = 0.0
    samples_s: list[list[float]] = field(default_factory=list)
    parts_s: list[dict[str, float]] = field(default_factory=list)
    peak_bytes: int = 0
    psnr_to_baseline: float | None = None
    skipped: str = ""


def run_benchmark(
    candidates: Sequence[Candidate], settings: Settings, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure engines in turn; the first is the baseline that the others are compared with.

    Args:
        candidates: the engines, all of the same stage and scale.
        settings: of the measurement.
        progress: callback that receives the name of each step.

    Returns:
        A report as in `benchmark.schema.json`: settings, machine, drift and every sample.

    Raises:
        ModelFileError: an engine cannot be loaded, or its output differs from the baseline's.
        ConfigurationError: the machine has fewer cores than requested.
    """
    started, clocks = datetime.now(UTC), gpu_state()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "images.npy", shipped_reference_slices().first)
        scan = Path(settings.scan) if settings.scan else _noise_scan(settings, folder)
        matrices = stack.enter_context(WorkerProcess(settings.threads))
        workers = [stack.enter_context(WorkerProcess(settings.threads)) for _ in candidates]
        session = _Session(candidates, workers, matrices, settings, folder, scan)
        progress("loading")
        session.load()
        progress("comparing with the baseline")
        session.compare()
        rates = []
        for repeat in range(settings.repeats):
            progress(f"repeat {repeat + 1} of {settings.repeats}")
            rates.append(matrices.call("matrix_rate", seconds=MATRIX_SECONDS)["macs_per_s"])
            session.time_engines()
        session.finish()
    return {
        "format": FORMAT,
        "started": started.isoformat(timespec="seconds"),
        "settings": asdict(settings),
        "machine": describe_machine(),
        "gpu_before": clocks,
        "gpu_after": gpu_state(),
        "matrix_macs_per_s": rates,
        "measurements": [asdict(measurement) for measurement in session.measurements],
    }


class _Session:
    """The engines of one benchmark and their measurements so far."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        workers: Sequence[WorkerProcess],
        counter: WorkerProcess,
        settings: Settings,
        folder: Path,
        scan: Path,
    ) -> None:
        self._engines = list(zip(candidates, workers, strict=True))
        self._counter, self._settings, self._folder, self._scan = counter, settings, folder, scan
        self._loaded: dict[str, dict[str, Any]] = {}
        self.measurements: list[Measurement] = []

    def load(self) -> None:
        """Load every engine in its process."""
        images = str(self._folder / "images.npy")
        for candidate, worker in self._engines:
            self._loaded[candidate.label] = worker.call(
                "load", model=candidate.model, kind=candidate.kind, images=images
            )
        kinds = dict.fromkeys(f"{loaded['stage']} x{loaded['scale']}" for loaded in self._loaded.values())
        if len(kinds) > 1:
            raise ModelFileError(
                f"The engines run different stages: {' and '.join(kinds)}; benchmark them one stage at a time."
            )

    def compare(self) -> None:
        """Run every engine once at every batch size, and refuse one whose output differs from the baseline's."""
        for batch in self._settings.cells():
            for candidate, worker in self._engines:
                measurement = self._prepared(candidate, worker, batch)
                self.measurements.append(measurement)
                if not measurement.skipped:
                    self._check(measurement, worker)

    def time_engines(self) -> None:
        """Time every engine at every batch size for one more repeat, in turn."""
        workers = {candidate.label: worker for candidate, worker in self._engines}
        for measurement in self.measurements:
            if measurement.skipped:
                continue
            worker = workers[measurement.label]
            if self._settings.scenario == "volume":
                parts = worker.call("time_volume", scan=str(self._scan), seconds=self._settings.seconds)["parts_s"]
                measurement.parts_s += parts
                measurement.samples_s.append([sum(part.values()) for part in parts])
            else:
                arguments = self._shape(measurement.batch) | {"seconds": self._settings.seconds}
                measurement.samples_s.append(worker.call("time_batches", **arguments)["samples_s"])

    def finish(self) -> None:
        """Record the peak memory of every engine."""
        workers = {candidate.label: worker for candidate, worker in self._engines}
        for measurement in self.measurements:
            measurement.peak_bytes = workers[measurement.label].call("peak_memory")["peak_bytes"]

    def _shape(self, batch: int) -> dict[str, Any]:
        return {"batch": batch, "height": self._settings.height, "width": self._settings.width}

    def _prepared(self, candidate: Candidate, worker: WorkerProcess, batch: int) -> Measurement:
        loaded = self._loaded[candidate.label]
        first = worker.call("warm_up", **self._shape(batch))
        stacks = self._volume_stacks(loaded["stage"]) if self._volume else [tuple(self._shape(batch).values())]
        workload = self._counter.call("workload", model=candidate.model, kind=candidate.kind, stacks=stacks)
        return Measurement(
            label=candidate.label, runtime=loaded["runtime"], batch=batch, load_s=loaded["load_s"], **first, **workload
        )

    def _volume_stacks(self, stage: str) -> list[tuple[int, int, int]]:
        volume = read_volume(self._scan)
        return stacks_of(stage, volume.shape, through_plane_axis(volume.spacing))

    @property
    def _volume(self) -> bool:
        return self._settings.scenario == "volume"

    def _check(self, measurement: Measurement, worker: WorkerProcess) -> None:
        path = self._folder / f"{measurement.label}-{measurement.batch}.npy".replace("/", "-")
        worker.call("output", **self._shape(measurement.batch), path=str(path))
        baseline = next(other for other in self.measurements if other.batch == measurement.batch and not other.skipped)
        if baseline is measurement:
            self._baseline = np.load(path)
            return
        similarity = psnr(self._baseline, np.load(path), data_range=1)
        measurement.psnr_to_baseline = similarity if np.isfinite(similarity) else None
        if similarity < SAME_NETWORK:
            raise ModelFileError(
                f"{measurement.label} does not run the network of {baseline.label}: their outputs have a PSNR of "
                f"{similarity:.1f} dB, less than {SAME_NETWORK:g}; export it again, or check it with sr-keras verify."
            )


def _noise_scan(settings: Settings, folder: Path) -> Path:
    """Write a volume of noise: the time of an engine does not depend on the intensities."""
    shape = (settings.height, settings.width, VOLUME_SLICES)
    voxels = np.random.default_rng(0).integers(0, 1000, shape, dtype=np.int16)
    path = folder / "noise.nii"
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 3.0, 1.0])), path)
    return path
