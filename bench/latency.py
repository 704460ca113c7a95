"""One row at a time, as a service scores: ``python -m bench.latency``. Every call goes through the public class."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn

from bench.problems import Problem, generate
from fastgmm import GaussianMixture

METHODS = ("score_samples", "predict", "predict_proba")
CALLS = 100_000
RIVAL_CALLS = 2_000
THREADS = 8


def durations(method: Callable[[Any], Any], row: Any, calls: int) -> np.ndarray:
    """Microseconds of every call, the first ones left out."""
    clock = time.perf_counter
    seconds = np.empty(calls)
    for _ in range(calls // 10):
        method(row)
    for i in range(calls):
        began = clock()
        method(row)
        seconds[i] = clock() - began
    return 1e6 * seconds


def percentiles(microseconds: np.ndarray) -> str:
    median, slow, slower = np.percentile(microseconds, [50, 99, 99.9])
    return f"p50 {median:.1f} μs, p99 {slow:.1f} μs, p99.9 {slower:.0f} μs"


def among_threads(model: Any, row: Any) -> np.ndarray:
    """Threads that score one model at the same time, beside one that never stops computing in Python."""
    stop, found = threading.Event(), {}

    def compute() -> None:
        while not stop.is_set():
            sum(range(100))

    def score(number: int) -> None:
        found[number] = durations(getattr(model, METHODS[number % len(METHODS)]), row, CALLS // THREADS)

    busy = threading.Thread(target=compute)
    busy.start()
    threads = [threading.Thread(target=score, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    busy.join()
    return np.concatenate(list(found.values()))


def main() -> None:
    problem = Problem("full", 20_000, 8, 8)
    data, _ = generate(problem)
    row = data[:1].copy()
    print("One row of 8 features, full covariances, K = 8")
    for name, factory, calls in (
        ("fastgmm", GaussianMixture, CALLS),
        ("scikit-learn", ScikitLearn, RIVAL_CALLS),
    ):
        model = factory(problem.n_components, random_state=0, tol=0.01).fit(data)
        for method in METHODS:
            print(f"{name} {method}: {percentiles(durations(getattr(model, method), row, calls))}")
        if name == "fastgmm":
            print(f"{name}, {THREADS} threads and a busy one: {percentiles(among_threads(model, row))}")


if __name__ == "__main__":
    main()
