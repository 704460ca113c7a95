"""Everyone from the same start, for the same number of iterations; a time counts only where the likelihoods agree."""

import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgmm
from fastgmm.covariance import FAMILIES
from fastgmm.parameters import Parameters

Factory = Callable[..., Any]


def scikit_learn() -> Factory:
    from sklearn.mixture import GaussianMixture

    return GaussianMixture


def ours(backend: str) -> Factory:
    return functools.partial(fastgmm.GaussianMixture, backend=backend)


def seconds_per_iteration(
    factory: Factory, data: Any, start: Parameters, few: int, many: int, rounds: int
) -> tuple[float, float]:
    """The difference of two fits with different numbers of iterations, per iteration; and the last bound.

    What a fit costs besides iterations cancels out.
    """
    precisions = FAMILIES[start.covariance_type].precisions
    factors = FAMILIES[start.covariance_type].precisions_cholesky(start.covariances)

    def fit(iterations: int) -> tuple[float, float]:
        estimator = factory(
            start.n_components,
            covariance_type=start.covariance_type,
            tol=0.0,
            max_iter=iterations,
            weights_init=start.weights,
            means_init=start.means,
            precisions_init=precisions(factors),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = time.perf_counter()
            estimator.fit(data)
            return time.perf_counter() - began, float(estimator.lower_bound_)

    fit(1)
    pairs = [(fit(few), fit(many)) for _ in range(rounds)]
    shortest_few = min(pair[0][0] for pair in pairs)
    shortest_many = min(pair[1][0] for pair in pairs)
    return (shortest_many - shortest_few) / (many - few), pairs[0][1][1]


def agree(bound: float, other: float) -> bool:
    return bool(np.isclose(bound, other, rtol=1e-9, atol=0.0))
