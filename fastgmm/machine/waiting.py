"""Signals: a thread does what takes long, while the main thread waits, answers them, and runs what is the user's.

Handlers of signals run in the main thread, between two instructions of Python, and may raise. In a call of C code they
wait, and what they raise in the middle of an import or of a compiler breaks it: a package whose import is interrupted
is gone, while some of its modules stay, and LLVM forgets a Ctrl-C that comes in its callbacks. So whoever calls us in
the main thread waits there, and a handler's exception ends the waiting. The work then ends, too, where it next asks
``check``, which loops over rows and over large arrays do; an import or a compilation, which never asks, is done first.
"""

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from importlib.machinery import ExtensionFileLoader, PathFinder
from queue import Empty, SimpleQueue
from types import FrameType, ModuleType
from typing import Any, Generic, TypeVar

import numpy as np

from fastgmm.machine.forks import IMPORTING

T = TypeVar("T")

# Work of so many multiply-adds takes long, some 30 ms in kernels. To hand it to a thread costs 70 μs, and up to half a
# millisecond for memory that the thread touches for the first time: 1 to 2 % of that.
LONG_WORK = 1e9
# Numba's compiler recurses deeply, so our threads have twice the usual stack of a main thread, whatever size the
# application has set for threads of its own.
_STACK_BYTES = 16 * 2**20
# Whoever waits looks up twenty times a second, since on Windows no signal interrupts the waiting: so late an answer to
# Ctrl-C is not noticed.
_SECONDS_OF_WAITING = 0.05
# An extension without its packages has a name of its own: under its own a later import would find it, and not make it
# an attribute of its package, as an import does.
_ALONE = "fastgmm.machine.alone."
# What the work may have to import.
_PACKAGES = ("numba", "llvmlite", "scipy", "numpy", "fastgmm")


class AbandonedError(BaseException):
    """The call has ended by an exception of a signal's handler: nobody waits for what this thread does."""


class _Call(Generic[T]):
    """What one thread asks another one to do; ``outcome`` hands over, once, what came of it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._result: T
        self._error: BaseException | None = None

    def make(self) -> None:
        try:
            self._result = self._function()
        except AbandonedError:
            pass  # nobody fetches it; kept, it would keep all that its frames know
        except BaseException as error:
            self._error = error

    def outcome(self) -> T:
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # which knows this frame, and so would keep all that it knows


class _Desk:
    """Where a caller and the thread that works for it meet."""

    def __init__(self) -> None:
        self.is_abandoned = False
        self._requests: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[None] = SimpleQueue()

    def work(self, work: _Call[Any]) -> None:
        """In the thread."""
        _DESK.set(self)
        work.make()
        self._requests.put(None)

    def ask(self, call: _Call[Any]) -> None:
        """In the thread: have the caller make a call."""
        self._requests.put(call)
        while True:
            try:
                return self._answers.get(timeout=_SECONDS_OF_WAITING)
            except Empty:
                check()

    def attend(self, thread: threading.Thread) -> None:
        """In the caller: make the calls that the thread asks for, until it has done its work."""
        while True:
            try:
                request = self._requests.get(timeout=_SECONDS_OF_WAITING)
            except Empty:
                if thread.is_alive() or not self._requests.empty():
                    continue
                raise RuntimeError("a callback forked, and the thread that works is not in the child") from None
            if request is None:
                return
            request.make()
            self._answers.put(None)


# In the context of a thread that works for a caller.
_DESK: ContextVar[_Desk | None] = ContextVar("fastgmm_desk", default=None)


def attended(work: Callable[[], T], operations: float = LONG_WORK) -> T:
    """What the work returns or raises, done in a thread of its own where its multiply-adds take long.

    Debuggers and profilers see it in the thread that they watch.
    """
    if operations < LONG_WORK or sys.gettrace() is not None or sys.getprofile() is not None:
        return work()
    return uninterrupted(work)


def uninterrupted(work: Callable[[], T]) -> T:
    """What ``attended`` does, for work of any length: it ends early only where it calls ``check`` itself."""
    if threading.current_thread() is not threading.main_thread() or _is_import_under_way():
        return work()
    desk, call = _Desk(), _Call(work)
    try:
        thread = _start(partial(desk.work, call))
        if thread is None:
            return work()
        desk.attend(thread)
    except BaseException:
        desk.is_abandoned = True
        raise
    return call.outcome()


def in_caller(function: Callable[..., T], *arguments: Any) -> T:
    """What a function of the user's returns or raises, in the thread where the user has called us."""
    desk = _DESK.get()
    if desk is None:
        return function(*arguments)
    call = _Call(partial(function, *arguments))
    desk.ask(call)
    return call.outcome()


def check() -> None:
    """Raise ``AbandonedError`` where nobody waits for this thread's work any more."""
    desk = _DESK.get()
    if desk is not None and desk.is_abandoned:
        raise AbandonedError


def import_whole(name: str) -> ModuleType:
    """The module of that name; raises what its import raises."""
    return _loaded(name) or uninterrupted(partial(_import, name))


def import_alone(extension: str, public: str) -> ModuleType:
    """An extension module without the packages it lies in, or the public module that hands on all that it has.

    The latter, and what its import raises, where the file is not found in its place, or cannot be loaded before the
    packages have prepared the process for it (on Windows they say where its libraries are).
    """
    found = _loaded(_ALONE + extension) or _loaded(extension) or _loaded(public)
    return found or uninterrupted(partial(_import_alone, extension, public))


def _loaded(name: str) -> ModuleType | None:
    module = sys.modules.get(name)
    # A module that is being imported is among them already.
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def _import(name: str) -> ModuleType:
    with IMPORTING:
        return importlib.import_module(name)


def _import_alone(extension: str, public: str) -> ModuleType:
    with IMPORTING:
        found = _loaded(_ALONE + extension) or _loaded(extension)
        return found or _extension(extension) or importlib.import_module(public)


def _extension(name: str) -> ModuleType | None:
    """Loaded from its file, once; a later import of its package makes another module of the same machine code."""
    package, *folders, _ = name.split(".")
    try:
        found = importlib.util.find_spec(package)
        places = found.submodule_search_locations if found else None
        spec = PathFinder.find_spec(_ALONE + name, [os.path.join(place, *folders) for place in places or ()])
        if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
            return None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, ValueError):  # the latter of a package that some program has put together by hand
        return None
    sys.modules[_ALONE + name] = module
    return module


def _is_import_under_way() -> bool:
    """Whether this thread is importing a package that the work may need: another thread would wait for that in vain.

    It is so where we are called by a signal's handler that has interrupted the import.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        # Python's own function, which every import goes through.
        if frame.f_code.co_name == "_find_and_load" and str(frame.f_locals.get("name")).split(".")[0] in _PACKAGES:
            return True
        frame = frame.f_back
    return False


def _start(work: Callable[[], None]) -> threading.Thread | None:
    """Start a thread in a copy of this one's context; return None where the system gives no thread.

    The interpreter waits for its end before it exits.
    """
    context, errors, call = copy_context(), np.geterr(), np.geterrcall()

    def work_in_context() -> None:
        np.seterr(**errors)  # before NumPy 2 they are no part of the context
        np.seterrcall(call)
        work()

    thread = threading.Thread(target=context.run, args=(work_in_context,), name="fastgmm-work", daemon=False)
    before = threading.stack_size()
    try:
        threading.stack_size(_STACK_BYTES)
        thread.start()
    except RuntimeError:
        return None
    finally:
        threading.stack_size(before)
    return thread
