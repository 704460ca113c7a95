"""What a call of the C module leaves behind: no reference, memory or lock, and the process as it was."""

import shutil
import subprocess
import sys
import tracemalloc
from array import array

import numpy as np
import pytest

from fastgmm.kernels import available_backends
from tests.kernels.c_arguments import (
    LOG_DENSITY,
    OUTPUTS,
    REFUSALS,
    SLOTS,
    SWEEP,
    VALUES,
    log_density_arguments,
    replaced,
    run,
    sweep_arguments,
)

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels


def successes_and_failures():
    for kernel, arguments, at, results in (
        (_kernels.sweep, sweep_arguments(), SWEEP, SLOTS),
        (_kernels.log_density, log_density_arguments(), LOG_DENSITY, OUTPUTS),
    ):
        yield kernel, arguments
        yield kernel, replaced(arguments, (at["section"],), (3, 96, 33, 0, 96))
        for path in ((at["prepared"], 2), (results, 1), (results, 2)):
            yield kernel, replaced(arguments, path, arguments[VALUES])
        yield kernel, replaced(arguments, (results,), None)
        yield kernel, [*arguments[:-1], -1]
        yield kernel, arguments[:-1]


def objects_in(arguments):
    for item in arguments:
        yield item
        if isinstance(item, tuple):
            yield from item


def call_quietly(kernel, arguments):
    try:
        kernel(*arguments)
    except REFUSALS:
        return False
    return True


def test_twenty_thousand_calls_leave_reference_counts_as_they_were():
    calls = list(successes_and_failures())
    arrays = [each for _, arguments in calls for each in objects_in(arguments) if isinstance(each, np.ndarray | tuple)]
    before, nones = [sys.getrefcount(array) for array in arrays], sys.getrefcount(None)
    succeeded = sum(call_quietly(*calls[i % len(calls)]) for i in range(20_000))
    assert [sys.getrefcount(array) for array in arrays] == before
    assert abs(sys.getrefcount(None) - nones) < 100
    assert succeeded == 20_000 * 2 // len(calls)


def test_calls_that_succeed_and_fail_leave_no_memory_behind():
    calls = list(successes_and_failures())
    tracemalloc.start()
    try:
        for _ in range(2):  # the first time Python keeps memory of its own
            before, _ = tracemalloc.get_traced_memory()
            for i in range(2000):
                call_quietly(*calls[i % len(calls)])
            after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before > 2000, "the scratch of a call is not seen"
    assert after - before < 2000


def test_no_buffer_stays_locked():
    """An array whose buffer is in use cannot grow."""
    values, labels = array("d", [0.5] * 32), array("q", [-1] * 32)
    arguments = log_density_arguments("spherical", n_features=1)
    unwanted = np.empty(0)
    for joint in (unwanted, np.empty(32)):
        with memoryview(values) as flat, flat.cast("B") as raw, raw.cast("d", (32, 1)) as table:
            arguments[VALUES], arguments[LOG_DENSITY["groups"]] = table, None
            arguments[OUTPUTS] = (unwanted, labels, joint, False)
            assert call_quietly(_kernels.log_density, arguments) == (joint is unwanted)
        values.append(0.5)
        labels.append(-1)
        values.pop()
        labels.pop()
    assert -1 not in labels


def test_subnormal_numbers_live_on_after_a_fit():
    """Compiled with -ffast-math, the library would switch the process to flush-to-zero when loaded."""
    run(
        """
import threading
import numpy as np
import fastgmm

def check():
    smallest = np.float64(5e-324)
    assert smallest * np.float64(1.0) != 0.0
    assert np.float64(1e-310) / np.float64(10.0) != 0.0
    assert float("1e-310") / 10.0 != 0.0
    assert (np.full(100, 1e-310) / 10.0 > 0.0).all()
    assert (np.full(100, 1e-40, np.float32) * np.float32(0.5) > 0.0).all()

X = np.random.RandomState(0).normal(size=(5000, 2))
for dtype in ("float64", "float32"):
    gm = fastgmm.GaussianMixture(2, tol=0.1, random_state=0, n_threads=2, backend="c").fit(X.astype(dtype))
    gm.score(X.astype(dtype))
check()
errors = []
def check_in_thread():
    try:
        check()
    except AssertionError as error:
        errors.append(error)
thread = threading.Thread(target=check_in_thread)
thread.start()
thread.join()
assert not errors
"""
    )


@pytest.mark.parametrize("instruction_set", _kernels.INSTRUCTION_SETS)
def test_a_small_stack_is_enough(instruction_set):
    """128 KiB, as in threads of some servers and of musl."""
    run(
        """
import threading, warnings
import numpy as np
import fastgmm
from fastgmm.families import FOUR
warnings.simplefilter("ignore")
X = np.random.RandomState(0).normal(size=(3000, 64))
done = []

def work():
    for family in FOUR:
        for dtype in ("float64", "float32"):
            for d in (2, 64):
                data = X[:, :d].astype(dtype)
                gm = fastgmm.GaussianMixture(
                    3, covariance_type=family, max_iter=2, random_state=0, n_threads=2, backend="c"
                )
                gm.fit(data), gm.predict(data), gm.predict_proba(data), gm.score_samples(data[:1])
                done.append(family)

threading.stack_size(131072)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert len(done) == 16
""",
        FASTGMM_INSTRUCTION_SET=instruction_set,
    )


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("nm") is None, reason="needs nm")
def test_the_library_exports_nothing_but_its_start():
    command = ["nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", _kernels.__file__]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listing.splitlines()] == ["PyInit__kernels"]
