"""Estimators with scikit-learn's interface, fastgmm's included: one way to run them from given parameters."""

import warnings
from collections.abc import Callable
from typing import Any

from fastgmm.families import FAMILIES
from fastgmm.parameters import Array, Parameters


def run_estimator(make: Callable[..., Any], data: Array, start: Parameters, iterations: int) -> Parameters:
    """Fit from ``start`` for so many iterations, without regularization; the worker's environment limits BLAS."""
    family = FAMILIES[start.covariance_type]
    estimator = make(
        start.n_components,
        covariance_type=start.covariance_type,
        tol=0.0,
        reg_covar=0.0,
        max_iter=iterations,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=family.precisions(family.precisions_cholesky(start.covariances)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge
        estimator.fit(data)
    return Parameters(start.covariance_type, estimator.weights_, estimator.means_, estimator.covariances_)
