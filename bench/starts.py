"""What the default start costs, in iterations of EM: ``python -m bench.starts``."""

import time
import warnings

import numpy as np

from bench.problems import FULL, Problem, generate
from fastgmm import GaussianMixture

SMALL = (Problem("full", 10_000, 4, 3), Problem("full", 50_000, 8, 16))


def cost(problem: Problem, rounds: int) -> tuple[float, float]:
    """Seconds of the start and of one iteration, the shortest of several rounds each."""
    data, _ = generate(problem)
    starts, iterations = [], []
    for seed in range(rounds):
        estimator = GaussianMixture(problem.n_components, tol=0.0, max_iter=5, random_state=seed)
        began = time.perf_counter()
        estimator.fit(data)
        seconds = time.perf_counter() - began
        durations = [step.seconds for step in estimator.history_]
        # Validation counts as part of the start; it reads the data once.
        starts.append(seconds - sum(durations))
        iterations.extend(durations)
    return float(np.median(starts)), min(iterations)


def main() -> None:
    warnings.simplefilter("ignore")
    for problem in (*SMALL, *FULL):
        start, iteration = cost(problem, rounds=5)
        print(
            f"{problem.name}: start {1e3 * start:.1f} ms, iteration {1e3 * iteration:.1f} ms, "
            f"ratio {start / iteration:.1f}"
        )


main()
