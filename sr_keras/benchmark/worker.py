"""One engine in a process of its own, which does what it is told: `python -m sr_keras.benchmark.worker`.

A fresh process for each engine keeps their thread pools apart and makes the peak memory that engine's own. Orders come
as lines of JSON on standard input, answers go as lines of JSON to standard output.
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

from sr_keras.engines import load_engine
from sr_keras.engines.interface import Images, NamedEngine
from sr_keras.errors import SrKerasError
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.machine import matrix_rate
from sr_keras.models.complexity import workload_of
from sr_keras.volumes.geometry import through_plane_axis

# Warm-up ends when both are reached.
WARM_UP_RUNS, WARM_UP_SECONDS = 3, 0.5
# Side of the smallest image that is run, in pixels.
SMALLEST = 16


class Worker:
    """Answers orders about one engine."""

    def __init__(self) -> None:
        self._engine: NamedEngine
        self._images: Images

    def load(self, model: str, kind: str | None, images: str) -> dict[str, Any]:
        """Load the engine up to its first result, and the images to time it on, a `.npy` of (slice, row, column)."""
        start = time.perf_counter()
        self._engine = load_engine(model, kind)  # type: ignore[arg-type]
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

    def first(self, batch: int, height: int, width: int) -> dict[str, Any]:
        """Time the first run at a shape, which allocates and compiles, then warm up."""
        if not self._takes(batch, height, width):
            return {"skipped": f"it takes {self._engine.shape_limits}"}
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
        """Write what the engine makes of a batch to a `.npy` file, for the comparison before anything is timed."""
        np.save(path, self._engine.run(self._batch(batch, height, width)))
        return {}

    def work(self, model: str, kind: str | None, stacks: list[tuple[int, int, int]]) -> dict[str, Any]:
        """Return how much a run over stacks of slices is. It loads Keras: not for the process that is measured."""
        return workload_of(load_engine(model, kind).card, stacks)  # type: ignore[arg-type]

    def matrix(self, seconds: float) -> dict[str, Any]:
        """Measure what the machine can do at best."""
        return {"macs_per_s": matrix_rate(seconds)}

    def measure(self, batch: int, height: int, width: int, seconds: float) -> dict[str, Any]:
        """Run batches back to back for some seconds and return how long each took."""
        images = self._batch(batch, height, width)
        samples: list[float] = []
        end = time.perf_counter() + seconds
        while not samples or time.perf_counter() < end:
            start = time.perf_counter()
            self._engine.run(images)
            samples.append(time.perf_counter() - start)
        return {"samples_s": samples}

    def volume(self, scan: str, seconds: float) -> dict[str, Any]:
        """Enlarge a whole scan, for some seconds again and again; return how long reading, computing, writing took."""
        parts: list[dict[str, float]] = []
        end = time.perf_counter() + seconds
        while not parts or time.perf_counter() < end:
            parts.append(self._enlarged(scan))
        return {"parts_s": parts}

    def _enlarged(self, scan: str) -> dict[str, float]:
        times = [time.perf_counter()]
        volume = read_volume(Path(scan))
        times.append(time.perf_counter())
        card, depth = self._engine.card, through_plane_axis(volume.spacing)
        i, j, k = (card.scale if (axis == depth) == (card.stage == "d") else 1 for axis in range(3))
        enlarged = Upscaler([self._engine]).upscale(volume, (i, j, k))
        times.append(time.perf_counter())
        with tempfile.TemporaryDirectory() as folder:
            write_volume(enlarged, Path(folder) / "out.nii", like=volume)
            times.append(time.perf_counter())
        read, compute, write = np.diff(times).tolist()
        return {"read_s": read, "compute_s": compute, "write_s": write}

    def memory(self) -> dict[str, Any]:
        """Return the peak of this process's resident memory, in bytes."""
        status = Path("/proc/self/status")
        if status.exists():
            # Unlike getrusage's figure, this one does not begin with that of the process that made this one.
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            return {"peak_bytes": int(lines["VmHWM"].split()[0]) * 1024}
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    def _takes(self, batch: int, height: int, width: int) -> bool:
        try:
            self._engine.shape_limits.check((batch, height, width), self._engine.name)
        except SrKerasError:
            return False
        return True

    def _batch(self, batch: int, height: int, width: int) -> Images:
        """Return a batch cut from the real slices, which are repeated where they are smaller."""
        slices = np.pad(self._images, ((0, 0), (0, height), (0, width)), "wrap")[:, :height, :width]
        return np.resize(slices, (batch, height, width))


def main() -> None:
    """Answer orders until the input ends."""
    # Engines write to standard output as they please: answers keep a copy of it, and everything else goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        order = json.loads(line)
        method: Callable[..., dict[str, Any]] = getattr(worker, order.pop("order"))
        try:
            answer = method(**order)
        except SrKerasError as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
