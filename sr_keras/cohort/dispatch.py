"""The items of a cohort, handed to the workers of a cluster one by one, and what comes of each."""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from sr_keras.cohort.attempts import Report
from sr_keras.cohort.cluster import Cluster
from sr_keras.cohort.items import Item, Scan
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.serial import TRIES, set_aside
from sr_keras.errors import ConfigurationError, SrKerasError

# Seconds to wait for a worker, and between two looks at those that there are.
PAUSE, LOOKING = 0.1, 1.0
# What a scheduler or a worker says that cannot read what we send: without sr_keras, or with another version of it.
UNREADABLE = (ImportError, AttributeError, TypeError, RuntimeError)


def run_on(
    cluster: Cluster, recipe: Recipe, items: Sequence[Item], ledger: Path, log: Callable[[str], None]
) -> Iterator[Report]:
    """Yield what comes of each item, in the order in which they end.

    Each worker is given one item, by name. Left to itself, Dask would hand the items of a dead worker to those that are
    left, suspect all that one of them was given when the next dies, and set aside scans that only waited there.

    Args:
        cluster: that does the work.
        recipe: what to do.
        items: scans and folders.
        ledger: of the run, which every worker must see.
        log: called with a line about a worker that cannot do the job.

    Raises:
        ConfigurationError: a worker has other models or no sr_keras, or the scheduler or all workers are gone.
    """
    from sr_keras.cohort.worker import UnfitWorkerError, perform

    queue, deaths = deque(items), Counter[str]()
    with _installed(cluster, recipe, ledger) as plugin:
        numbers = count()
        while queue or cluster.at_work:
            for address in cluster.idle()[: len(queue)]:
                item, key = queue.popleft(), f"{plugin}-{next(numbers)}"
                future = cluster.client.submit(perform, _absolute(item), plugin, key=key, workers=[address], pure=False)
                cluster.at_work[future] = item, address
            for future in _ended(cluster):
                item, address = cluster.at_work.pop(future)
                try:
                    report = _result(future)
                except UnfitWorkerError as error:
                    log(f"{error} It gets no scans.")
                    cluster.unfit.add(address)
                    cluster.look_again()
                    queue.appendleft(item)
                    continue
                if report is None:
                    cluster.look_again()
                    deaths[item.name] += 1
                    if deaths[item.name] < TRIES:
                        # Last of all, so that it kills no worker that others wait for.
                        queue.append(item)
                        continue
                    report = Report((set_aside(item, TRIES),))
                queue.extendleft(reversed(report.found))
                yield report


def _absolute(item: Item) -> Item:
    """Return an item whose paths mean the same in the folders of other processes."""
    item = replace(item, path=item.path.absolute(), output=item.output.absolute())
    return replace(item, files=tuple(path.absolute() for path in item.files)) if isinstance(item, Scan) else item


def _ended(cluster: Cluster) -> list[Any]:
    """Wait a little, and return the items that have ended, and those whose worker has."""
    from distributed import wait

    if not cluster.at_work:
        time.sleep(PAUSE)
        return []
    try:
        return list(wait(list(cluster.at_work), timeout=LOOKING, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        alive = cluster.addresses()
        return [future for future, (_, address) in cluster.at_work.items() if address not in alive]


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
    except UNREADABLE as error:
        raise ConfigurationError(_unreadable("The scheduler or a worker", error)) from error
    return report


@contextmanager
def _installed(cluster: Cluster, recipe: Recipe, ledger: Path) -> Iterator[str]:
    """Have every worker, those too that come later, make the job; yield the name by which items ask for it.

    The name is that of this run: of two clients of one scheduler each has its own job.
    """
    from sr_keras.cohort.worker import EnginePlugin

    name = f"sr_keras-{os.getpid()}-{time.time_ns()}"
    plugin = EnginePlugin(name, recipe, dict(recipe.job().request), cluster.workers, ledger.absolute())
    try:
        try:
            cluster.client.register_plugin(plugin)
        except SrKerasError:
            raise
        except Exception as error:
            # What a worker cannot read comes back as no particular error.
            raise ConfigurationError(_unreadable("A worker", error)) from error
        yield name
    finally:
        # Where the scheduler is gone, so is the plugin.
        with suppress(Exception):
            cluster.client.unregister_worker_plugin(name)


def _unreadable(who: str, error: Exception) -> str:
    said = (str(error.__cause__ or error).splitlines() or [type(error).__name__])[0]
    return f"{who} cannot run sr_keras ({said}); install this version on all."
