"""Items that a thread makes one ahead of whoever takes them."""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, Full, Queue
from typing import TypeVar

from fastgmm.machine.waiting import check

T = TypeVar("T")

# Whoever waits looks up so often, whether the other one is still there.
_SECONDS_OF_WAITING = 0.05


class _End:
    """What comes after the last item: the error that ended them, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The items, the next of which is made in a thread while one is used.

    Three are in memory at most: one in use, one that waits, and one in the making. The thread has ended, and the
    iterator is closed, when this generator is; but where an exception ends it, nobody waits for an item in the making,
    after which the thread ends by itself.
    """
    ready: Queue[T | _End] = Queue(maxsize=1)
    is_wanted = threading.Event()
    is_wanted.set()

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not _put(ready, item, is_wanted):
                    break
                del item  # which whoever takes it may have done with long before the next is made
        except BaseException as caught:
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        _put(ready, _End(error), is_wanted)

    thread = threading.Thread(target=copy_context().run, args=(make,), name="fastgmm-ahead", daemon=True)
    thread.start()
    is_given_up = True
    try:
        while True:
            item = _next(ready)
            if isinstance(item, _End):
                is_given_up = False
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item
    except GeneratorExit as closing:
        is_given_up = _is_by_an_error(closing)
        raise
    finally:
        is_wanted.clear()
        with suppress(Empty):
            ready.get_nowait()
        while thread.is_alive() and not is_given_up:
            thread.join(_SECONDS_OF_WAITING)


def _is_by_an_error(closing: BaseException | None) -> bool:
    """Whether a generator is closed on the way of another exception, such as that of Ctrl-C, by whoever uses it."""
    while isinstance(closing, GeneratorExit):
        closing = closing.__context__
    return closing is not None


def _next(ready: "Queue[T | _End]") -> "T | _End":
    while True:
        check()
        with suppress(Empty):
            return ready.get(timeout=_SECONDS_OF_WAITING)


def _put(ready: "Queue[T | _End]", item: "T | _End", is_wanted: threading.Event) -> bool:
    """Whether somebody still waits for items."""
    while is_wanted.is_set():
        with suppress(Full):
            ready.put(item, timeout=_SECONDS_OF_WAITING)
            break
    return is_wanted.is_set()
