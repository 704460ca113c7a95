"""Every component has its own covariance matrix.

Many large ones take seconds in one call of NumPy, in which no signal is answered: all is done some matrices at a time.
"""

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
    symmetric_from_lower,
    times_transpose,
)
from fastgmm.families.family import Coordinates, CovarianceFamily
from fastgmm.families.roots import covariances_of_upper_roots, upper_roots
from fastgmm.machine.pieces import by_piece, pieces
from fastgmm.moments import Moments
from fastgmm.parameters import BoolArray, FloatArray, PreparedFull


def _assemble(weights: FloatArray, means: FloatArray, precisions_cholesky: FloatArray, dtype: Any) -> PreparedFull:
    log_determinants = np.log(precisions_cholesky.diagonal(axis1=1, axis2=2)).sum(axis=1)
    constants = log_constants(weights, log_determinants, means.shape[1])
    factors = np.swapaxes(precisions_cholesky, 1, 2)
    if factors.dtype != dtype or not factors.flags.c_contiguous:
        factors = by_piece(lambda some: np.array(some, dtype, order="C"), factors)
    return PreparedFull(constants.astype(dtype), np.array(means, np.float64, order="C"), factors)


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """Σ' = S/N − δδᵀ, S given by its lower triangle."""
    return by_piece(_covariances_of_moments, moments.second, counts, shifts)


def _covariances_of_moments(second: FloatArray, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    covariances = symmetric_from_lower(second)
    covariances /= counts[:, np.newaxis, np.newaxis]
    covariances -= shifts[:, :, np.newaxis] * shifts[:, np.newaxis, :]
    return covariances


def _have_smaller_eigenvalues(
    covariances: FloatArray, roots: FloatArray | None, units: FloatArray, limit: float
) -> BoolArray:
    if roots is None:
        return by_piece(lambda matrices: have_smaller_eigenvalues(matrices, None, units, limit), covariances)
    return by_piece(lambda matrices, known: have_smaller_eigenvalues(matrices, known, units, limit), covariances, roots)


def _movement(before: PreparedFull, after: PreparedFull) -> tuple[FloatArray, FloatArray]:
    shrink, drift = np.empty(len(after.means)), np.empty(len(after.means))
    for part in pieces(len(after.means), after.inverse_cholesky[:1].nbytes):
        factors = before.inverse_cholesky[part], after.inverse_cholesky[part]
        shrink[part], drift[part] = movement_of_factors(*factors, after.means[part] - before.means[part])
    return shrink, drift


_COORDINATES = Coordinates(
    of=lambda covariances, reference, d: by_piece(lambda a, b: MATRICES.of(a, b, d), covariances, reference),
    covariances=lambda coordinates, reference, d: by_piece(
        lambda a, b: MATRICES.covariances(a, b, d), coordinates, reference
    ),
    whiten=lambda differences, reference: by_piece(MATRICES.whiten, differences, reference),
)

FULL = CovarianceFamily(
    name="full",
    kernel="full",
    n_covariance_parameters=lambda n_components, n_features: n_components * n_features * (n_features + 1) // 2,
    assemble=_assemble,
    maximize=_maximize,
    regularize=add_to_diagonals,
    precisions_cholesky=lambda covariances: np.swapaxes(inverse_cholesky(covariances), 1, 2),
    upper_root=upper_roots,
    covariances_of_root=lambda roots: by_piece(covariances_of_upper_roots, roots),
    precisions=lambda factors: by_piece(times_transpose, factors),
    covariances_of_precisions=inverses_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances,
    smallest_variances=smallest_eigenvalues,
    have_smaller_variances=_have_smaller_eigenvalues,
    movement=_movement,
    coloring=lambda covariances, component: coloring(covariances[component]),
    coordinates=_COORDINATES,
)
