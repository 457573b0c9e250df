"""A cohort on Dask: worker processes on this machine, or a cluster that is there."""

import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import psutil

from sr_keras.cohort.attempts import Report
from sr_keras.cohort.items import Item
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.serial import TRIES, set_aside
from sr_keras.errors import ConfigurationError
from sr_keras.framework import load_module

INSTALL = "sr_keras[cohort]"
# Seconds to wait for a scheduler, and for its first worker.
CONNECTING, WAITING = 30, 120
# Seconds after which the workers are counted again.
COUNTING = 2.0
# Of the memory that is free here, the share that jobs may plan with.
SHARE = 0.8


@contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """Yield the client of new worker processes on this machine; a process that dies is replaced.

    Args:
        workers: number of processes.

    Raises:
        MissingDependencyError: Dask is not installed.
    """
    dask, distributed = load_module("dask", INSTALL), load_module("distributed", INSTALL)
    settings = {
        # A scan may be tried again this often after it killed a worker.
        "distributed.scheduler.allowed-failures": TRIES - 1,
        # Jobs plan their memory themselves; Dask would pause and kill workers by its own reckoning.
        **{f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause", "terminate")},
        # Loading engines takes a worker's event loop for more than its default of three seconds.
        "distributed.admin.tick.limit": "60s",
    }
    with tempfile.TemporaryDirectory(prefix="sr_keras-dask-") as scratch, dask.config.set(settings):
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=":0",
            host="127.0.0.1",
            local_directory=scratch,
            silence_logs="CRITICAL",
        )
        with cluster, distributed.Client(cluster) as client:
            yield client


@contextmanager
def remote_cluster(address: str) -> Iterator[Any]:
    """Yield the client of a scheduler that is there.

    Args:
        address: such as "tcp://10.0.0.1:8786".

    Raises:
        MissingDependencyError: Dask is not installed.
        ConfigurationError: no scheduler answers, or it has no workers.
    """
    distributed = load_module("distributed", INSTALL)
    try:
        client = distributed.Client(address, timeout=CONNECTING)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"No Dask scheduler answers at {address}; check --scheduler.") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAITING)
        except TimeoutError as error:
            raise ConfigurationError(f"The scheduler at {address} has no workers; start some.") from error
        yield client


def shared_out(recipe: Recipe, workers: int) -> Recipe:
    """Return a recipe whose threads and memory are those of one of several processes on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = recipe.memory or int(SHARE * psutil.virtual_memory().available / workers)
    return replace(recipe, threads=recipe.threads or max(1, cores // workers), memory=memory)


def run_on(client: Any, recipe: Recipe, items: Sequence[Item], bound: int = 0) -> Iterator[Report]:
    """Yield what comes of each item, in the order in which they end.

    There are never more items at the scheduler than workers: Dask suspects all that a dead worker was given, and would
    give up scans that only waited behind the one that killed it.

    Args:
        client: of the cluster.
        recipe: what to do.
        items: scans and folders.
        bound: number of workers on this machine, each of which is bound to its share of the cores; 0 binds none.

    Raises:
        ConfigurationError: a worker has other models or no sr_keras, or the scheduler ended.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    from sr_keras.cohort.worker import perform

    _install(client, recipe, bound)
    queue, at_work, ended = deque(items), dict[str, Item](), as_completed(loop=client.loop)
    width, run = _Width(client), f"{os.getpid()}-{time.time_ns()}"
    numbers = count()
    while queue or at_work:
        while queue and len(at_work) < width.now():
            future = client.submit(perform, queue[0], key=f"sr_keras-{run}-{next(numbers)}", pure=False)
            at_work[future.key] = queue.popleft()
            ended.add(future)
        future = next(ended)
        item = at_work.pop(future.key)
        try:
            report = future.result()
        except KilledWorker as error:
            report = Report((set_aside(item, error.allowed_failures + 1),))
        except CancelledError as error:
            raise ConfigurationError("The Dask scheduler ended; start it and run again to go on.") from error
        queue.extendleft(reversed(report.found))
        yield report


class _Width:
    """How many workers there are, asked now and then."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._asked, self._count = -COUNTING, 1

    def now(self) -> int:
        if time.monotonic() - self._asked > COUNTING:
            self._asked, self._count = time.monotonic(), max(1, len(self._client.nthreads()))
        return self._count


def _install(client: Any, recipe: Recipe, bound: int) -> None:
    """Have every worker, those too that come later, make the job."""
    from sr_keras.cohort.worker import EnginePlugin

    plugin = EnginePlugin(recipe, dict(recipe.job().request), bound)
    try:
        client.register_plugin(plugin)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"A worker cannot run sr_keras ({error}); install this version on all.") from error
