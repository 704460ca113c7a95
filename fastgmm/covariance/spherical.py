"""Every component has one variance, the same in all directions."""

from typing import Any

import numpy as np

from fastgmm.covariance.diag import inverse_deviations
from fastgmm.covariance.factors import log_constants
from fastgmm.covariance.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters, PreparedSpherical


def _prepare(parameters: Parameters, dtype: Any) -> PreparedSpherical:
    inverse = inverse_deviations(parameters.covariances)
    constants = log_constants(parameters.weights, parameters.n_features * np.log(inverse), parameters.n_features)
    return PreparedSpherical(constants.astype(dtype), np.array(parameters.means), (inverse**2).astype(dtype))


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """σ'² = (S/N − ‖δ‖²)/d, S the sum of squared distances."""
    variances: FloatArray = (moments.second / counts - (shifts**2).sum(axis=1)) / shifts.shape[1]
    return variances


def _matrices(covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
    matrices: FloatArray = covariances[:, np.newaxis, np.newaxis] * np.eye(n_features)
    return matrices


SPHERICAL = CovarianceFamily(
    name="spherical",
    covariance_shape=lambda n_components, n_features: (n_components,),
    second_moment_shape=lambda n_components, n_features: (n_components,),
    n_covariance_parameters=lambda n_components, n_features: n_components,
    prepare=_prepare,
    maximize=_maximize,
    regularize=lambda covariances, variances: covariances + variances.mean(),
    precisions_cholesky=inverse_deviations,
    covariances_of_precisions=lambda precisions: 1.0 / precisions,
    matrices=_matrices,
)
