"""How long an engine takes for a slice on this machine, and in which batches it is fastest: measured once and kept."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines import Batched, Engine
from sr_keras.engines.manifest import versions_of
from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import DeviceMemoryError, SrKerasError
from sr_keras.files import atomic_write
from sr_keras.machine import available_cores, processor
from sr_keras.networks import output_factors

# What the activations of an engine take, in bytes for each pixel that it gives: four layers of 32 float32 channels.
# Measured of onnxruntime on the published network, which has no wider layer at that size.
WORKSPACE_BYTES = 4 * 32 * 4
# Side of the smallest image that is run, in pixels.
SMALLEST = 16
# Larger batches are not tried where they would take more memory than this, in bytes.
LARGEST_WORKSPACE = 512 << 20
FILE = "timings.json"
BATCHES = (1, 2, 4, 8, 16)
# A larger batch has to be faster by this fraction: it takes more memory.
WORTHWHILE = 0.05
# Seconds that each size of batches is run for at least.
STEADY = 0.1
# Seconds after which no larger batch is tried.
ENOUGH = 0.5


@dataclass(frozen=True)
class Timing:
    """How to run slices of one size, and what that takes.

    Attributes:
        batch: slices at once.
        seconds: for each slice.
    """

    batch: int
    seconds: float


def load(engine: Engine) -> None:
    """Run an engine on a small image, so that what it brings into memory is there."""
    Batched(engine, 1).run(np.random.default_rng(0).random((1, SMALLEST, SMALLEST), np.float32))


def timing_of(engine: Engine, height: int, width: int) -> Timing:
    """Return the timing of an engine for slices of a size, from the cache or measured now.

    Args:
        engine: one that says its name and runtime is measured once on each machine; others each time.
        height: of the slices in pixels.
        width: of the slices in pixels.
    """
    key, folder = _key(engine, height, width), cache_folder()
    known = _read(folder / FILE) if folder else {}
    if key in known:
        return known[key]
    timing = measure_timing(engine, height, width)
    # A device that had no memory free may have some the next time.
    if key and folder and timing.seconds:
        _write(folder / FILE, known | {key: timing})
    return timing


def measure_timing(engine: Engine, height: int, width: int) -> Timing:
    """Time batches of a few sizes, each after a run that does not count, and return the best."""
    images = np.random.default_rng(0).random((1, height, width), np.float32)
    start, best = time.perf_counter(), None
    for batch in _candidates(engine, height, width):
        try:
            seconds = _seconds(engine, np.resize(images, (batch, height, width)))
        except DeviceMemoryError:
            break
        if best is not None and seconds > best.seconds * (1 - WORTHWHILE):
            break
        best = Timing(batch, seconds)
        if time.perf_counter() - start > ENOUGH:
            break
    # Nothing fits: batches of one, which are cut, at a rate that nobody knows.
    return best or Timing(1, 0.0)


def workspace(engine: Engine, height: int, width: int, batch: int) -> int:
    """Return about how many bytes an engine takes while it runs a batch."""
    rows, columns = output_factors(engine.card.stage, engine.card.scale)
    return batch * height * rows * width * columns * WORKSPACE_BYTES


def cache_folder() -> Path | None:
    """Return the folder of this user's that measurements are kept in; None for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sr_keras"
    except RuntimeError:
        # A container may run as a number that no user has.
        return None


def _candidates(engine: Engine, height: int, width: int) -> Iterator[int]:
    low, high = getattr(engine, "shape_limits", ShapeLimits()).batch
    for batch in sorted({low, *BATCHES}):
        fits = batch == low or workspace(engine, height, width, batch) <= LARGEST_WORKSPACE
        if fits and low <= batch <= (high or batch):
            yield batch


def _seconds(engine: Engine, images: Any) -> float:
    """Return the seconds for each of some images at once."""
    batched = Batched(engine, len(images))
    batched.run(images)
    if batched.batch < len(images):
        raise DeviceMemoryError("larger than the device takes")
    samples: list[float] = []
    while sum(samples) < STEADY:
        start = time.perf_counter()
        batched.run(images)
        samples.append(time.perf_counter() - start)
    return min(samples) / len(images)


def _key(engine: Engine, height: int, width: int) -> str:
    """Return what a timing depends on; nothing for an engine without a name."""
    name, runtime = getattr(engine, "name", ""), getattr(engine, "runtime", "")
    if not (name and runtime):
        return ""
    versions = versions_of(runtime, f"{runtime}-gpu")
    # What Keras runs on, and where.
    chosen = [os.environ.get(variable, "") for variable in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES")]
    threads = getattr(engine, "threads", None) or available_cores()
    machine = [processor(), threads, *chosen]
    parts = [runtime, versions, engine.card.weights_sha256, name, *machine, height, width]
    return json.dumps(parts)


def _read(path: Path) -> dict[str, Timing]:
    """Return all timings that are kept; none where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text())
        timings = {key: Timing(int(entry["batch"]), float(entry["seconds"])) for key, entry in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
    return {key: timing for key, timing in timings.items() if timing.batch >= 1 and 0 < timing.seconds < inf}


def _write(path: Path, timings: dict[str, Timing]) -> None:
    """Keep timings; where nothing can be written they are measured again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps({key: asdict(timing) for key, timing in timings.items()}, indent=1) + "\n")
    except (OSError, SrKerasError):
        return
