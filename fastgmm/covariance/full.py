"""Every component has its own covariance matrix."""

from typing import Any

import numpy as np

from fastgmm.covariance.coordinates import MATRICES
from fastgmm.covariance.factors import (
    have_smaller_eigenvalues,
    inverse_cholesky,
    inverse_of_precision,
    log_constants,
    movement_of_factors,
    precision_of_upper,
    smallest_eigenvalues,
    symmetric_from_lower,
)
from fastgmm.covariance.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, PreparedFull


def _assemble(weights: FloatArray, means: FloatArray, precisions_cholesky: FloatArray, dtype: Any) -> PreparedFull:
    log_determinants = np.log(np.diagonal(precisions_cholesky, axis1=1, axis2=2)).sum(axis=1)
    constants = log_constants(weights, log_determinants, means.shape[1])
    factors = np.array(np.swapaxes(precisions_cholesky, 1, 2), dtype, order="C")
    return PreparedFull(constants.astype(dtype), np.array(means, np.float64, order="C"), factors)


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


def _movement(before: PreparedFull, after: PreparedFull) -> tuple[FloatArray, FloatArray]:
    return movement_of_factors(before.inverse_cholesky, after.inverse_cholesky, before.means, after.means)


FULL = CovarianceFamily(
    name="full",
    covariance_shape=lambda n_components, n_features: (n_components, n_features, n_features),
    second_moment_shape=lambda n_components, n_features: (n_components, n_features, n_features),
    n_covariance_parameters=lambda n_components, n_features: n_components * n_features * (n_features + 1) // 2,
    assemble=_assemble,
    maximize=_maximize,
    regularize=_regularize,
    second_moments=lambda weighted, differences: weighted.T @ differences,
    precisions_cholesky=_precisions_cholesky,
    precisions=precision_of_upper,
    covariances_of_precisions=_covariances_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances,
    smallest_variances=smallest_eigenvalues,
    have_smaller_variances=have_smaller_eigenvalues,
    movement=_movement,
    color=lambda covariances, component, normal: normal @ np.linalg.cholesky(covariances[component]).T,
    coordinates=MATRICES,
    requirement="symmetric, positive-definite",
)
