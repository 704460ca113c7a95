"""A thread works, and its caller waits, answers signals and runs what is the user's."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextvars import ContextVar
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES

import numpy as np
import pytest

from fastgmm.families.factors import factor_and_inverse, smallest_eigenvalues, times_transpose
from fastgmm.machine import waiting
from fastgmm.machine.waiting import AbandonedError, attended, check, import_alone, in_caller, uninterrupted

needs_signals = pytest.mark.skipif(
    os.name != "posix" or threading.current_thread() is not threading.main_thread(), reason="POSIX signals"
)


pytestmark = pytest.mark.usefixtures("nobody_watches")


def interrupt(*_):
    raise KeyboardInterrupt


def is_in_main_thread():
    return threading.current_thread() is threading.main_thread()


def join_workers():
    for thread in threading.enumerate():
        if thread.name == "fastgmm-work":
            thread.join(10)
            assert not thread.is_alive()


def test_what_takes_long_is_done_in_a_thread_and_what_does_not_is_not():
    assert not attended(is_in_main_thread)
    assert not attended(is_in_main_thread, waiting.LONG_WORK)
    assert attended(is_in_main_thread, waiting.LONG_WORK - 1)


def test_a_thread_that_is_not_the_main_one_does_its_work_itself():
    found = []
    thread = threading.Thread(target=lambda: found.append(attended(threading.current_thread)))
    thread.start()
    thread.join()
    assert found == [thread]


@pytest.mark.parametrize("watch", [sys.settrace, sys.setprofile])
def test_who_watches_this_thread_sees_the_work(watch):
    watch(lambda *_: None)
    try:
        there = attended(is_in_main_thread)
    finally:
        watch(None)
    assert there


def test_where_the_system_gives_no_thread_the_caller_does_the_work(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    before = threading.stack_size()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert attended(is_in_main_thread)
    assert threading.stack_size() == before


def test_work_in_the_midst_of_work_stays_in_its_thread():
    outer, inner = attended(lambda: (threading.current_thread(), attended(threading.current_thread)))
    assert outer is inner
    assert outer is not threading.current_thread()


def test_work_has_the_context_and_the_errors_of_its_caller():
    variable, calls = ContextVar("variable", default=0), []
    variable.set(7)
    before = np.seterrcall(lambda *event: calls.append(event))
    try:
        with np.errstate(over="raise", divide="call", invalid="ignore"):
            assert attended(lambda: (variable.get(), np.geterr())) == (7, np.geterr())
            attended(lambda: np.ones(1) / np.zeros(1))
    finally:
        np.seterrcall(before)
    assert len(calls) == 1


def test_what_work_changes_of_its_context_and_errors_is_not_its_callers():
    variable, before = ContextVar("variable", default=0), np.geterr()
    attended(lambda: (variable.set(8), np.seterr(all="raise")))
    assert variable.get() == 0
    assert np.geterr() == before


def test_what_work_raises_comes_with_where_it_was_raised():
    def fail():
        raise LookupError("here")

    with pytest.raises(LookupError, match="here") as caught:
        attended(fail)
    assert "fail" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize("fails_in_caller", [False, True])
def test_an_exception_that_was_handled_keeps_nothing(fails_in_caller):
    class Thing:
        pass

    things = []

    def fail():
        thing = Thing()
        things.append(weakref.ref(thing))
        raise LookupError(thing)

    gc.disable()
    try:
        with contextlib.suppress(LookupError):
            attended(partial(in_caller, fail) if fails_in_caller else fail)
        join_workers()
        assert things[0]() is None
    finally:
        gc.enable()


def test_what_is_the_users_runs_in_the_callers_thread():
    def work():
        return [is_in_main_thread(), in_caller(is_in_main_thread), in_caller(max, 2, 3)]

    assert attended(work) == [False, True, 3]
    assert in_caller(is_in_main_thread)


def test_what_the_users_function_raises_the_work_may_catch_or_not():
    def stop():
        raise StopIteration

    def work():
        with pytest.raises(StopIteration):
            in_caller(stop)
        in_caller(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        attended(work)


@needs_signals
@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_what_a_handler_raises_ends_endless_work(signal_after, error):
    ended = []

    def work():
        try:
            while True:
                check()
        except AbandonedError:
            ended.append(True)
            raise

    def handler(*_):
        raise error

    signal_after(0.05, handler)
    with pytest.raises(error):
        attended(work)
    join_workers()
    assert ended


@needs_signals
def test_work_that_waits_for_the_users_function_ends_where_a_handler_raises_before_that_begins(
    monkeypatch, signal_after
):
    ended = []
    make = waiting._Call.make

    def made(call):
        if is_in_main_thread():
            signal.raise_signal(signal.SIGALRM)
        make(call)

    def work():
        try:
            in_caller(int)
        except AbandonedError:
            ended.append(True)

    monkeypatch.setattr(waiting._Call, "make", made)
    signal_after(0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        attended(work)
    join_workers()
    assert ended == [True]


@needs_signals
def test_what_is_not_to_be_cut_in_two_is_done_whatever_becomes_of_the_call(signal_after):
    done = threading.Event()

    def work():
        time.sleep(0.3)
        done.set()

    signal_after(0.05, interrupt)
    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work)
    assert not done.is_set()
    assert done.wait(10)


@needs_signals
def test_a_handler_may_have_work_of_its_own_while_its_thread_waits(signal_after):
    found = []
    signal_after(0.05, lambda *_: found.append(attended(is_in_main_thread)))
    attended(partial(time.sleep, 0.2))
    assert found == [False]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_that_returns_from_the_users_function_has_an_error_and_does_not_wait_for_ever():
    parent, code, child = os.getpid(), 1, 0
    try:
        child = attended(partial(in_caller, os.fork))
    except RuntimeError:
        code = 7
    finally:
        if os.getpid() != parent:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@needs_signals
def test_a_handler_runs_while_a_matrix_is_factored_or_multiplied():
    """Not at its end: of many signals sent at even intervals, more than a few are answered one by one."""
    large = {size: np.eye(size) + 0.1 for size in (700, 1500, 2500)}
    works = [
        partial(factor_and_inverse, large[1500]),
        partial(times_transpose, large[2500]),
        partial(smallest_eigenvalues, large[700], np.ones(700)),
    ]
    times = []
    before = signal.signal(signal.SIGALRM, lambda *_: times.append(time.perf_counter()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for work in works:
            times.clear()
            attended(work)
            assert len(times) > 5, work.func
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("extension", ["no_such_package._fast", "json._no_such_extension", "json.decoder"])
def test_where_there_is_no_such_extension_the_public_module_is_imported(extension, monkeypatch):
    monkeypatch.delitem(sys.modules, extension, raising=False)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    assert import_alone(extension, "colorsys").__name__ == "colorsys"
    assert extension not in sys.modules


def test_where_an_extension_does_not_load_the_public_module_is_imported(tmp_path, monkeypatch):
    folder = tmp_path / "broken_package" / "inner"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / f"_fast{EXTENSION_SUFFIXES[0]}").write_bytes(b"no machine code")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    assert import_alone("broken_package.inner._fast", "colorsys").__name__ == "colorsys"
    assert "broken_package.inner._fast" not in sys.modules


def test_where_neither_can_be_had_the_public_modules_error_says_so():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        import_alone("no_such_package._fast", "no_such_package.fast")


IMPORTS_AFTERWARDS = """
import sys
from fastgmm.families.factors import factor_and_inverse
from fastgmm.machine.waiting import import_alone
import numpy as np

factor_and_inverse(4.0 * np.eye(3))
alone = import_alone("scipy.linalg._flapack", "scipy.linalg.lapack")
assert "scipy.linalg" not in sys.modules
import scipy.linalg._flapack

print(scipy.linalg._flapack.dpotrf(4.0 * np.eye(1)), scipy.linalg.cholesky(4.0 * np.eye(1)))
assert scipy.linalg.lapack._flapack is scipy.linalg._flapack
assert import_alone("scipy.linalg._flapack", "scipy.linalg.lapack") is alone
factor_and_inverse(4.0 * np.eye(3))
"""


def test_a_package_that_is_imported_after_its_extension_has_it_as_an_attribute():
    finished = subprocess.run([sys.executable, "-c", IMPORTS_AFTERWARDS], capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.stderr) == ("(array([[2.]]), 0) [[2.]]\n", "")
