"""Every allocation fails once: that is a ``MemoryError``, and nothing else has changed."""

import sys
import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from tests.conftest import BACKENDS
from tests.kernels.c_arguments import run

if sys.implementation.name != "cpython":
    pytest.skip("needs CPython's C interface", allow_module_level=True)

from tests.failing_memory import memory

X = np.random.default_rng(0).normal(size=(400, 3)) + 5.0 * (np.arange(400) % 2)[:, np.newaxis]
OTHERS = [name for name in BACKENDS if name not in (BACKENDS[0], "numpy")]


def mixture(**options):
    return GaussianMixture(3, **({"max_iter": 2, "tol": 0.0, "random_state": 0, "n_threads": 1} | options))


def run_out_of_memory(call, estimator):
    """Call once for each allocation of arrays that a call makes, which fails; returns their number."""
    with memory() as counting:
        call(estimator)
    before = dict(vars(estimator))
    for number in range(1, counting.n_allocations + 1):
        with pytest.raises(MemoryError), memory(refused=number):
            call(estimator)
        assert vars(estimator).keys() == before.keys()
        assert all(vars(estimator)[name] is before[name] for name in before)
    return counting.n_allocations


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        *({"covariance_type": family, "backend": BACKENDS[0]} for family in FOUR),
        *({"covariance_type": "full", "backend": name} for name in OTHERS),
        {"accelerate": "squarem", "max_iter": 4, "reg_covar": "relative", "init_params": "random_from_data"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_a_fit_that_runs_out_of_memory_anywhere_changes_nothing(options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = mixture(**options).fit(X)
        expected = estimator.covariances_.tobytes()
        assert run_out_of_memory(lambda each: each.fit(X), estimator) > 300
        assert estimator.fit(X).covariances_.tobytes() == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score"])
def test_a_score_that_runs_out_of_memory_anywhere_is_right_the_next_time(method, backend):
    estimator = mixture(tol=1e9, backend=backend).fit(X)
    expected = np.copy(getattr(estimator, method)(X))
    assert run_out_of_memory(lambda each: getattr(each, method)(X), estimator) > 0
    assert np.array_equal(getattr(estimator, method)(X), expected)


WITHOUT_SCRATCH = """
import sys
import _testcapi
from fastgmm.kernels.c import _kernels
from tests.kernels.c_arguments import log_density_arguments, sweep_arguments

def fails(kernel, arguments, number):
    try:
        _testcapi.set_nomemory(number, number + 1)
        kernel(*arguments)
    except MemoryError:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False

for kernel, arguments in ((_kernels.sweep, sweep_arguments()), (_kernels.log_density, log_density_arguments())):
    counts = [sys.getrefcount(each) for each in arguments]
    failures = [fails(kernel, arguments, number) for number in range(1, 50)]
    assert any(failures) and not all(failures)
    assert [sys.getrefcount(each) for each in arguments] == counts
    kernel(*arguments)
"""


@pytest.mark.skipif("c" not in BACKENDS, reason="needs the C backend")
def test_a_c_kernel_without_memory_for_its_scratch_says_so():
    pytest.importorskip("_testcapi")
    run(WITHOUT_SCRATCH)
