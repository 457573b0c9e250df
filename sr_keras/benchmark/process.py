"""A worker process and the pipes to it."""

import json
import os
import subprocess
import sys
from typing import Any

from sr_keras.errors import ConfigurationError, ModelFileError


class WorkerProcess:
    """Runs `sr_keras.benchmark.worker` in a fresh process and sends it requests.

    Args:
        threads: number of processor cores that it may use; None is all that this process may use. Every runtime starts
            as many threads as it finds cores, so this limits them all alike.

    Raises:
        ConfigurationError: the system cannot limit the cores of a process, or has fewer.
    """

    def __init__(self, threads: int | None = None) -> None:
        cores = _cores(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sr_keras.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        )

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the process's `Worker` and return its result.

        Args:
            method: its name.
            arguments: its arguments, JSON.

        Raises:
            ModelFileError: the method raised an `SrKerasError`, or the process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ModelFileError("The worker process has no pipes.")
        stdin.write(json.dumps({"method": method, **arguments}) + "\n")
        stdin.flush()
        line = stdout.readline()
        result: dict[str, Any] = json.loads(line) if line else {"error": f"The engine's process ended in {method}."}
        if "error" in result:
            raise ModelFileError(result["error"])
        return result


def _cores(threads: int | None) -> set[int] | None:
    if threads is None:
        return None
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not 0 < threads <= len(available):
        raise ConfigurationError(
            f"--threads {threads} is out of range; this process may use 1 to {len(available)} cores."
        )
    return set(available[:threads])
