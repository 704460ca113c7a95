"""Triangular factors shared by the families with covariance matrices, and the log-constant of all."""

import math

import numpy as np
from scipy.linalg import lapack

from fastgmm.covariance.family import NotPositiveDefiniteError
from fastgmm.parameters import FloatArray


def inverse_cholesky(covariance: FloatArray, component: int) -> FloatArray:
    """L⁻¹, lower triangular, of Σ = LLᵀ.

    Raises ``NotPositiveDefiniteError`` also where a pivot is nothing but rounding error, since the factor would be too.
    """
    n_features = covariance.shape[0]
    factor, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if failed or not np.isfinite(factor).all():
        raise NotPositiveDefiniteError(component)
    pivots = np.diagonal(factor) ** 2
    if (pivots <= n_features * np.finfo(np.float64).eps * np.diagonal(covariance)).any():
        raise NotPositiveDefiniteError(component)
    inverse, failed = lapack.dtrtri(factor, lower=1)
    if failed or not np.isfinite(inverse).all():
        raise NotPositiveDefiniteError(component)
    return np.ascontiguousarray(inverse)


def log_constants(weights: FloatArray, log_determinants: FloatArray, n_features: int) -> FloatArray:
    """cₖ = log wₖ + log det L⁻¹ₖ − (d/2) log 2π; −inf for a weight of zero."""
    with np.errstate(divide="ignore"):
        result: FloatArray = np.log(weights) + log_determinants - 0.5 * n_features * math.log(2 * math.pi)
    return result


def symmetric_from_lower(matrices: FloatArray) -> FloatArray:
    """Both triangles of matrices (..., d, d) of which only the lower one is filled."""
    lower = np.tril(matrices, -1)
    return np.tril(matrices) + np.swapaxes(lower, -1, -2)


def precision_of_upper(factor: FloatArray) -> FloatArray:
    """UUᵀ."""
    product: FloatArray = factor @ np.swapaxes(factor, -1, -2)
    return product


def inverse_of_precision(precision: FloatArray) -> FloatArray:
    """Σ of Σ⁻¹ = MMᵀ (Cholesky): Σ = M⁻ᵀM⁻¹, symmetric by construction."""
    inverse, _ = lapack.dtrtri(np.linalg.cholesky(precision), lower=1)
    covariance: FloatArray = inverse.T @ inverse
    return covariance
