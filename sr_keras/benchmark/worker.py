"""The worker process that runs one engine: `python -m sr_keras.benchmark.worker`.

Each engine has its own process, so that thread pools do not interfere and the peak memory is that of the engine.
Requests arrive as lines of JSON on standard input, results leave as lines of JSON on standard output.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.benchmark.settings import OWN_MODEL
from sr_keras.engines import KerasEngine, load_engine
from sr_keras.engines.interface import Images, NamedEngine
from sr_keras.errors import SrKerasError, StageError
from sr_keras.files import read_json
from sr_keras.framework import load_keras
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.machine import matrix_rate
from sr_keras.models.cards import StageCard
from sr_keras.models.complexity import workload_of
from sr_keras.models.own import ModelStage
from sr_keras.volumes.geometry import through_plane_axis

# The warm-up lasts at least this many runs and this long.
WARM_UP_RUNS, WARM_UP_SECONDS = 3, 0.5
# Side of the image for the first run, in pixels.
SMALLEST = 16


class Worker:
    """Runs and times one engine. Each public method serves one request."""

    def __init__(self) -> None:
        self._engine: NamedEngine
        self._images: Images

    def load(self, model: str, kind: str | None, images: str) -> dict[str, Any]:
        """Load the engine, run it once, and load the images that it is timed on.

        Args:
            model: a shipped name, a run or a file, as `load_engine` takes it.
            kind: that of the `Candidate`.
            images: path of a `.npy`, (slice, height, width), float32, normalised.
        """
        start = time.perf_counter()
        self._engine = _engine(model, kind)
        self._images = np.load(images, allow_pickle=False)
        limits = self._engine.shape_limits
        self._engine.run(
            self._batch(
                *(
                    low if axis == 0 else max(low, SMALLEST)
                    for axis, (low, _) in enumerate((limits.batch, limits.height, limits.width))
                )
            )
        )
        card = self._engine.card
        return {
            "name": self._engine.name,
            "runtime": self._engine.runtime,
            "stage": card.stage,
            "scale": card.scale,
            "load_s": time.perf_counter() - start,
        }

    def warm_up(self, batch: int, height: int, width: int) -> dict[str, Any]:
        """Time the first run at a shape, which allocates and compiles, then run until the engine is warm.

        Args:
            batch: number of slices.
            height: of a slice in pixels.
            width: of a slice in pixels.
        """
        if not self._accepts(batch, height, width):
            return {"skipped": f"it accepts {self._engine.shape_limits}"}
        images = self._batch(batch, height, width)
        start = time.perf_counter()
        self._engine.run(images)
        first = time.perf_counter() - start
        runs = 0
        while runs < WARM_UP_RUNS or time.perf_counter() - start < WARM_UP_SECONDS:
            self._engine.run(images)
            runs += 1
        return {"first_s": first}

    def output(self, batch: int, height: int, width: int, path: str) -> dict[str, Any]:
        """Write the engine's output for a batch, for the comparison with the baseline.

        Args:
            batch: number of slices.
            height: of a slice in pixels.
            width: of a slice in pixels.
            path: of the `.npy` file.
        """
        np.save(path, self._engine.run(self._batch(batch, height, width)))
        return {}

    def workload(self, model: str, kind: str | None, stacks: list[tuple[int, int, int]]) -> dict[str, Any]:
        """Return the workload of a run over stacks of slices. It may load Keras, so not in a process that is measured.

        Args:
            model: a shipped name, a run or a file, as `load_engine` takes it.
            kind: that of the `Candidate`.
            stacks: shapes (count, height, width) of the low-resolution slices.
        """
        return workload_of(_engine(model, kind).card, stacks)

    def matrix_rate(self, seconds: float) -> dict[str, Any]:
        """Measure the machine's rate of matrix products for some seconds."""
        return {"macs_per_s": matrix_rate(seconds)}

    def time_batches(self, batch: int, height: int, width: int, seconds: float) -> dict[str, Any]:
        """Run batches back to back and return the seconds of each.

        Args:
            batch: number of slices.
            height: of a slice in pixels.
            width: of a slice in pixels.
            seconds: duration of the measurement; the last batch ends after it.
        """
        images = self._batch(batch, height, width)
        samples: list[float] = []
        end = time.perf_counter() + seconds
        while not samples or time.perf_counter() < end:
            start = time.perf_counter()
            self._engine.run(images)
            samples.append(time.perf_counter() - start)
        return {"samples_s": samples}

    def time_volume(self, scan: str, seconds: float) -> dict[str, Any]:
        """Read, super-resolve and write a whole scan repeatedly, and return the seconds of each part.

        Args:
            scan: path of a NIfTI file.
            seconds: duration of the measurement; the last run ends after it.
        """
        parts: list[dict[str, float]] = []
        end = time.perf_counter() + seconds
        while not parts or time.perf_counter() < end:
            parts.append(self._time_parts(scan))
        return {"parts_s": parts}

    def _time_parts(self, scan: str) -> dict[str, float]:
        times = [time.perf_counter()]
        volume = read_volume(Path(scan))
        times.append(time.perf_counter())
        card, depth = self._engine.card, through_plane_axis(volume.spacing)
        i, j, k = (card.scale if (axis == depth) == (card.stage == "d") else 1 for axis in range(3))
        result = Upscaler([self._engine]).upscale(volume, (i, j, k))
        times.append(time.perf_counter())
        with tempfile.TemporaryDirectory() as folder:
            write_volume(result, Path(folder) / "out.nii", like=volume)
            times.append(time.perf_counter())
        read, compute, write = np.diff(times).tolist()
        return {"read_s": read, "compute_s": compute, "write_s": write}

    def peak_memory(self) -> dict[str, Any]:
        """Return the peak resident memory of this process, in bytes."""
        status = Path("/proc/self/status")
        if status.exists():
            # getrusage's figure includes that of the parent process before the exec; this one does not.
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            return {"peak_bytes": int(lines["VmHWM"].split()[0]) * 1024}
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    def _accepts(self, batch: int, height: int, width: int) -> bool:
        try:
            self._engine.shape_limits.check((batch, height, width), self._engine.name)
        except SrKerasError:
            return False
        return True

    def _batch(self, batch: int, height: int, width: int) -> Images:
        """Return a batch of crops of the real slices, repeated where they are smaller."""
        slices = np.pad(self._images, ((0, 0), (0, height), (0, width)), "wrap")[:, :height, :width]
        return np.resize(slices, (batch, height, width))


def _engine(model: str, kind: str | None) -> NamedEngine:
    if kind != OWN_MODEL:
        return load_engine(model, kind)  # type: ignore[arg-type]
    card = StageCard.parse(read_json(Path(model).with_suffix(".json"), StageError))
    try:
        network = load_keras().saving.load_model(model, compile=False)
    except (TypeError, ValueError) as error:
        raise StageError(
            f"{card.name} has a layer that another process cannot load; build it of Keras's layers, or leave keras out."
        ) from error
    return KerasEngine(ModelStage(card.name, card, network))


def main() -> None:
    """Serve requests until the input ends."""
    # Engines may write to standard output: results go to a copy of it, and everything else to stderr.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        method: Callable[..., dict[str, Any]] = getattr(worker, request.pop("method"))
        try:
            result = method(**request)
        except SrKerasError as error:
            result = {"error": str(error)}
        results.write(json.dumps(result) + "\n")
        results.flush()


if __name__ == "__main__":
    main()
