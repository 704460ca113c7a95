"""How soon a fit answers a signal: ``python -m bench.interruption`` prints the longest delay at each shape."""

import signal
import time
from types import FrameType

import numpy as np

from bench.problems import Problem, generate
from fastgmm import GaussianMixture

SHAPES = (
    Problem("full", 1_000_000, 2, 10),
    Problem("full", 400_000, 32, 64),
    Problem("full", 50_000, 128, 64),
    Problem("diag", 400_000, 32, 64),
    Problem("tied", 400_000, 32, 64),
    Problem("spherical", 400_000, 32, 64),
)
INTERRUPTIONS = 10


def delay(estimator: GaussianMixture, data: np.ndarray, seconds: float) -> float:
    """Seconds from a timer's signal to the interpreter's answer."""
    answered = 0.0

    def handler(signum: int, frame: FrameType | None) -> None:
        nonlocal answered
        answered = time.perf_counter()
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, handler)
    due = time.perf_counter() + seconds
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        estimator.fit(data)
    except KeyboardInterrupt:
        return answered - due
    raise RuntimeError("the fit ended before it was interrupted")


def main() -> None:
    for problem in SHAPES:
        data, _ = generate(problem)
        estimator = GaussianMixture(
            problem.n_components, covariance_type=problem.covariance_type, tol=0.0, max_iter=10**6, random_state=0
        )
        delays = [delay(estimator, data, 0.5 + 0.13 * attempt) for attempt in range(INTERRUPTIONS)]
        print(f"{problem.name}: longest of {INTERRUPTIONS} delays {1e3 * max(delays):.0f} ms")


main()
