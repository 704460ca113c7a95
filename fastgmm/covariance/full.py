"""Every component has its own covariance matrix."""

from typing import Any

import numpy as np

from fastgmm.covariance.factors import inverse_cholesky, inverse_of_precision, log_constants, symmetric_from_lower
from fastgmm.covariance.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters, PreparedFull


def _prepare(parameters: Parameters, dtype: Any) -> PreparedFull:
    factors = np.stack([inverse_cholesky(matrix, k) for k, matrix in enumerate(parameters.covariances)])
    log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constants = log_constants(parameters.weights, log_determinants, parameters.n_features)
    return PreparedFull(constants.astype(dtype), np.array(parameters.means), factors.astype(dtype))


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """Σ' = S/N − δδᵀ, S given by its lower triangle."""
    scatter = symmetric_from_lower(moments.second) / counts[:, np.newaxis, np.newaxis]
    return scatter - shifts[:, :, np.newaxis] * shifts[:, np.newaxis, :]


def _regularize(covariances: FloatArray, variances: FloatArray) -> FloatArray:
    return covariances + np.diag(variances)


def _precisions_cholesky(covariances: FloatArray) -> FloatArray:
    return np.stack([inverse_cholesky(matrix, k).T for k, matrix in enumerate(covariances)])


def _covariances_of_precisions(precisions: FloatArray) -> FloatArray:
    return np.stack([inverse_of_precision(precision) for precision in precisions])


FULL = CovarianceFamily(
    name="full",
    covariance_shape=lambda n_components, n_features: (n_components, n_features, n_features),
    second_moment_shape=lambda n_components, n_features: (n_components, n_features, n_features),
    n_covariance_parameters=lambda n_components, n_features: n_components * n_features * (n_features + 1) // 2,
    prepare=_prepare,
    maximize=_maximize,
    regularize=_regularize,
    precisions_cholesky=_precisions_cholesky,
    covariances_of_precisions=_covariances_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances,
)
