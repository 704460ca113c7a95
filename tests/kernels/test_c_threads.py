"""Threads of the C backend: as many as are wanted at most, and fewer where the system gives no more."""

import threading

import pytest

from fastgmm.kernels import available_backends

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import launch


@pytest.fixture
def helpers(monkeypatch):
    """As in a process that had none yet, with the number of threads that were really started."""
    fresh, started = launch._Helpers(), []
    monkeypatch.setattr(launch, "_helpers", fresh)
    start = launch._thread.start_new_thread
    monkeypatch.setattr(launch._thread, "start_new_thread", lambda *args: (started.append(args), start(*args)))
    fresh.started = started
    return fresh


def test_threads_are_started_once_and_serve_every_number_of_workers(helpers):
    for n_workers in (2, 5, 3, 1, 5, 4):
        launch.share_out(lambda next_chunk: None, n_workers)
    assert len(helpers.started) == 4


def test_where_no_thread_can_be_started_the_caller_does_all_the_work(helpers, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(launch._thread, "start_new_thread", refuse)
    calls = []
    launch.share_out(calls.append, 8)
    assert calls == [None]


def test_an_error_of_a_helper_is_raised_where_the_work_came_from(helpers):
    caller, helped = threading.get_ident(), threading.Event()

    def work(next_chunk):
        if threading.get_ident() != caller:
            helped.set()
            raise MemoryError("no scratch")
        assert helped.wait(60)

    with pytest.raises(MemoryError, match="no scratch"):
        launch.share_out(work, 2)


def test_a_caller_does_not_wait_for_helpers_that_are_busy_with_the_work_of_others(helpers):
    release, started = threading.Event(), threading.Event()
    caller = threading.get_ident()

    def long_work(next_chunk):
        if threading.get_ident() == caller or not started.is_set():
            started.set()
            release.wait(60)

    other = threading.Thread(target=launch.share_out, args=(long_work, 2))
    other.start()
    assert started.wait(60)
    done = []
    for _ in range(3):  # the only helper may be in the long work by now, or still about to
        launch.share_out(lambda next_chunk: done.append(next_chunk), 2)
        assert done
    release.set()
    other.join(60)
    assert not other.is_alive()
