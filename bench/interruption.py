"""How soon a signal is answered: ``python -m bench.interruption`` prints the longest wait of every call.

Another process sends SIGTERM every few milliseconds, so the longest time between two runs of its handler is the longest
stretch in which no signal of any kind would have been answered, be it at the worst of moments. Other work on the
machine adds to it.
"""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

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
    # Many rows, many features, many components.
    Problem("full", 20_000_000, 2, 1),
    Problem("tied", 4000, 1000, 1),
    Problem("full", 20_000, 300, 10),
    Problem("diag", 400_000, 8, 2000),
    Problem("spherical", 30_000, 500, 200),
    # Many large covariances: 80 and 256 MB.
    Problem("full", 20_000, 500, 40),
    Problem("full", 4000, 2000, 8),
)
_INTERVAL = 0.004
_SENDER = f"""
import os, signal, time
parent = {{}}
while os.getppid() == parent:
    os.kill(parent, signal.SIGTERM)
    time.sleep({_INTERVAL})
"""


def longest_wait(call: Callable[[], Any]) -> float:
    """Seconds between two answers to signals, at most, while the call runs."""
    longest, last = 0.0, time.perf_counter()

    def answer(signum: int = 0, frame: FrameType | None = None) -> None:
        nonlocal longest, last
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

    before = signal.signal(signal.SIGTERM, answer)
    sender = subprocess.Popen([sys.executable, "-c", _SENDER.format(os.getpid())])
    try:
        time.sleep(0.5)  # until it sends
        longest, last = 0.0, time.perf_counter()
        call()
        answer()
    finally:
        sender.kill()
        sender.wait()
        time.sleep(0.01)
        signal.signal(signal.SIGTERM, before)
    return max(0.0, longest - _INTERVAL)


def calls(problem: Problem) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What may take long, by name."""
    data, _ = generate(problem)
    options = {"covariance_type": problem.covariance_type, "tol": 0.0, "max_iter": 4, "random_state": 0}
    estimator = GaussianMixture(problem.n_components, **options)
    weights = np.ones(len(data))
    few = data[: 50_000_000 // problem.n_components]
    yield "accelerated fit", lambda: GaussianMixture(problem.n_components, accelerate="squarem", **options).fit(data)
    yield "fit", lambda: estimator.fit(data)
    names = ("weights_", "means_", "covariances_")
    parameters = [getattr(estimator, name) for name in names]
    yield "from_parameters", lambda: GaussianMixture.from_parameters(*parameters, problem.covariance_type)
    yield "predict", lambda: estimator.predict(data)
    yield "predict_proba", lambda: estimator.predict_proba(few)
    turned = np.asfortranarray(few)
    yield "score_samples", lambda: estimator.score_samples(turned)
    yield "weighted score", lambda: estimator.score(data, sample_weight=weights)
    yield "sample", lambda: estimator.sample(len(few))


def main() -> None:
    """Print the longest waits, a line for every shape."""
    warnings.simplefilter("ignore")
    for problem in SHAPES:
        waits = [f"{name} {1e3 * longest_wait(call):.0f}" for name, call in calls(problem)]
        print(f"{problem.name}: {', '.join(waits)} ms", flush=True)


if __name__ == "__main__":
    main()
