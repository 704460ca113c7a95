"""Gaussian mixture regression beside ``predict_proba`` of what is given: ``python -m bench.lab.regression``.

1,000,000 rows of 4 features that are given, 4 that are not, and 16 components; the best of five rounds.

What it taught: regression takes twice the time of the probabilities on one thread, and less than four times on two,
since the rest, one matrix product for each piece of rows, stays on one. To take differences, to weigh them, to multiply
and to turn rows into columns and back cost about the same. Deviations need the mean of every component in every row.
"""

import time
from collections.abc import Callable

import numpy as np

from bench.problems import Problem, generate
from fastgmm import GaussianMixture

N_ROUNDS = 5
GIVEN = [0, 1, 2, 3]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    data, found = generate(Problem("full", 1_000_000, 8, 16))
    model = GaussianMixture.from_parameters(found.weights, found.means, found.covariances)
    rows, among = np.ascontiguousarray(data[:, GIVEN]), model.marginal(GIVEN)
    calls = {
        "predict_proba of the marginal": lambda: among.predict_proba(rows),
        "regress": lambda: model.regress(rows, GIVEN),
        "regress with return_std": lambda: model.regress(rows, GIVEN, return_std=True),
    }
    times = {name: min(seconds(call) for _ in range(N_ROUNDS)) for name, call in calls.items()}
    for name, best in times.items():
        print(f"{name:32} {1e3 * best:7.0f} ms, {best / times['predict_proba of the marginal']:.1f} times")


if __name__ == "__main__":
    main()
