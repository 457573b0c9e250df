"""Description of the machine, and the rate of its matrix products as an upper bound for engines."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from sr_keras.errors import ConfigurationError
from sr_keras.framework import load_module

PACKAGES = (
    "sr_keras",
    "numpy",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "torch",
    "jax",
    "onnxruntime",
    "onnxruntime-gpu",
    "ai-edge-litert",
    "openvino",
    "tensorrt",
    "tensorrt-rtx-cu13",
)
# Side of the square matrices whose product is timed: large enough to be limited by arithmetic, not by memory.
MATRIX = 2048
# What numpy's and TensorFlow's libraries read when they start.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
GPU_FIELDS = ("name", "driver_version", "memory.total", "clocks.sm", "clocks.mem")


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let runtimes that are loaded meanwhile use so many processor cores.

    Every runtime starts as many threads as it finds cores, so that fewer cores limit them all alike. Where the system
    cannot limit them, a variable that most runtimes read does.

    Args:
        count: of cores; None is all.

    Raises:
        ConfigurationError: there are fewer.
    """
    if count is None:
        yield
        return
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if count > len(cores):
        raise ConfigurationError(f"--threads {count} is more than the {len(cores)} cores of this process; give fewer.")
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores[:count])
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Return processor, memory, operating system, GPUs and the versions of the packages in `PACKAGES`."""
    return {
        "processor": processor(),
        "cores": available_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "gpus": gpu_state(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def gpu_state() -> list[dict[str, str]]:
    """Return name, driver, memory and current clocks of each NVIDIA GPU; an empty list if there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    result = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    rows = result.stdout.splitlines() if result.returncode == 0 else []
    return [dict(zip(GPU_FIELDS, (cell.strip() for cell in row.split(",")), strict=True)) for row in rows]


def matrix_rate(seconds: float) -> float:
    """Return the MACs per second of a large float32 matrix product on all cores that this process may use.

    It is that of the faster of NumPy and, if installed, TensorFlow: either may lack kernels for the processor.

    Args:
        seconds: for which each library is timed.
    """
    return max(_rate(product, seconds) for product in _products())


def _products() -> Iterator[Callable[[], object]]:
    left, right = np.ones((2, MATRIX, MATRIX), np.float32)
    yield lambda: left @ right
    if find_spec("tensorflow"):
        tensorflow = load_module("tensorflow", "sr_keras[train]")
        tensor = tensorflow.constant(left)
        yield lambda: tensorflow.linalg.matmul(tensor, tensor).numpy()


def _rate(product: Callable[[], object], seconds: float) -> float:
    product()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        product()
        count += 1
    return count * MATRIX**3 / (time.perf_counter() - start)


def processor() -> str:
    """Return the processor's name, as the operating system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
