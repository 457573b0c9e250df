"""Work that goes on beside the work that feeds it, or that it feeds."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
# Calls that may wait for their turn.
WAITING = 2


@contextmanager
def background_writer(work: Callable[Arguments, None], waiting: int = WAITING) -> Iterator[Callable[Arguments, None]]:
    """Yield a function that calls `work` in one other thread, in order; it waits where too many calls are ahead of it.

    At the end all calls are done. What `work` raises is raised by a later call or at the end. An exception in the
    block, an interruption too, drops the calls that wait.
    """
    pending: deque[Future[None]] = deque()

    def hand_on(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        while len(pending) > waiting:
            pending.popleft().result()
        pending.append(executor.submit(work, *arguments, **options))

    executor = ThreadPoolExecutor(1)
    try:
        yield hand_on
        while pending:
            pending.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def prefetch(items: Generator[Item]) -> Generator[Item]:
    """Yield the same items; while one is used, the next is made in another thread. Closing it closes theirs."""
    end = object()
    with ThreadPoolExecutor(1) as executor:
        try:
            coming = executor.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = executor.submit(next, items, end)
                yield item  # type: ignore[misc]
        finally:
            # In their own thread, after the item that may be in the making: a generator that runs cannot be closed.
            executor.submit(items.close).result()
