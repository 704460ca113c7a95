"""Errors of rows, whose size is known: checked, and in the form that kernels read."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastgmm.data.validation import as_float
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows

# Of an error beyond this a value says nothing: to add it to a variance might overflow.
_INFINITE = 1e300
# To look at a number takes as long as so many multiply-adds.
_WORK_OF_A_NUMBER = 30
# What rounding takes from a positive semidefinite matrix, as a share of its variances, by the size of its numbers.
_ROUNDING = {4: 1e-5, 8: 1e-10}


def with_errors(rows: Rows, errors: Any) -> Rows:
    """The rows with variances (n, d) or covariances (n, d, d) of their errors; of one feature (n,) are enough.

    A value of infinite error is a missing one, and the error of a missing value is 0, whatever was said of it. What
    needs no change is read in place.

    Raises
    ------
    ValueError
        For other shapes, variances that are negative or NaN where a value is observed (naming the first), and matrices
        that are no covariances: asymmetric, or with a negative eigenvalue.
    TypeError
        For what is no number.
    """
    numbers = as_float(errors, "errors")
    n_rows, d = rows.shape
    if d == 1 and numbers.shape == (n_rows,):
        numbers = numbers[:, np.newaxis]
    if numbers.shape not in ((n_rows, d), (n_rows, d, d)):
        raise ValueError(
            f"errors must be variances of shape (n_samples, n_features) = {(n_rows, d)}, or covariances of shape "
            f"{(n_rows, d, d)}; got shape {numbers.shape}"
        )
    return attended(partial(_with_errors, rows, np.ascontiguousarray(numbers)), _WORK_OF_A_NUMBER * numbers.size)


def _with_errors(rows: Rows, errors: Array) -> Rows:
    variances, values = _variances_of(errors), rows.values
    limit = errors.dtype.type(min(_INFINITE, float(np.finfo(errors.dtype).max)))
    has_infinite, has_others = False, False
    for part in pieces(len(errors), errors[:1].nbytes):
        own, is_missing = variances[part], np.isnan(values[part])
        _require_variances(own, is_missing, part.start)
        is_infinite = own > limit
        has_infinite = has_infinite or bool((is_infinite & ~is_missing).any())
        has_others = has_others or bool(((own != 0) & (is_missing | is_infinite)).any()) or bool(is_missing.any())
    if has_infinite:
        values = values.copy()
        for part in pieces(len(errors), errors[:1].nbytes):
            values[part][variances[part] > limit] = np.nan
    if has_infinite or has_others:
        errors = _zero_where_missing(errors, values)
    if errors.ndim == 3:
        for part in pieces(len(errors), errors[:1].nbytes):
            _require_covariances(errors[part], part.start)
    return replace(rows, values=values, has_missing=rows.has_missing or has_infinite, errors=errors)


def _variances_of(errors: Array) -> Array:
    """A view."""
    return errors if errors.ndim == 2 else np.einsum("nii->ni", errors)


def _require_variances(variances: Array, is_missing: Array, first: int) -> None:
    is_wrong = ~(variances >= 0) & ~is_missing
    if is_wrong.any():
        row, feature = np.argwhere(is_wrong)[0]
        raise ValueError(
            f"errors must be variances, not negative, of every value that is not missing: row {first + row}, feature "
            f"{feature} has {variances[row, feature]}. An infinite one says that the value is missing."
        )


def _zero_where_missing(errors: Array, values: Array) -> Array:
    result = errors.copy()
    for part in pieces(len(errors), errors[:1].nbytes):
        is_missing = np.isnan(values[part])
        if errors.ndim == 3:
            is_missing = is_missing[:, :, np.newaxis] | is_missing[:, np.newaxis, :]
        result[part][is_missing] = 0.0
    return result


def _require_covariances(matrices: Array, first: int) -> None:
    """Symmetric, and without a negative eigenvalue, but for rounding."""
    tolerance, d = _ROUNDING[matrices.itemsize], matrices.shape[1]
    scaled = _correlations(matrices.astype(np.float64))
    are_symmetric = (np.abs(scaled - np.swapaxes(scaled, 1, 2)) <= tolerance).all(axis=(1, 2))
    if not are_symmetric.all():
        raise ValueError(f"errors of row {first + int(np.argmin(are_symmetric))} are no covariance: asymmetric")
    shifted = scaled + tolerance * d * np.eye(d)
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(shifted)[:, 0]
        row = int(np.argmin(smallest))
        raise ValueError(
            f"errors of row {first + row} are no covariance: as correlations they have an eigenvalue of "
            f"{smallest[row] - tolerance * d:.3g}"
        ) from None


def _correlations(matrices: FloatArray) -> FloatArray:
    """In units of the deviations; where a variance is 0 covariances must be as well, and count for much."""
    deviations = np.sqrt(np.einsum("nii->ni", matrices))
    units = np.where(deviations > 0, deviations, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore", invalid="ignore"):
        correlations: FloatArray = matrices / units[:, :, np.newaxis] / units[:, np.newaxis, :]
    return np.nan_to_num(correlations, nan=np.inf) if not np.isfinite(correlations).all() else correlations
