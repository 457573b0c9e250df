"""What runs in a Dask worker. Imported only where Dask is installed."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import distributed

from sr_keras.cohort.attempts import Report, attempt
from sr_keras.cohort.items import Item
from sr_keras.cohort.recipe import Recipe
from sr_keras.errors import ConfigurationError

# Of the memory that a worker was given, the share that its job may plan with: Dask pauses it at 0.8.
SHARE = 0.7
THREADS = Path("/proc/self/task")
PLUGIN = "sr_keras"


class EnginePlugin(distributed.WorkerPlugin):
    """Holds the job of a cohort in each worker, so that engines load once for all its scans.

    Args:
        recipe: of the job.
        request: of the client's job; a worker whose own differs has other models.
        workers: number of workers on this machine, each bound to its share of the cores; 0 binds none.
    """

    name = PLUGIN

    def __init__(self, recipe: Recipe, request: Mapping[str, Any], workers: int) -> None:
        self.recipe, self.request, self.workers = recipe, request, workers

    def setup(self, worker: Any) -> None:
        """Make the job.

        Raises:
            ConfigurationError: the models here are not those of the client.
        """
        if self.workers:
            _bind(int(worker.name), self.workers)
        self.job = self.recipe.job()
        if self.job.request != self.request:
            raise ConfigurationError(f"Worker {worker.name} has other models than the client; install the same ones.")
        limit = worker.memory_manager.memory_limit
        if self.recipe.memory is None and limit:
            object.__setattr__(self.job, "memory", int(SHARE * limit))
        # A worker with several threads still does one scan at a time: a scan takes the memory, and threads of its own.
        self.lock = threading.Lock()


def perform(item: Item) -> Report:
    """Do an item with the job that the plugin holds."""
    plugin = distributed.get_worker().plugins[PLUGIN]
    with plugin.lock:
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
