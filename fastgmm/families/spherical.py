"""Every component has one variance, the same in all directions."""

from typing import Any

import numpy as np

from fastgmm.families.coordinates import SINGLE_VARIANCES
from fastgmm.families.diag import inverse_deviations, variances_of_precisions
from fastgmm.families.factors import log_constants
from fastgmm.families.family import CovarianceFamily
from fastgmm.families.roots import positive_roots, variances_of_roots
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, PreparedSpherical


def _assemble(weights: FloatArray, means: FloatArray, inverse: FloatArray, dtype: Any) -> PreparedSpherical:
    n_features = means.shape[1]
    constants = log_constants(weights, n_features * np.log(inverse), n_features)
    means = np.array(means, np.float64, order="C")
    return PreparedSpherical(constants.astype(dtype), means, np.array(inverse**2, dtype, order="C"))


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """σ'² = (S/N − ‖δ‖²)/d, S the sum of squared distances; where values are missing Σⱼ(Sⱼ − Nⱼδⱼ²)/ΣⱼNⱼ."""
    if (of_features := moments.counts_of_features) is not None:
        total = of_features.sum(axis=1)
        scatter: FloatArray = moments.second - (of_features * shifts**2).sum(axis=1)
        return scatter / np.where(total > 0, total, 1.0)
    variances: FloatArray = (moments.second / counts - (shifts**2).sum(axis=1)) / shifts.shape[1]
    return variances


def _movement(before: PreparedSpherical, after: PreparedSpherical) -> tuple[FloatArray, FloatArray]:
    """s = σ/σ', δ = ‖μ' − μ‖/σ'; noise, whose 1/σ is 0, stays where it is."""
    old, new = np.sqrt(before.precisions, dtype=np.float64), np.sqrt(after.precisions, dtype=np.float64)
    shrink = np.divide(new, old, out=np.ones_like(new), where=old > 0)
    return shrink, new * np.sqrt(np.square(after.means - before.means).sum(axis=1))


SPHERICAL = CovarianceFamily(
    name="spherical",
    kernel="spherical",
    n_covariance_parameters=lambda n_components, n_features: n_components,
    assemble=_assemble,
    maximize=_maximize,
    regularize=lambda covariances, variances: np.add(covariances, variances.mean(), out=covariances),
    precisions_cholesky=inverse_deviations,
    upper_root=positive_roots,
    covariances_of_root=variances_of_roots,
    precisions=np.square,
    covariances_of_precisions=variances_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances[:, np.newaxis, np.newaxis] * np.eye(n_features),
    # Regularized by the mean of what other families add feature by feature.
    smallest_variances=lambda covariances, units: covariances / np.square(units).mean(),
    have_smaller_variances=lambda covariances, roots, units, limit: covariances / np.square(units).mean() <= limit,
    movement=_movement,
    coloring=lambda covariances, component: lambda normal: normal * np.sqrt(covariances[component]),
    coordinates=SINGLE_VARIANCES,
    is_closed_under_scaling=False,
)
