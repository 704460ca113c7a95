"""Information criteria: what a likelihood is worth, given how many numbers were free to reach it."""

import math

from fastgmm.covariance import FAMILIES


def free_parameters(covariance_type: str, n_components: int, n_features: int) -> int:
    """Weights that sum to 1, means, and covariances."""
    n_covariance_parameters = FAMILIES[covariance_type].n_covariance_parameters(n_components, n_features)
    return int(n_components * (1 + n_features) - 1 + n_covariance_parameters)


def bic(score: float, n_rows: int, n_parameters: int) -> float:
    """−2·log-likelihood + log n · free parameters; ``score`` is the mean log-likelihood of a row."""
    return -2.0 * score * n_rows + n_parameters * math.log(n_rows)


def aic(score: float, n_rows: int, n_parameters: int) -> float:
    """−2·log-likelihood + 2 · free parameters; ``score`` is the mean log-likelihood of a row."""
    return -2.0 * score * n_rows + 2.0 * n_parameters
