import threading
import time

import pytest

from sr_keras.inference.prefetch import WAITING, background_writer, prefetch


def test_calls_are_done_in_order_in_another_thread():
    done = []
    with background_writer(lambda number: done.append((number, threading.current_thread()))) as hand_on:
        for number in range(20):
            hand_on(number)
    assert [number for number, _ in done] == list(range(20))
    assert {thread for _, thread in done}.isdisjoint({threading.current_thread()})


def test_no_more_than_a_few_calls_wait():
    done, gate = [], threading.Event()
    ahead = []

    def slow(number):
        gate.wait(5)
        done.append(number)

    threading.Timer(0.2, gate.set).start()
    with background_writer(slow) as hand_on:
        for number in range(10):
            hand_on(number)
            ahead.append(number + 1 - len(done))
    assert max(ahead) <= WAITING + 2
    assert done == list(range(10))


@pytest.mark.parametrize("calls", [1, 20])
def test_what_the_work_raises_surfaces(calls):
    def fail(number):
        raise OSError(f"call {number}")

    with pytest.raises(OSError, match="call 0"), background_writer(fail) as hand_on:  # noqa: PT012
        for number in range(calls):
            hand_on(number)


def test_an_interruption_drops_what_waits():
    done = []

    def slow(number):
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), background_writer(slow) as hand_on:  # noqa: PT012
        hand_on(0)
        hand_on(1)
        hand_on(2)
        raise KeyboardInterrupt
    assert len(done) <= 1


def test_items_are_made_in_another_thread_while_the_one_before_is_used():
    made, threads = [], set()

    def items():
        for number in range(5):
            threads.add(threading.current_thread())
            made.append(number)
            yield number

    used = []
    for number in prefetch(items()):
        until = time.monotonic() + 5
        while len(made) < min(number + 2, 5) and time.monotonic() < until:
            time.sleep(0.001)
        # The next one is there before it is asked for, the one after it is not begun.
        assert len(made) == min(number + 2, 5)
        used.append(number)
    assert used == made == list(range(5))
    assert threads.isdisjoint({threading.current_thread()})


def test_what_making_raises_surfaces_after_the_items_before_it():
    def items():
        yield 1
        raise OSError("no second item")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="no second item"):
        next(ahead)


def test_closing_early_closes_what_makes_the_items():
    closed = []

    def items():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    ahead = prefetch(items())
    assert next(ahead) == 0
    ahead.close()
    assert closed == [True]


def test_an_interruption_while_the_next_item_is_made_waits_for_it_and_surfaces():
    begun, closed = threading.Event(), []

    def items():
        try:
            yield 1
            begun.set()
            time.sleep(0.2)
            yield 2
        finally:
            closed.append(True)

    ahead = prefetch(items())
    assert next(ahead) == 1
    begun.wait(5)
    with pytest.raises(KeyboardInterrupt):
        ahead.throw(KeyboardInterrupt)
    assert closed == [True]
