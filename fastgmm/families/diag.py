"""Every component has its own variance of each feature, and no correlations."""

from typing import Any

import numpy as np

from fastgmm.families.coordinates import VARIANCES
from fastgmm.families.factors import log_constants
from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.families.roots import positive_roots, variances_of_roots
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, PreparedDiag

_SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)


def inverse_deviations(variances: FloatArray) -> FloatArray:
    """1/σ for variances (K,) or (K, d); all must be finite, and normal numbers lest 1/σ² overflow."""
    sound = (variances >= _SMALLEST_NORMAL) & (variances < np.inf)
    if not sound.all():
        raise NotPositiveDefiniteError(int(np.argwhere(~sound)[0, 0]))
    inverse: FloatArray = 1.0 / np.sqrt(variances)
    return inverse


def variances_of_precisions(precisions: FloatArray) -> FloatArray:
    """σ² of 1/σ², which is held to the same rule."""
    inverse_deviations(precisions)
    return 1.0 / precisions


def _assemble(weights: FloatArray, means: FloatArray, inverse: FloatArray, dtype: Any) -> PreparedDiag:
    constants = log_constants(weights, np.log(inverse).sum(axis=1), means.shape[1])
    means = np.array(means, np.float64, order="C")
    return PreparedDiag(constants.astype(dtype), means, np.array(inverse, dtype, order="C"))


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """σ'² = S/N − δ², where values are missing with the N of the feature."""
    divisors = counts[:, np.newaxis]
    if (of_features := moments.counts_of_features) is not None:
        divisors = np.where(of_features > 0, of_features, 1.0)
    variances: FloatArray = moments.second / divisors - shifts**2
    return variances


def _movement(before: PreparedDiag, after: PreparedDiag) -> tuple[FloatArray, FloatArray]:
    """s = minⱼ σⱼ/σ'ⱼ, δ = ‖(μ' − μ)/σ'‖; noise, whose 1/σ is 0, stays where it is."""
    old, new = before.inverse_deviations.astype(np.float64), after.inverse_deviations.astype(np.float64)
    shrink = np.divide(new, old, out=np.ones_like(new), where=old > 0).min(axis=1)
    return shrink, np.sqrt(np.square(new * (after.means - before.means)).sum(axis=1))


DIAG = CovarianceFamily(
    name="diag",
    kernel="diag",
    n_covariance_parameters=lambda n_components, n_features: n_components * n_features,
    assemble=_assemble,
    maximize=_maximize,
    regularize=lambda covariances, variances: np.add(covariances, variances, out=covariances),
    precisions_cholesky=inverse_deviations,
    upper_root=positive_roots,
    covariances_of_root=variances_of_roots,
    precisions=np.square,
    covariances_of_precisions=variances_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances[:, :, np.newaxis] * np.eye(n_features),
    smallest_variances=lambda covariances, units: (covariances / units**2).min(axis=1),
    have_smaller_variances=lambda covariances, roots, units, limit: (covariances / units**2).min(axis=1) <= limit,
    movement=_movement,
    coloring=lambda covariances, component: lambda normal: normal * np.sqrt(covariances[component]),
    coordinates=VARIANCES,
)
