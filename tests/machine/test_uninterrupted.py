"""What signals interrupt by waiting for it only."""

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from fastgmm.families.factors import factor_and_inverse, smallest_eigenvalues, times_transpose
from fastgmm.machine.uninterrupted import answering_signals


def test_a_single_call_on_many_items_goes_on_in_another_thread_and_one_on_few_does_not():
    threads = [answering_signals(threading.current_thread, n_items) for n_items in (1000, 10**9)]
    assert threads[0] is threading.main_thread() is not threads[1]


def test_a_single_call_on_many_items_has_the_errors_of_its_caller():
    with np.errstate(over="raise", invalid="ignore"):
        expected = np.geterr()
        assert answering_signals(np.geterr, 10**9) == expected


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
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
            work()
            assert len(times) > 5, work.func
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
