"""Items made one ahead, in a thread."""

import threading
import time
from collections.abc import Iterator

import pytest

from fastgmm.machine.ahead import one_ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "fastgmm-ahead"]


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
    end = time.monotonic() + 60
    while threads() and time.monotonic() < end:
        time.sleep(0.001)
    assert not threads()
