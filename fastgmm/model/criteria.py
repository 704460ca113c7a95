"""The mean log-density, and information criteria: what it is worth, given how many numbers were free to reach it."""

import math

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, FloatArray


def mean(log_density: Array, weights: FloatArray | None) -> float:
    """The (weighted) mean; a row of weight 0 is the row removed, whatever its density."""
    total = total_weight = 0.0
    for part in pieces(len(log_density), log_density.itemsize):
        some = log_density[part].astype(np.float64, copy=False)
        if weights is not None:
            counted = weights[part] > 0
            some = some[counted] * weights[part][counted]
            total_weight += float(weights[part].sum())
        total += float(some.sum())
    return total / (len(log_density) if weights is None else total_weight)


def number_of_rows(n_rows: int, weights: FloatArray | None) -> float:
    """The n of the criteria: the sum of the weights where there are any, since a whole weight is the row repeated."""
    if weights is None:
        return n_rows
    with np.errstate(over="ignore"):
        return sum(float(weights[part].sum()) for part in pieces(n_rows, weights.itemsize))


def free_parameters(covariance_type: str, n_components: int, n_features: int) -> int:
    """Weights that sum to 1, means, and covariances."""
    n_covariance_parameters = FAMILIES[covariance_type].n_covariance_parameters(n_components, n_features)
    return int(n_components * (1 + n_features) - 1 + n_covariance_parameters)


def bic(score: float, n_rows: float, n_parameters: int) -> float:
    """−2·log-likelihood + log n · free parameters; ``score`` is the mean log-likelihood of a row."""
    return _deviance(score, n_rows) + n_parameters * math.log(n_rows)


def aic(score: float, n_rows: float, n_parameters: int) -> float:
    """−2·log-likelihood + 2 · free parameters; ``score`` is the mean log-likelihood of a row."""
    return _deviance(score, n_rows) + 2.0 * n_parameters


def icl(bic: float, log_certainty: float) -> float:
    """BIC − 2 Σ log maxₖ zₖ, as R's mclust has it; ``log_certainty`` is that sum over rows."""
    return bic - 2.0 * log_certainty


def _deviance(score: float, n_rows: float) -> float:
    """−2·log-likelihood."""
    if math.isinf(n_rows):
        raise ValueError("The values of sample_weight, whose sum is the number of rows, add up to infinity.")
    return -2.0 * score * n_rows
