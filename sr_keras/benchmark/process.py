"""A worker process and the pipe to it."""

import json
import os
import subprocess
import sys
from typing import Any

from sr_keras.errors import ConfigurationError, ModelFileError


class WorkerProcess:
    """Runs `sr_keras.benchmark.worker` in a fresh process and asks it things.

    Args:
        threads: processor cores that it may use; None is all that this process may. Every runtime makes as many
            threads as it finds cores, so this limits all of them alike.

    Raises:
        ConfigurationError: the system has no such limit, or fewer cores.
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

    def ask(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Send an order and return its answer.

        Raises:
            ModelFileError: the engine refuses, or its process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ModelFileError("A worker without pipes cannot be asked.")
        stdin.write(json.dumps({"order": order, **arguments}) + "\n")
        stdin.flush()
        line = stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": f"The engine's process ended during {order}."}
        if "error" in answer:
            raise ModelFileError(answer["error"])
        return answer


def _cores(threads: int | None) -> set[int] | None:
    if threads is None:
        return None
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not 0 < threads <= len(available):
        raise ConfigurationError(
            f"Engines can be held to 1 to {len(available)} cores on this system. Received: --threads {threads}."
        )
    return set(available[:threads])
