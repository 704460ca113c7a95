"""Where single precision ends: float32 numbers whose squares overflow or vanish are computed in float64."""

from dataclasses import replace

import numpy as np

from fastgmm.kernels.contract import Rows
from fastgmm.parameters import Array
from fastgmm.pieces import converted, pieces
from fastgmm.validation import feature_variances

# Distances between these have squares well within the range of float32, 2⁻¹²⁶ to 2¹²⁸, and so do sums of them.
_SMALLEST, _LARGEST = 2.0**-40, 2.0**50
_ROWS_LOOKED_AT = 20_000


def are_ordinary(deviations: Array) -> bool:
    """Whether single precision has room for the squares of numbers of these sizes."""
    return bool(((deviations >= _SMALLEST) & (deviations <= _LARGEST)).all())


def with_room_for_squares(rows: Rows) -> Rows:
    """The rows; a copy in float64 of float32 rows in absurd units."""
    if rows.values.dtype != np.float32:
        return rows
    deviations = np.sqrt(feature_variances(rows.thinned(_ROWS_LOOKED_AT)))
    if are_ordinary(deviations[deviations > 0]) and _are_within(rows, _LARGEST):
        return rows
    return in_double(rows)


def in_double(rows: Rows) -> Rows:
    """A copy in float64."""
    return replace(rows, values=converted(rows.values, np.float64))


def _are_within(rows: Rows, limit: float) -> bool:
    """Whether no number of a row that counts is larger."""
    for part in pieces(rows.shape[0], rows.values[:1].nbytes):
        too_large = (np.abs(rows.values[part]) > limit).any(axis=1)
        if rows.weights is not None:
            too_large &= rows.weights[part] > 0
        if too_large.any():
            return False
    return True
