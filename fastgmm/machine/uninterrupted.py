"""Work in the middle of a call that no signal's exception cuts in two: to import a package, to compile a kernel.

A package whose import is interrupted is gone, while some of its modules stay: a second import finds these, and raises
``AttributeError`` for as long as the process lives. An interrupted compiler may have lost what it knew of types.
Exceptions of signal handlers come to the main thread only. So another one does such work, to the end whatever becomes
of the call, while the main thread waits and answers signals.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from fastgmm.machine.forks import IMPORTING

T = TypeVar("T")

# However small the application wants those of its own threads.
_STACK_BYTES = 16 * 2**20
# Some 20 milliseconds of a sort, or to factor a matrix.
_MANY_ITEMS = 2**18


def import_whole(name: str) -> ModuleType:
    """The module of that name; raises what its import raises."""
    module = sys.modules.get(name)
    # A module that is being imported is among them already.
    if module is None or _is_being_imported(module):
        module = uninterrupted(lambda: _import(name))
    return module


def _import(name: str) -> ModuleType:
    with IMPORTING:
        return importlib.import_module(name)


def uninterrupted(work: Callable[[], T]) -> T:
    """Do the work, and return or raise what it does; an exception of a signal handler ends the waiting only."""
    if threading.current_thread() is not threading.main_thread() or _is_import_under_way():
        return work()
    outcome: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def do() -> None:
        try:
            result = work()
        except BaseException as error:
            outcome.put(_raiser(error))
        else:
            outcome.put(lambda: result)

    if not _start(do):
        return work()
    return outcome.get()()


def answering_signals(work: Callable[[], T], n_items: int) -> T:
    """The same for calls of NumPy that cannot be made in pieces; on few items they take no time to speak of."""
    if n_items <= _MANY_ITEMS:
        return work()
    errors = np.geterr()  # which every thread has of its own

    def with_errors() -> T:
        with np.errstate(**errors):
            return work()

    return uninterrupted(with_errors)


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _is_import_under_way() -> bool:
    """Of a package that the work may need: one that a handler interrupted in this thread, others await in vain."""
    packages = ("numba", "llvmlite", "scipy", "numpy", "fastgmm")
    modules = [module for name, module in list(sys.modules.items()) if name.split(".")[0] in packages]
    return any(map(_is_being_imported, modules))


def _start(work: Callable[[], None]) -> bool:
    """Start a thread, for whose end the interpreter waits before it ends; False where the system gives none."""
    before = threading.stack_size()
    try:
        threading.stack_size(_STACK_BYTES)
        threading.Thread(target=work, name="fastgmm-uninterrupted").start()
    except RuntimeError:
        return False
    finally:
        threading.stack_size(before)
    return True


def _raiser(error: BaseException) -> Callable[[], Any]:
    def raise_it() -> None:
        nonlocal error
        try:
            raise error
        finally:
            del error  # which knows this frame, and so would keep all that it knows

    return raise_it
