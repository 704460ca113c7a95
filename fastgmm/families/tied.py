"""All components share one covariance matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgmm.families.coordinates import MATRICES
from fastgmm.families.factors import (
    add_to_diagonals,
    coloring,
    have_smaller_eigenvalues,
    inverse_cholesky,
    inverses_of_precisions,
    log_constants,
    movement_of_factors,
    smallest_eigenvalues,
    times_transpose,
)
from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.families.roots import covariances_of_upper_roots, upper_roots
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, PreparedTied


def _assemble(weights: FloatArray, means: FloatArray, precision_cholesky: FloatArray, dtype: Any) -> PreparedTied:
    """Always for float64 arithmetic, whatever the data's dtype.

    The covariance is a difference, the scatter of all rows less that of the means, which leaves nothing of float32
    where components are far apart.
    """
    log_determinant = np.log(np.diagonal(precision_cholesky)).sum()
    constants = log_constants(weights, log_determinant, means.shape[1])
    # A pivot amid the means keeps the whitened numbers as small as the distances that matter.
    pivot = means[0] + weights @ (means - means[0])
    return PreparedTied(
        constants,
        np.array(means, np.float64, order="C"),
        np.ascontiguousarray(precision_cholesky.T, np.float64),
        pivot,
        (means - pivot) @ precision_cholesky,
    )


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """Σ' = (S − Σₖ Nₖδₖδₖᵀ) / Σw, S summed over the components."""
    covariance: FloatArray = moments.second - (shifts.T * moments.counts) @ shifts
    covariance /= moments.total_weight
    symmetric: FloatArray = covariance + covariance.T
    symmetric *= 0.5
    return symmetric


def second_about_means(scatter: Moments, center: FloatArray, sweep: Moments, means: FloatArray) -> FloatArray:
    """Σₖ Σ wr(x − μₖ)(x − μₖ)ᵀ from the scatter T of all rows about one center c.

    With aₖ = μₖ − c and responsibilities that sum to 1:
    Σₖ Σ wr(x − μₖ)(x − μₖ)ᵀ = T − Σₖ (sₖaₖᵀ + aₖsₖᵀ + Nₖaₖaₖᵀ)
    """
    with np.errstate(over="ignore", invalid="ignore"):  # absurd rows end in a covariance that is refused
        offsets = means - center
        cross = sweep.first.T @ offsets
        result: FloatArray = scatter.second[0] - cross
        result -= cross.T
        result -= (offsets.T * sweep.counts) @ offsets
    return result


def _shared(function: Callable[[FloatArray], FloatArray], matrix: FloatArray) -> FloatArray:
    """``function`` of matrices, of the one that all components share."""
    try:
        return np.asarray(function(matrix[np.newaxis])[0], np.float64)
    except NotPositiveDefiniteError:
        raise NotPositiveDefiniteError(-1) from None


def _movement(before: PreparedTied, after: PreparedTied) -> tuple[FloatArray, FloatArray]:
    factors = before.inverse_cholesky[np.newaxis], after.inverse_cholesky[np.newaxis]
    return movement_of_factors(*factors, after.means - before.means)


TIED = CovarianceFamily(
    name="tied",
    kernel="tied",
    n_covariance_parameters=lambda n_components, n_features: n_features * (n_features + 1) // 2,
    assemble=_assemble,
    maximize=_maximize,
    regularize=add_to_diagonals,
    precisions_cholesky=lambda covariance: _shared(inverse_cholesky, covariance).T,
    upper_root=lambda root: upper_roots(root[np.newaxis])[0],
    covariances_of_root=covariances_of_upper_roots,
    precisions=times_transpose,
    covariances_of_precisions=lambda precision: _shared(inverses_of_precisions, precision),
    matrices=lambda covariance, n_components, n_features: np.broadcast_to(
        covariance, (n_components, n_features, n_features)
    ),
    smallest_variances=lambda covariance, units: smallest_eigenvalues(covariance[np.newaxis], units),
    have_smaller_variances=lambda covariance, root, *how: have_smaller_eigenvalues(
        covariance[np.newaxis], None if root is None else root[np.newaxis], *how
    ),
    movement=_movement,
    coloring=lambda covariance, component: coloring(covariance),
    coordinates=MATRICES,
)
