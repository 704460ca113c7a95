"""Imports in the middle of a call, which neither a signal nor a fork cuts in two.

A package whose import an exception interrupts is gone, while some of its modules stay: a second import finds these, and
raises ``AttributeError`` for as long as the process lives. Exceptions of signal handlers come to the main thread only,
so another one imports, and goes on to the end whatever becomes of the call.
"""

import _thread
import importlib
import sys
import threading
from queue import SimpleQueue
from types import ModuleType

from fastgmm.forks import IMPORTING

# Of the thread that imports, however small the application wants those of its own.
_STACK_BYTES = 16 * 2**20


def import_whole(name: str) -> ModuleType:
    """The module of that name, imported as a whole; raises what its import raises."""
    module = sys.modules.get(name)
    # A module that another thread is importing is among them already.
    if module is None or getattr(module.__spec__, "_initializing", False):
        if threading.current_thread() is threading.main_thread():
            _import_in_a_thread(name)
        else:
            _import(name)
        module = sys.modules[name]
    return module


def _import(name: str) -> None:
    with IMPORTING:
        importlib.import_module(name)


def _import_in_a_thread(name: str) -> None:
    outcome: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        try:
            _import(name)
        except BaseException as error:  # raised again where the module is wanted
            outcome.put(error)
        else:
            outcome.put(None)

    before = threading.stack_size(_STACK_BYTES)
    try:
        # `threading.Thread` waits until the thread runs, and breaks where Ctrl-C falls into that.
        _thread.start_new_thread(work, ())
    finally:
        threading.stack_size(before)
    error = outcome.get()
    if error is not None:
        raise error
