"""A cohort on Dask: worker processes on this machine, or a cluster that is there."""

import logging
import os
import re
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from sr_keras.cohort.items import Item
from sr_keras.cohort.recipe import Recipe
from sr_keras.errors import ConfigurationError
from sr_keras.files import remove_stale, reserved
from sr_keras.framework import load_module

INSTALL = "sr_keras[cohort]"
# Seconds to wait for a scheduler, and for its first worker.
CONNECTING, WAITING = 30, 120
# Bytes that no scheduler greets with.
LONGEST_GREETING = 1 << 20
# Seconds that a list of workers is good for, and after which a cluster without any is given up.
FRESH, MISSING = 0.1, 600.0
# Of the memory that is free here, the share that jobs may plan with.
SHARE = 0.8
SETTINGS = {
    # We are told of each worker that dies, and count them ourselves.
    "distributed.scheduler.allowed-failures": 0,
    # Jobs plan their memory themselves; Dask would pause and kill workers by its own reckoning.
    **{f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause", "terminate")},
    # Loading engines takes a worker's event loop for more than its default of three seconds.
    "distributed.admin.tick.limit": "60s",
}


@dataclass
class Cluster:
    """A cluster that takes items.

    Attributes:
        client: of Dask.
        workers: processes that we keep running on this machine; 0 where others run them.
        at_work: the items that workers have, and the addresses of those, by Dask's futures.
        unfit: addresses of workers that cannot do the job.
    """

    client: Any
    workers: int = 0
    at_work: dict[Any, tuple[Item, str]] = field(default_factory=dict)
    unfit: set[str] = field(default_factory=set)
    _addresses: frozenset[str] = frozenset()
    _asked: float = -inf
    _seen: float = inf

    def addresses(self) -> frozenset[str]:
        """Return the addresses of the workers that there are and that can do the job.

        Raises:
            ConfigurationError: there has been none for long, and none of ours to start again.
        """
        now = time.monotonic()
        if now - self._asked < FRESH:
            return self._addresses
        self._asked, self._addresses = now, frozenset(self.client.nthreads()) - self.unfit
        if self._addresses or self._seen == inf:
            self._seen = now
        if len(self._addresses) < self.workers:
            # Dask replaces workers that die, but not those that die while they start, as of a scan that kills.
            self.client.cluster.scale(self.workers)
        elif now - self._seen > MISSING:
            raise ConfigurationError("The scheduler has no workers any more; start some and run again to go on.")
        return self._addresses

    def look_again(self) -> None:
        """Forget the list: a worker in it has died or cannot do the job.

        An item that is sent to a dead one would seem to have killed it.
        """
        self._asked = -inf

    def idle(self) -> list[str]:
        """Return the addresses of the workers that have nothing to do."""
        return sorted(self.addresses() - {address for _, address in self.at_work.values()})


@contextmanager
def local_cluster(workers: int, ledger: Path) -> Iterator[Cluster]:
    """Yield new worker processes on this machine; a process that dies is replaced.

    In the end they are gone, and what they left unfinished with them.

    Args:
        workers: number of processes.
        ledger: of the run, beside which Dask's files and the workers' temporary ones go.

    Raises:
        MissingDependencyError: Dask is not installed.
    """
    dask, distributed = load_module("dask", INSTALL), load_module("distributed", INSTALL)
    begun: dict[Any, tuple[Item, str]] = {}
    try:
        with ExitStack() as stack:
            # A killed client leaves this folder; the next run with this ledger takes it over.
            scratch = str(stack.enter_context(reserved(ledger)))
            stack.enter_context(_quiet())
            stack.enter_context(dask.config.set(SETTINGS | {"temporary-directory": scratch}))
            with _interrupts_held():
                cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=":0",
                    host="127.0.0.1",
                    local_directory=scratch,
                    env={"TMPDIR": scratch},
                    silence_logs="CRITICAL",
                )
                stack.enter_context(cluster)
            client = stack.enter_context(distributed.Client(cluster))
            yield Cluster(client, workers, begun)
    finally:
        for item, _ in begun.values():
            remove_stale(item.output)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C, for ever in threads and processes that begin meanwhile.

    A terminal sends Ctrl-C to all processes. Workers are to be ended by the client, not to print where they stood.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Where it starts, it ends such holding back.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def remote_cluster(address: str, log: Callable[[str], None]) -> Iterator[Cluster]:
    """Yield the workers of a scheduler that is there.

    Args:
        address: such as "tcp://10.0.0.1:8786".
        log: called with a line where the cluster's versions of Python or Dask are others.

    Raises:
        MissingDependencyError: Dask is not installed.
        ConfigurationError: no scheduler answers, or it has no workers.
    """
    distributed = load_module("distributed", INSTALL)
    address = address if "://" in address else f"tcp://{address}"
    _check_answers(address)
    with _quiet(), _connected(distributed, address, log) as client:
        try:
            client.wait_for_workers(1, timeout=WAITING)
        except TimeoutError as error:
            raise ConfigurationError(f"The scheduler at {address} has no workers; start some.") from error
        yield Cluster(client)


def _check_answers(address: str) -> None:
    """Refuse an address at which no scheduler is: Dask's own client waits there for ever, or leaves threads behind."""
    try:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 0), CONNECTING) as connection:
            # A scheduler speaks first, the length of its greeting.
            greeting = connection.recv(8) if place.scheme == "tcp" else b""
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"No Dask scheduler answers at {address}; check --scheduler.") from error
    if int.from_bytes(greeting, "little") > LONGEST_GREETING:
        raise ConfigurationError(f"What answers at {address} is no Dask scheduler; check --scheduler.")


@contextmanager
def _connected(distributed: Any, address: str, log: Callable[[str], None]) -> Iterator[Any]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = distributed.Client(address, timeout=CONNECTING)
    with client:
        for warning in caught:
            # Dask has a table in its warning.
            if others := re.findall(r"^\| (\w+) +\|", str(warning.message), re.MULTILINE):
                log(f"Warning: the cluster has other versions of {', '.join(others[1:])}.")
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own messages from the terminal: what matters is told by us, in one line."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def shared_out(recipe: Recipe, workers: int) -> Recipe:
    """Return a recipe whose threads and memory are those of one of several processes on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = recipe.memory or int(SHARE * psutil.virtual_memory().available / workers)
    return replace(recipe, threads=recipe.threads or max(1, cores // workers), memory=memory)
