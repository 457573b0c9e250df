"""A cohort on Dask: worker processes on this machine, or a cluster that is there."""

import os
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from typing import Any
from urllib.parse import urlsplit

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
# Seconds that a list of workers is good for, between two looks, and after which a cluster without any is given up.
FRESH, LOOKING, MISSING = 0.1, 1.0, 600.0
# Of the memory that is free here, the share that jobs may plan with.
SHARE = 0.8


@dataclass
class Cluster:
    """A cluster that takes items.

    Attributes:
        client: of Dask.
        workers: processes that we keep running on this machine; 0 where others run them.
    """

    client: Any
    workers: int = 0
    _addresses: frozenset[str] = frozenset()
    _asked: float = -inf
    _seen: float = inf

    def addresses(self) -> frozenset[str]:
        """Return the addresses of the workers that there are.

        Raises:
            ConfigurationError: there has been none for long, and none of ours to start again.
        """
        now = time.monotonic()
        if now - self._asked < FRESH:
            return self._addresses
        self._asked, self._addresses = now, frozenset(self.client.nthreads())
        if self._addresses or self._seen == inf:
            self._seen = now
        if len(self._addresses) < self.workers:
            # Dask replaces workers that die, but not those that die while they start, as of a scan that kills.
            self.client.cluster.scale(self.workers)
        elif now - self._seen > MISSING:
            raise ConfigurationError("The scheduler has no workers any more; start some and run again to go on.")
        return self._addresses

    def idle(self, busy: set[str]) -> list[str]:
        """Return the addresses of the workers that are not busy."""
        return sorted(self.addresses() - busy)


@contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """Yield new worker processes on this machine; a process that dies is replaced.

    Args:
        workers: number of processes.

    Raises:
        MissingDependencyError: Dask is not installed.
    """
    dask, distributed = load_module("dask", INSTALL), load_module("distributed", INSTALL)
    settings = {
        # We are told of each worker that dies, and count them ourselves.
        "distributed.scheduler.allowed-failures": 0,
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
            yield Cluster(client, workers)


@contextmanager
def remote_cluster(address: str) -> Iterator[Cluster]:
    """Yield the workers of a scheduler that is there.

    Args:
        address: such as "tcp://10.0.0.1:8786".

    Raises:
        MissingDependencyError: Dask is not installed.
        ConfigurationError: no scheduler answers, or it has no workers.
    """
    distributed = load_module("distributed", INSTALL)
    try:
        # Dask's own client tries for half a minute, and leaves threads behind where it fails.
        place = urlsplit(address)
        socket.create_connection((place.hostname or "", place.port or 0), CONNECTING).close()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"No Dask scheduler answers at {address}; check --scheduler.") from error
    with distributed.Client(address, timeout=CONNECTING) as client:
        try:
            client.wait_for_workers(1, timeout=WAITING)
        except TimeoutError as error:
            raise ConfigurationError(f"The scheduler at {address} has no workers; start some.") from error
        yield Cluster(client)


def shared_out(recipe: Recipe, workers: int) -> Recipe:
    """Return a recipe whose threads and memory are those of one of several processes on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = recipe.memory or int(SHARE * psutil.virtual_memory().available / workers)
    return replace(recipe, threads=recipe.threads or max(1, cores // workers), memory=memory)


def run_on(cluster: Cluster, recipe: Recipe, items: Sequence[Item]) -> Iterator[Report]:
    """Yield what comes of each item, in the order in which they end.

    Each worker is given one item, by name. Left to itself, Dask would hand the items of a dead worker to those that are
    left, suspect all that one of them was given when the next dies, and set aside scans that only waited there.

    Args:
        cluster: that does the work.
        recipe: what to do.
        items: scans and folders.

    Raises:
        ConfigurationError: a worker has other models or no sr_keras, or the scheduler or all workers are gone.
    """
    from sr_keras.cohort.worker import perform

    _install(cluster, recipe)
    queue, at_work, deaths = deque(items), dict[Any, tuple[Item, str]](), Counter[str]()
    run, numbers = f"{os.getpid()}-{time.time_ns()}", count()
    while queue or at_work:
        for address in cluster.idle({address for _, address in at_work.values()}):
            if queue:
                key, item = f"sr_keras-{run}-{next(numbers)}", queue.popleft()
                at_work[cluster.client.submit(perform, item, key=key, workers=[address], pure=False)] = item, address
        for future in _ended(cluster, at_work):
            item, _ = at_work.pop(future)
            report = _result(future)
            if report is None:
                deaths[item.name] += 1
                if deaths[item.name] < TRIES:
                    # Last of all, so that it kills no worker that others wait for.
                    queue.append(item)
                    continue
                report = Report((set_aside(item, TRIES),))
            queue.extendleft(reversed(report.found))
            yield report


def _ended(cluster: Cluster, at_work: Mapping[Any, tuple[Item, str]]) -> list[Any]:
    """Wait a little, and return the items that have ended, and those whose worker has."""
    from distributed import wait

    if not at_work:
        time.sleep(FRESH)
        return []
    try:
        return list(wait(list(at_work), timeout=LOOKING, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        alive = cluster.addresses()
        return [future for future, (_, address) in at_work.items() if address not in alive]


def _result(future: Any) -> Report | None:
    """Return what came of an item; None where its worker died."""
    from distributed.scheduler import KilledWorker

    if not future.done():
        # It waits for a worker of that address to come again.
        future.cancel()
        return None
    try:
        report: Report = future.result()
    except KilledWorker:
        return None
    except CancelledError as error:
        raise ConfigurationError("The Dask scheduler ended; start it and run again to go on.") from error
    return report


def _install(cluster: Cluster, recipe: Recipe) -> None:
    """Have every worker, those too that come later, make the job."""
    from sr_keras.cohort.worker import EnginePlugin

    plugin = EnginePlugin(recipe, dict(recipe.job().request), cluster.workers)
    try:
        cluster.client.register_plugin(plugin)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"A worker cannot run sr_keras ({error}); install this version on all.") from error
