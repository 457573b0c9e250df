"""A cohort in this process, one scan after the other: what an array job runs."""

from collections import deque
from collections.abc import Iterator, Sequence

from sr_keras.cohort.attempts import Report, attempt, worker_name
from sr_keras.cohort.items import Item
from sr_keras.cohort.ledger import Entry, Ledger, deaths_in
from sr_keras.cohort.recipe import Recipe
from sr_keras.files import remove_stale

# Processes that a scan may end before it is set aside.
TRIES = 3


def run_here(recipe: Recipe, items: Sequence[Item], ledger: Ledger) -> Iterator[Report]:
    """Yield what comes of each item.

    What kills this process, such as the memory limit of a batch system, ends the run; the next one of the same part
    tries the scan again, and after the third death goes on with the others.

    Args:
        recipe: what to do.
        items: scans and folders.
        ledger: says before each item that it begins.
    """
    job = recipe.job()
    deaths = deaths_in(ledger.path)
    queue = deque(items)
    while queue:
        item = queue.popleft()
        if deaths.get(item.name, 0) >= TRIES:
            yield Report((set_aside(item, TRIES),))
            continue
        ledger.write(Entry(item.name, "started", output=item.output.name, worker=worker_name()))
        report = attempt(job, item)
        queue.extendleft(reversed(report.found))
        yield report


def set_aside(item: Item, tries: int) -> Entry:
    """Return the entry of an item that ends the processes that read it, and remove what they left of its result."""
    remove_stale(item.output)
    return Entry(item.name, "set aside", f"{tries} processes died while they worked on it", item.output.name)
