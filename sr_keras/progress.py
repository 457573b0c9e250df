"""Progress bars: on a terminal they move, elsewhere they keep quiet."""

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


def progress_bar() -> Progress:
    """Return a bar on stderr with a description, a count, the time taken and the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return _progress(*columns, TimeRemainingColumn())


@contextmanager
def progress_report() -> Iterator[Callable[[str, float, float], None]]:
    """Yield a function that shows one bar for a whole job: what is being done, how much is done, and how much there is.

    A job that begins after another one begins the bar anew.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with _progress(*columns, TimeRemainingColumn()) as progress:
        task, before = progress.add_task("starting", total=None), 0.0

        def report(description: str, done: float, total: float) -> None:
            nonlocal before
            if done < before:
                progress.reset(task)
            before = done
            progress.update(task, description=description, completed=done, total=total)

        yield report


def _progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)
