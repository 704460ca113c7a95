"""Whole calls beside scikit-learn's: the default fit, ``predict``, and the memory a fit needs."""

import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.agreement import mean_log_likelihood
from bench.problems import Problem, generate
from bench.yardstick import best_seconds
from fastgmm import GaussianMixture
from fastgmm.parameters import Array, Parameters

WHOLE = Problem("full", 1_000_000, 8, 16, separation="clustered")
MEMORY = Problem("full", 4_000_000, 10, 20)
# The likelihood is compared on a tenth of the rows, which leaves time for so many starts.
SEEDS = 8
# A whole fit is worth as much when its mean log-likelihood is not lower by more than the tolerance EM stops at.
LIKELIHOOD_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Fitted:
    """The time and iterations of one default fit, and the likelihood that default fits reach."""

    seconds: float
    iterations: int
    log_likelihood: float


def default_fit(factory: Any, data: Array, n_components: int, seed: int = 0) -> tuple[float, Any]:
    """A fit with nothing but the number of components and a seed: seconds, and the fitted estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 100 iterations were not enough
        began = time.perf_counter()
        estimator = factory(n_components, random_state=seed).fit(data)
        return time.perf_counter() - began, estimator


def reached(factory: Any, data: Array, n_components: int) -> float:
    """The mean log-likelihood of fits from several seeds: one start may be lucky, whoever makes it."""
    found = []
    for seed in range(SEEDS):
        _, estimator = default_fit(factory, data, n_components, seed)
        parameters = Parameters("full", estimator.weights_, estimator.means_, estimator.covariances_)
        found.append(mean_log_likelihood(parameters, data, len(data)))
    return float(np.mean(found))


def is_as_good(ours: Fitted, theirs: Fitted) -> bool:
    """Whether our likelihood is no worse: only then do the times compare."""
    return ours.log_likelihood >= theirs.log_likelihood - LIKELIHOOD_TOLERANCE


def whole_fits(problem: Problem = WHOLE, rounds: int = 2) -> dict[str, Fitted]:
    """fastgmm beside scikit-learn, each with its own default start."""
    from sklearn.mixture import GaussianMixture as ScikitLearn

    data, _ = generate(problem)
    some = data[: len(data) // 10]
    results = {}
    for name, factory, n_rounds in (("fastgmm", GaussianMixture, rounds + 1), ("scikit-learn", ScikitLearn, 1)):
        timed = [default_fit(factory, data, problem.n_components) for _ in range(n_rounds)]
        iterations = int(timed[0][1].n_iter_)
        likelihood = reached(factory, some, problem.n_components)
        results[name] = Fitted(min(seconds for seconds, _ in timed), iterations, likelihood)
    return results


def predictions(problem: Problem = WHOLE) -> dict[str, float]:
    """Seconds of ``predict`` on all rows, of one model; the labels must be the same."""
    data, start = generate(problem)
    model = GaussianMixture.from_parameters(start.weights, start.means, start.covariances)
    rival = model.to_sklearn()
    differing = np.count_nonzero(model.predict(data) != rival.predict(data))
    # Where two components are equally probable but for rounding, either answer is right.
    if differing > 1e-6 * len(data):
        raise RuntimeError(f"predict: {differing} labels differ from scikit-learn's")
    return {
        "fastgmm": best_seconds(lambda: model.predict(data)),
        "scikit-learn": best_seconds(lambda: rival.predict(data), rounds=2),
    }


FIT_AND_MEASURE = """
import resource, warnings
import numpy as np
from fastgmm import GaussianMixture

warnings.simplefilter("ignore")
n_rows, n_features, n_components = {shape}
rng = np.random.default_rng(0)
small = rng.standard_normal((20_000, n_features))
GaussianMixture(n_components, max_iter=2, random_state=0).fit(small)
data = np.empty((n_rows, n_features))
for begin in range(0, n_rows, 20_000):
    data[begin : begin + 20_000] = small + rng.integers(n_components)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
GaussianMixture(n_components, max_iter=3, random_state=0).fit(data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak_bytes_above_the_data(problem: Problem = MEMORY) -> int:
    """How far a fit's peak is above that of the process which holds the data and has made a small fit before."""
    if not sys.platform.startswith("linux"):
        raise RuntimeError("peak memory is measured on Linux only: ru_maxrss has other units elsewhere")
    shape = (problem.n_rows, problem.n_features, problem.n_components)
    command = [sys.executable, "-c", FIT_AND_MEASURE.format(shape=shape)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1024 * int(finished.stdout)
