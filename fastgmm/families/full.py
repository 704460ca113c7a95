"""Every component has its own covariance matrix.

Many large ones are most of what a fit holds beside the data: what takes several arrays of their size on the way is done
for some components at a time.
"""

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
    symmetric_from_lower,
    times_transpose,
)
from fastgmm.families.family import Coordinates, CovarianceFamily
from fastgmm.families.roots import covariances_of_upper_roots, upper_roots
from fastgmm.machine.pieces import pieces
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, PreparedFull


def _some_at_a_time(function: Callable[..., FloatArray], *arrays: FloatArray) -> FloatArray:
    """``function`` of arrays (K, ...) that takes every component for itself, and gives as many numbers as the first."""
    parts = list(pieces(len(arrays[0]), max(array[:1].nbytes for array in arrays)))
    if len(parts) == 1:
        return function(*arrays)  # without copying what it gives
    result = np.empty(arrays[0].shape)
    for part in parts:
        result[part] = function(*(array[part] for array in arrays))
    return result


def _assemble(weights: FloatArray, means: FloatArray, precisions_cholesky: FloatArray, dtype: Any) -> PreparedFull:
    log_determinants = np.log(precisions_cholesky.diagonal(axis1=1, axis2=2)).sum(axis=1)
    constants = log_constants(weights, log_determinants, means.shape[1])
    factors = np.swapaxes(precisions_cholesky, 1, 2)
    if factors.dtype != dtype or not factors.flags.c_contiguous:
        factors = np.array(factors, dtype, order="C")
    return PreparedFull(constants.astype(dtype), np.array(means, np.float64, order="C"), factors)


def _maximize(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """Σ' = S/N − δδᵀ, S given by its lower triangle."""
    return _some_at_a_time(_covariances_of_moments, moments.second, counts, shifts)


def _covariances_of_moments(second: FloatArray, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    covariances = symmetric_from_lower(second)
    covariances /= counts[:, np.newaxis, np.newaxis]
    covariances -= shifts[:, :, np.newaxis] * shifts[:, np.newaxis, :]
    return covariances


def _movement(before: PreparedFull, after: PreparedFull) -> tuple[FloatArray, FloatArray]:
    shrink, drift = np.empty(len(after.means)), np.empty(len(after.means))
    for part in pieces(len(after.means), after.inverse_cholesky[:1].nbytes):
        factors = before.inverse_cholesky[part], after.inverse_cholesky[part]
        shrink[part], drift[part] = movement_of_factors(*factors, after.means[part] - before.means[part])
    return shrink, drift


_COORDINATES = Coordinates(
    of=lambda covariances, reference, d: _some_at_a_time(lambda a, b: MATRICES.of(a, b, d), covariances, reference),
    covariances=lambda coordinates, reference, d: _some_at_a_time(
        lambda a, b: MATRICES.covariances(a, b, d), coordinates, reference
    ),
    whiten=lambda differences, reference: _some_at_a_time(MATRICES.whiten, differences, reference),
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
    covariances_of_root=lambda roots: _some_at_a_time(covariances_of_upper_roots, roots),
    precisions=times_transpose,
    covariances_of_precisions=inverses_of_precisions,
    matrices=lambda covariances, n_components, n_features: covariances,
    smallest_variances=smallest_eigenvalues,
    have_smaller_variances=have_smaller_eigenvalues,
    movement=_movement,
    coloring=lambda covariances, component: coloring(covariances[component]),
    coordinates=_COORDINATES,
)
