"""An iteration of Baum and Welch beside hmmlearn's: ``python -m bench.chains`` prints seconds and ratios.

The standard job is 1,000 sequences of 1,000 rows with 8 features and 16 states. Both begin at the same parameters, and
the likelihoods that they find are compared as well. hmmlearn has two implementations: ``log`` adds logarithms,
``scaling`` multiplies, and fails where densities underflow. ``--families``, ``--backends``, ``--sequences``,
``--steps``, ``--states`` and ``--features`` choose another job, ``--processor`` compares processor time on one thread
each, for machines that others use meanwhile. hmmlearn is no dependency: without it only our own seconds are printed.
"""

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fastgmm import GaussianHMM
from fastgmm.parameters import FloatArray, IntArray

ROUNDS = 3


def problem(
    n_sequences: int, n_steps: int, n_features: int, n_states: int
) -> tuple[FloatArray, IntArray, dict[str, FloatArray]]:
    """Sequences of states that mostly stay, lengths, and a start near the truth."""
    rng = np.random.default_rng(0)
    transitions = 0.7 * np.eye(n_states) + 0.3 * rng.dirichlet(np.ones(n_states), n_states)
    limits, states = transitions.cumsum(axis=1), np.empty((n_sequences, n_steps), np.int64)
    states[:, 0] = rng.integers(n_states, size=n_sequences)
    for t in range(1, n_steps):
        below = limits[states[:, t - 1], :-1] < rng.random(n_sequences)[:, np.newaxis]
        states[:, t] = below.sum(axis=1)
    means = 2.0 * rng.normal(size=(n_states, n_features))
    X = means[states.ravel()] + rng.normal(size=(states.size, n_features))
    start = {
        "startprob_": np.full(n_states, 1 / n_states),
        "transmat_": np.full((n_states, n_states), 1 / n_states),
        "means_": means + 0.3 * rng.normal(size=means.shape),
    }
    return X, np.full(n_sequences, n_steps), start


def covariances(family: str, n_states: int, n_features: int) -> FloatArray:
    matrix = np.eye(n_features)
    return {
        "full": np.tile(matrix, (n_states, 1, 1)),
        "tied": matrix,
        "diag": np.ones((n_states, n_features)),
        "spherical": np.ones(n_states),
    }[family]


def begun(estimator: Any, start: dict[str, FloatArray], family: str) -> Any:
    for name, value in start.items():
        setattr(estimator, name, value)
    estimator.covars_ = covariances(family, *start["means_"].shape)
    return estimator


def best_of(fit: Callable[[], Any], clock: Callable[[], float], rounds: int) -> tuple[float, Any]:
    seconds, result = np.inf, None
    for _ in range(rounds):
        began = clock()
        result = fit()
        seconds = min(seconds, clock() - began)
    return seconds, result


def ours(job: Any, family: str, backend: str, options: argparse.Namespace, clock: Callable[[], float]) -> Any:
    """Seconds of one iteration, from fits of one and of six, and the log-likelihood of the start."""
    X, lengths, start = job

    def fit(n_iterations: int) -> GaussianHMM:
        how = {"init_params": "", "tol": 0, "reg_covar": 0, "backend": backend, "max_iter": n_iterations}
        hmm = GaussianHMM(options.states, family, n_threads=1 if options.processor else None, **how)
        return begun(hmm, start, family).fit(X, lengths)

    fit(1)
    one, _ = best_of(lambda: fit(1), clock, ROUNDS)
    six, hmm = best_of(lambda: fit(6), clock, ROUNDS)
    return (six - one) / 5, one, hmm.monitor_.history[0]


def theirs(job: Any, family: str, implementation: str, clock: Callable[[], float]) -> tuple[float, float]:
    """The same of hmmlearn: a fit of one iteration, of which little else is a part."""
    from hmmlearn.hmm import GaussianHMM as Hmmlearn

    X, lengths, start = job
    weight = 0 if family in ("full", "tied") else 1
    options = {"init_params": "", "covars_prior": 0, "covars_weight": weight, "min_covar": 0, "n_iter": 1, "tol": 0}

    def fit() -> Any:
        hmm = Hmmlearn(len(start["means_"]), family, implementation=implementation, **options)
        return begun(hmm, start, family).fit(X, lengths)

    seconds, hmm = best_of(fit, clock, ROUNDS if implementation == "scaling" else 1)
    return seconds, hmm.monitor_.history[0]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=["diag", "full"])
    parser.add_argument("--backends", nargs="+", default=["c", "numba"])
    for name, default in (("sequences", 1000), ("steps", 1000), ("features", 8), ("states", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--processor", action="store_true")
    options = parser.parse_args(arguments)
    clock = time.process_time if options.processor else time.perf_counter
    job = problem(options.sequences, options.steps, options.features, options.states)
    warnings.simplefilter("ignore")  # one iteration is no convergence
    # With more threads for its small products hmmlearn is slower.
    with threadpool_limits(1):
        for family in options.families:
            rivals = {}
            if importlib.util.find_spec("hmmlearn") is not None:
                for implementation in ("scaling", "log"):
                    rivals[implementation] = theirs(job, family, implementation, clock)
                    print(f"{family:10}hmmlearn {implementation:8}{rivals[implementation][0]:8.3f} s")
            for backend in options.backends:
                seconds, whole, likelihood = ours(job, family, backend, options, clock)
                print(f"{family:10}fastgmm  {backend:8}{seconds:8.3f} s, a fit of one iteration {whole:.3f} s", end="")
                for name, (other, found) in rivals.items():
                    print(
                        f"; {other / seconds:.1f} x {name}, likelihoods differ by {abs(likelihood / found - 1):.0e}",
                        end="",
                    )
                print(flush=True)


if __name__ == "__main__":
    main()
