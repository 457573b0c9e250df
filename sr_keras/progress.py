"""Progress bars: on a terminal they move, elsewhere they keep quiet."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Called with what is being done, how much of the job is done, and how much there is, in one unit of any kind.
ProgressCallback = Callable[[str, float, float], None]

# Descriptions hold names of files, which may look like rich's markup.
DESCRIPTION = TextColumn("{task.description}", markup=False)


def progress_bar() -> Progress:
    """Return a bar on stderr with a description, a count, the time taken and the time left."""
    columns = (DESCRIPTION, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return _progress(*columns, TimeRemainingColumn())


@contextmanager
def count_report() -> Iterator[ProgressCallback]:
    """Yield a function that shows one bar that counts, with the time left."""
    with progress_bar() as progress:
        task = progress.add_task("", total=None)

        def report(description: str, done: float, total: float) -> None:
            progress.update(task, description=description, completed=done, total=total)

        yield report


@contextmanager
def progress_report() -> Iterator[ProgressCallback]:
    """Yield a function that shows one bar with the time left for a whole job.

    A job that begins after another one begins the bar anew.
    """
    columns = (DESCRIPTION, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with _progress(*columns, TimeRemainingColumn()) as progress:
        task, before = progress.add_task("starting", total=None), 0.0

        def report(description: str, done: float, total: float) -> None:
            nonlocal before
            if done < before:
                progress.reset(task)
            before = done
            progress.update(task, description=description, completed=done, total=total)

        yield report


def share_of(report: ProgressCallback, number: int, count: int, title: str = "") -> ProgressCallback:
    """Return the progress callback of one of several jobs that take about as long as each other.

    Args:
        report: takes the progress of all of them.
        number: of the job, from 0.
        count: of jobs.
        title: put before what is being done.
    """

    def share(description: str, done: float, total: float) -> None:
        report(title + description, number + (done / total if total else 0.0), count)

    return share


def _progress(*columns: ProgressColumn) -> Progress:
    """Return a bar that lines printed meanwhile appear above. What goes to a file or a pipe on stdout still does."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, redirect_stdout=sys.stdout.isatty())
