"""Ctrl-C that is not lost.

A ``KeyboardInterrupt`` raised inside a callback that C code makes into Python, as LLVM does while it compiles, is
printed and forgotten: the fit would run on as if nobody had asked it to stop. Here it is raised again, until it has
ended the block.
"""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SECONDS_UNTIL_AGAIN = 0.1


@contextmanager
def no_interrupt_lost() -> Iterator[None]:
    """Raise the ``KeyboardInterrupt`` of a Ctrl-C again for as long as it does not leave the block.

    Outside the main thread, or with a handler of the application's own, nothing is changed.
    """
    if not _is_ours():
        yield
        return
    insistence = _Insistence()
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda event: None if event.exc_type is KeyboardInterrupt else unraisable(event)
    signal.signal(signal.SIGINT, insistence.interrupt)
    try:
        yield
    finally:
        insistence.end()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = unraisable
    if insistence.came:
        raise KeyboardInterrupt


def _is_ours() -> bool:
    is_main_thread = threading.current_thread() is threading.main_thread()
    return is_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler


class _Insistence:
    """A handler of SIGINT that has itself called again from a timer until the end of the block."""

    def __init__(self) -> None:
        self.came = False
        self._ended = False
        self._lock = threading.Lock()

    def interrupt(self, signal_number: int, frame: FrameType | None) -> Any:
        if self._ended:
            return
        self.came = True
        timer = threading.Timer(_SECONDS_UNTIL_AGAIN, self._again)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    def _again(self) -> None:
        with self._lock:
            if not self._ended:
                _signal_main_thread()

    def end(self) -> None:
        self._ended = True
        # After a timer that is just asking, whose signal then meets a handler that has ended.
        with self._lock:
            pass


def _signal_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)  # ends a system call that waits, too
    else:
        _thread.interrupt_main()
