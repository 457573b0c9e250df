"""What runs in a Dask worker. Imported only where Dask is installed."""

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import distributed

from sr_keras.cohort.attempts import Report, attempt
from sr_keras.cohort.items import Item
from sr_keras.cohort.recipe import Recipe
from sr_keras.errors import ConfigurationError, SrKerasError
from sr_keras.inference.jobs import PredictionJob

# Of the memory that a worker was given, the share that its job may plan with: Dask pauses it at 0.8.
SHARE = 0.7
THREADS = Path("/proc/self/task")
# A worker with several threads still does one scan at a time: a scan takes the memory, and threads of its own.
ONE_AT_A_TIME = threading.Lock()


class UnfitWorkerError(ConfigurationError):
    """A worker cannot do the job, and why."""


class EnginePlugin(distributed.WorkerPlugin):
    """Holds the job of a cohort in each worker, so that engines load once for all its scans.

    Args:
        name: of the run.
        recipe: of the job.
        request: of the client's job; a worker whose own differs has other models.
        workers: number of workers on this machine, each bound to its share of the cores; 0 binds none.
        ledger: of the run; a worker that does not see it would write results where nobody looks.
    """

    def __init__(self, name: str, recipe: Recipe, request: Mapping[str, Any], workers: int, ledger: Path) -> None:
        self.name, self.recipe, self.request, self.workers, self.ledger = name, recipe, request, workers, ledger
        self.version, self.refusal = version("sr_keras"), ""

    def setup(self, worker: Any) -> None:
        """Make the job.

        Raises:
            UnfitWorkerError: another version or other models are here, or other folders.
        """
        if self.workers:
            _bind(int(worker.name), self.workers)
        try:
            self.job = self._job(worker.memory_manager.memory_limit)
        except SrKerasError as error:
            # A worker that comes late is told of only when it is given an item.
            self.refusal = f"Worker {worker.name} {error}"
            raise UnfitWorkerError(self.refusal) from error

    def _job(self, limit: int | None) -> PredictionJob:
        if version("sr_keras") != self.version:
            raise SrKerasError(f"has sr_keras {version('sr_keras')}, not {self.version}; install that version on all.")
        if not self.ledger.exists():
            raise SrKerasError(f"does not see {self.ledger}; mount the folders of the scans and results on all.")
        try:
            job = self.recipe.job()
        except SrKerasError as error:
            raise SrKerasError(f"cannot use the models: {error}") from error
        if job.request != self.request:
            raise SrKerasError("has other models than the client; install the same ones.")
        return replace(job, memory=int(SHARE * limit)) if self.recipe.memory is None and limit else job


def perform(item: Item, run: str) -> Report:
    """Do an item with the job that the plugin of a run holds.

    Raises:
        UnfitWorkerError: this worker cannot.
    """
    plugin = distributed.get_worker().plugins[run]
    if plugin.refusal:
        raise UnfitWorkerError(plugin.refusal)
    with ONE_AT_A_TIME:
        return attempt(plugin.job, item)


def share_of_cores(cores: list[int], number: int, count: int) -> list[int]:
    """Return the cores of one of several workers: apart from the others', where there are enough.

    Args:
        cores: all that there are.
        number: of the worker, from 0.
        count: of the workers.
    """
    if count > len(cores):
        return [cores[number % len(cores)]]
    return cores[number * len(cores) // count : (number + 1) * len(cores) // count]


def _bind(number: int, count: int) -> None:
    """Bind this process, the threads too that it has already, to its share of the cores."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = share_of_cores(sorted(os.sched_getaffinity(0)), number % count, count)
    for thread in THREADS.iterdir() if THREADS.is_dir() else ():
        os.sched_setaffinity(int(thread.name), cores)
