"""Items made one ahead, in a thread."""

import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import pytest

from fastgmm.machine.ahead import one_ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "fastgmm-ahead"]


def wait_for_the_end_of_threads() -> None:
    end = time.monotonic() + 60
    while threads() and time.monotonic() < end:
        time.sleep(0.001)
    assert not threads()


def test_items_come_in_order() -> None:
    assert list(one_ahead(iter(range(1000)))) == list(range(1000))


def test_the_next_item_is_made_while_one_is_used() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    end = time.monotonic() + 60
    while len(made) < 3 and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(0.1)
    assert made == [0, 1, 2]  # one that waits, and one that waits to wait
    ahead.close()
    assert not threads()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="two"):
        next(ahead)
    assert not threads()


def test_who_has_enough_leaves_no_thread_and_no_open_iterator() -> None:
    is_closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            is_closed.set()

    for number in one_ahead(items()):
        if number == 5:
            break
    assert is_closed.wait(60)
    wait_for_the_end_of_threads()


def test_who_closes_what_takes_items_finds_the_thread_ended_and_the_iterator_closed() -> None:
    ended: list[str] = []

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            time.sleep(0.2)
            ended.append("iterator")

    def taking() -> Generator[int, None, None]:
        with closing(one_ahead(items())) as ahead:
            yield from ahead

    taken = taking()
    assert next(taken) == 0
    taken.close()
    assert ended == ["iterator"]
    assert not threads()


def test_nothing_more_is_made_for_who_has_enough() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number
            time.sleep(0.001)

    ahead = one_ahead(items())
    next(ahead)
    end = time.monotonic() + 60
    while len(made) < 3 and time.monotonic() < end:
        time.sleep(0.001)
    ahead.close()
    assert made == [0, 1, 2]


def test_an_exception_on_its_way_does_not_wait_for_an_item_in_the_making() -> None:
    is_made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        is_made.wait()
        yield 1

    def interrupted() -> None:
        with closing(one_ahead(items())) as ahead:
            for _ in ahead:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads()
    is_made.set()
    wait_for_the_end_of_threads()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts the main thread")
def test_a_signal_is_answered_while_an_item_is_in_the_making(signal_after: Any) -> None:
    is_made = threading.Event()

    def items() -> Iterator[int]:
        is_made.wait()
        yield 1

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal_after(0.1, interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(one_ahead(items()))
    assert threads()
    is_made.set()
    wait_for_the_end_of_threads()
