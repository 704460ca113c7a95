"""Two hundred interruptions at random moments: the estimator stays as it was, and the process goes on working."""

import contextlib
import random
import signal
import threading
import time
import warnings
from itertools import cycle, product

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from tests.conftest import BACKENDS
from tests.kernels.c_arguments import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.skipif(
        not hasattr(signal, "pthread_kill") or threading.current_thread() is not threading.main_thread(),
        reason="needs signals for the main thread",
    ),
]

# NumPy's kernels are Python and take long.
COMPILED = [name for name in BACKENDS if name != "numpy"] or ["numpy"]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
N_INTERRUPTIONS = 200

rng = np.random.default_rng(0)
X = rng.normal(size=(8_000, 6)) + 3.0 * rng.normal(size=(4, 6))[rng.integers(4, size=8_000)]
CALLS = {
    "fit": lambda estimator: estimator.fit(X),
    "fit_predict": lambda estimator: estimator.fit_predict(X),
    "partial_fit": lambda estimator: estimator.partial_fit(X),
    "weighted fit": lambda estimator: estimator.fit(X, sample_weight=np.ones(len(X))),
    "predict_proba": lambda estimator: [estimator.predict_proba(X) for _ in range(5)],
    "score": lambda estimator: [estimator.score(X) for _ in range(5)],
    "sample": lambda estimator: estimator.sample(50_000),
}


class Interrupted(BaseException):
    pass


def interrupt(signal_number, frame):
    raise Interrupted


@pytest.fixture(autouse=True)
def _sigterm_raises():
    """As SIGINT does by itself, of which fits see to it that none is lost."""
    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


def mixture(family, backend):
    options = {"tol": 0.0, "max_iter": 4, "n_init": 2, "n_threads": 2, "random_state": 0}
    return GaussianMixture(4, covariance_type=family, backend=backend, **options)


def fitted_attributes(estimator):
    return {name: value for name, value in vars(estimator).items() if name.endswith("_") or name == "_scorer"}


def bits(estimator):
    return [getattr(estimator, name).tobytes() for name in ("weights_", "means_", "covariances_")]


def is_interrupted(call, estimator, seconds, number):
    """Whether a signal that comes after some seconds ends the call."""
    timer = threading.Timer(seconds, signal.pthread_kill, [threading.main_thread().ident, number])
    done = False
    with contextlib.suppress(Interrupted, KeyboardInterrupt):
        timer.start()
        call(estimator)
        done = True
        timer.join()
        time.sleep(0.001)  # the signal came too late, and is answered here at the latest
    return not done


def test_two_hundred_interruptions_leave_estimators_and_the_process_as_they_were():
    draw = random.Random(0).random
    fitted, expected, durations = {}, {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for family, backend in product(FOUR, COMPILED):
            fitted[family, backend] = mixture(family, backend).fit(X)
            expected[family, backend] = bits(fitted[family, backend])
            for name, call in CALLS.items():
                call(mixture(family, backend).fit(X[:100]))  # compiles
                began = time.perf_counter()
                call(fitted[family, backend])
                durations[family, backend, name] = time.perf_counter() - began
        n_interrupted, n_too_late, keys = 0, 0, cycle(durations)
        while n_interrupted < N_INTERRUPTIONS:
            family, backend, name = key = next(keys)
            estimator = fitted[family, backend]
            before = fitted_attributes(estimator)
            if not is_interrupted(CALLS[name], estimator, draw() * durations[key], SIGNALS[n_interrupted % 2]):
                durations[key] *= 0.8  # the machine may have been busier when it was measured
                continue
            n_interrupted += 1
            after = fitted_attributes(estimator)
            changed = {name for name in before.keys() | after.keys() if after.get(name) is not before.get(name)}
            assert not changed or changed >= {"weights_", "means_", "covariances_", "precisions_", "_scorer"}
            n_too_late += bool(changed)
        # Within microseconds of the end, when nothing is left but to return.
        assert n_too_late <= 2
        for (family, backend), estimator in fitted.items():
            assert bits(estimator.fit(X)) == expected[family, backend]
            assert bits(mixture(family, backend).fit(X)) == expected[family, backend]


WHILE_LOADING = """
import signal, threading, time, warnings
import numpy as np
import fastgmm

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(3000, 3))
main = threading.main_thread().ident

def fit(backend):
    options = dict(max_iter=3, tol=0.0, random_state=0, n_threads=1)
    return fastgmm.GaussianMixture(2, backend=backend, **options).fit(X)

def is_interrupted(seconds):
    timer = threading.Timer(seconds, signal.pthread_kill, [main, signal.SIGINT])
    done = False
    try:
        timer.start()
        fit("numba")
        done = True
        timer.join()
        time.sleep(0.001)
    except KeyboardInterrupt:
        pass
    return not done

seconds, n_interrupted = 0.05, 0
while is_interrupted(seconds):
    seconds, n_interrupted = 1.5 * seconds, n_interrupted + 1
assert n_interrupted > 0
assert np.allclose(fit("numba").means_, fit("numpy").means_, rtol=1e-9)
"""


@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
def test_a_process_interrupted_while_it_loads_and_compiles_kernels_can_do_so_afterwards():
    """Again and again, each time somewhat later, until a fit is done before its interruption."""
    run(WHILE_LOADING)


IN_A_HANDLER = """
import signal
import numpy as np
from fastgmm import GaussianMixture

X = np.random.default_rng(0).normal(size=(300, 2))
fits = []

def fit(*_):
    try:
        fits.append(GaussianMixture(2, backend="numba", n_threads=1, random_state=0).fit(X))
    except Exception as error:  # half of Numba is there
        fits.append(error)

signal.signal(signal.SIGALRM, fit)
signal.setitimer(signal.ITIMER_REAL, 0.1)
import numba
while not fits:
    pass
"""


@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
def test_a_handler_that_fits_while_numba_is_imported_comes_to_an_end():
    run(IN_A_HANDLER)
