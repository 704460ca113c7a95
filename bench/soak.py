"""Whether anything stays behind: ``python -m bench.soak`` prints how resident memory grows over many small calls.

Calls that raise count as well. A share of the numbers, such as 0.1, may be given for a shorter run; Linux only.
"""

import contextlib
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from fastgmm.kernels import available_backends

N_FITS, N_SCORES = 20_000, 1_000_000
_PAGE = 4096
_SAMPLES = 50

_rng = np.random.default_rng(0)
X = _rng.standard_normal((60, 3)) + 6.0 * (np.arange(60) % 2)[:, np.newaxis]
NOT_FINITE = np.where(np.arange(180).reshape(60, 3) == 100, np.inf, X)


def _stop(step: object) -> None:
    raise RuntimeError("stop here")


def fits(backend: str) -> Callable[[int], None]:
    """A small fit of every family in turn."""
    estimators = [GaussianMixture(2, covariance_type=name, tol=0.1, random_state=0, backend=backend) for name in FOUR]
    return lambda number: estimators[number % len(estimators)].fit_predict(X)


def failing_fits(backend: str) -> Callable[[int], None]:
    """Data that are refused, an observer that raises, a component that is degenerate."""
    refused, stopped = GaussianMixture(2, backend=backend), GaussianMixture(2, backend=backend, callbacks=[_stop])
    degenerate = GaussianMixture(2, backend=backend, reg_covar=0.0)
    constant = np.zeros((60, 3))
    calls = (lambda: refused.fit(NOT_FINITE), lambda: stopped.fit(X), lambda: degenerate.fit(constant))
    return lambda number: calls[number % 3]()


def scores(backend: str) -> Callable[[int], None]:
    """One row at a time, by every method."""
    estimator = GaussianMixture(2, tol=0.1, random_state=0, backend=backend).fit(X)
    row = X[:1].copy()
    calls = estimator.predict, estimator.score_samples, estimator.predict_proba, estimator.score
    return lambda number: calls[number % 4](row)


def failing_scores(backend: str) -> Callable[[int], None]:
    """Rows with infinity, or of another width."""
    estimator = GaussianMixture(2, tol=0.1, random_state=0, backend=backend).fit(X)
    rows = NOT_FINITE[33:34].copy(), X[:1, :2].copy(), X[0]
    return lambda number: estimator.predict(rows[number % 3])


# Every kind of call with how many there are of it, and whether it raises.
KINDS = {
    fits: (N_FITS, False),
    failing_fits: (N_FITS, True),
    scores: (N_SCORES, False),
    failing_scores: (N_SCORES, True),
}


def repeat(call: Callable[[int], None], n_calls: int, raises: bool) -> None:
    """Call so often; a call that raises must do so each time."""
    for number in range(n_calls):
        with contextlib.suppress(ValueError, RuntimeError):
            call(number)
            assert not raises, "it did not raise"


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20


def growth(call: Callable[[int], None], n_calls: int, raises: bool) -> float:
    """Megabytes by which the resident memory grows over ``n_calls``: the slope of a line through samples."""
    repeat(call, n_calls // 10, raises)
    samples = []
    for _ in range(_SAMPLES):
        samples.append(_resident_megabytes())
        repeat(call, n_calls // _SAMPLES, raises)
    return float(np.polyfit(np.arange(_SAMPLES) / _SAMPLES, samples, 1)[0])


def main() -> None:
    """Print the growth for every backend and kind of call."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    warnings.simplefilter("ignore")
    for backend in ("c", "numba"):
        if available_backends()[backend] != "available":
            continue
        for kind, (n_calls, raises) in KINDS.items():
            began, n_calls = time.perf_counter(), int(share * n_calls)
            grown = growth(kind(backend), n_calls, raises)
            seconds = time.perf_counter() - began
            print(f"{backend} {kind.__name__}: {grown:+.2f} MB over {n_calls} calls ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
