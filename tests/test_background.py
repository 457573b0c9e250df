import threading
import time

import pytest

from sr_keras.background import WAITING, in_background


def test_calls_are_done_in_order_in_another_thread():
    done = []
    with in_background(lambda number: done.append((number, threading.current_thread()))) as hand_on:
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
    with in_background(slow) as hand_on:
        for number in range(10):
            hand_on(number)
            ahead.append(number + 1 - len(done))
    assert max(ahead) <= WAITING + 2
    assert done == list(range(10))


@pytest.mark.parametrize("calls", [1, 20])
def test_what_the_work_raises_surfaces(calls):
    def fail(number):
        raise OSError(f"call {number}")

    with pytest.raises(OSError, match="call 0"), in_background(fail) as hand_on:  # noqa: PT012
        for number in range(calls):
            hand_on(number)


def test_an_interruption_drops_what_waits():
    done = []

    def slow(number):
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), in_background(slow) as hand_on:  # noqa: PT012
        hand_on(0)
        hand_on(1)
        hand_on(2)
        raise KeyboardInterrupt
    assert len(done) <= 1
