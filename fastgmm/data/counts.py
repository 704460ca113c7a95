"""Counts, zeros and ones, and categories as users hand them in, dense or sparse, as rows of entries."""

from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from fastgmm.data.validation import check_rows, check_shape
from fastgmm.entries import Entries
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, IntArray


class SparseMatrix(Protocol):
    """A matrix or an array of SciPy, in any of its formats."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def tocsr(self) -> Any: ...


_BYTES = (np.dtype(np.bool_), np.dtype(np.uint8))
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_MOST_CATEGORIES = 2**31 - 1


def check_counts(X: Any, estimator: str, min_rows: int, *, allow_missing: bool) -> Entries:
    """Rows of numbers that are not negative, NaN a missing value where that is allowed.

    An array of bool, uint8, float32 or float64 in C order is read where it is, and so is a matrix of SciPy in the CSR
    format that has each entry once; everything else is copied.

    Raises
    ------
    TypeError, ValueError
        As ``check_rows``; for negative numbers, and missing values where they are not allowed.
    """
    rows = _sparse(X, estimator, min_rows) if hasattr(X, "tocsr") else _dense(X, estimator, min_rows)
    if rows.has_missing and not allow_missing:
        raise ValueError(f"Input X contains NaN. {estimator} does not accept missing values encoded as NaN.")
    _require_not_negative(rows, estimator)
    return rows


def _dense(X: Any, estimator: str, min_rows: int) -> Entries:
    if isinstance(X, np.ndarray) and type(X) is np.ndarray and X.ndim == 2 and X.dtype in _BYTES:
        check_shape(X, estimator, min_rows)
        return Entries(len(X), X.shape[1], np.ascontiguousarray(X).view(np.uint8))
    rows = check_rows(X, estimator, min_rows)
    return Entries(*rows.shape, np.ascontiguousarray(rows.values), has_missing=rows.has_missing)


def _sparse(X: Any, estimator: str, min_rows: int) -> Entries:
    if len(X.shape) != 2:
        raise ValueError(f"Expected 2D input, got a sparse array of {len(X.shape)} dimension(s) instead.")
    if X.dtype.kind == "c":
        raise ValueError("Complex data not supported")
    check_shape(np.broadcast_to(0.0, X.shape), estimator, min_rows)
    matrix = X.tocsr()
    if not matrix.has_canonical_format:
        matrix = matrix.copy() if matrix is X else matrix
        matrix.sum_duplicates()
    data: Array = matrix.data
    if data.dtype in _BYTES:
        data = data.view(np.uint8)
    elif data.dtype not in _FLOATS:
        data = data.astype(np.float64)
    has_missing = False
    for part in pieces(len(data), data.itemsize):
        if np.isinf(data[part]).any():
            raise ValueError(f"Input X contains infinity or a value too large for {data.dtype!r}.")
        has_missing |= bool(np.isnan(data[part]).any())
    starts, lines = matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False)
    n_entries = int(starts[-1])
    if len(starts) != X.shape[0] + 1 or (np.diff(starts) < 0).any() or starts[0] != 0 or n_entries > len(lines):
        raise ValueError("X is no sound sparse matrix: its index pointers are not in order.")
    lines, data = lines[:n_entries], np.ascontiguousarray(data[:n_entries])
    if n_entries and not 0 <= lines.min() <= lines.max() < X.shape[1]:
        raise ValueError("X is no sound sparse matrix: it has entries beyond its columns.")
    return Entries(X.shape[0], X.shape[1], data, starts, np.ascontiguousarray(lines), has_missing)


def _require_not_negative(rows: Entries, estimator: str) -> None:
    assert rows.values is not None
    if rows.values.dtype == np.uint8:
        return
    for part in pieces(len(rows.values), max(1, rows.values[:1].nbytes)):
        if (rows.values[part] < 0).any():
            raise ValueError(f"Negative values in data passed to {estimator}: X must not have any.")


def check_binary(X: Any, estimator: str, min_rows: int, threshold: float | None) -> Entries:
    """Rows of 0 and 1, NaN a missing value: of other numbers those above the threshold are 1.

    Data that are 0 and 1 already are read where they are.

    Raises
    ------
    TypeError, ValueError
        As ``check_rows``; without a threshold for other numbers, and with a negative one for sparse data.
    """
    if not hasattr(X, "tocsr"):
        rows = _dense(X, estimator, min_rows)
    else:
        rows = _sparse(X, estimator, min_rows)
        if threshold is not None and threshold < 0:
            raise ValueError("binarize must not be negative for sparse data: what is not stored would be 1.")
    assert rows.values is not None
    if _are_binary(rows.values) and (threshold is None or 0 <= threshold < 1):
        return rows
    if threshold is None:
        raise ValueError(f"With binarize=None {estimator} takes 0, 1 and NaN alone; X has other numbers.")
    return replace(rows, values=_above(rows.values, threshold, rows.has_missing))


def _are_binary(values: Array) -> bool:
    n_bytes = max(1, values[:1].nbytes)
    return all(
        bool(((some == 0) | (some == 1) | np.isnan(some)).all())
        for some in (values[part] for part in pieces(len(values), n_bytes))
    )


def _above(values: Array, threshold: float, has_missing: bool) -> Array:
    """One byte for each number; four where some are missing."""
    result: Array = np.empty(values.shape, np.float32 if has_missing else np.uint8)
    for part in pieces(len(values), max(1, values[:1].nbytes)):
        result[part] = values[part] > threshold
        if has_missing:
            result[part][np.isnan(values[part])] = np.nan
    return result


def check_categories(X: Any, estimator: str, min_rows: int) -> Array:
    """Whole numbers from 0 (n, d), float where some are missing, which is NaN.

    Raises
    ------
    TypeError, ValueError
        As ``check_rows``; for sparse data, negative numbers and fractions.
    """
    if isinstance(X, np.ndarray) and type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind in "biu":
        check_shape(X, estimator, min_rows)
        values: Array = X
    else:
        values = check_rows(X, estimator, min_rows).values
    for part in pieces(len(values), max(1, values[:1].nbytes)):
        some = values[part]
        if (some < 0).any():
            raise ValueError(f"Negative values in data passed to {estimator}: categories are whole numbers from 0.")
        if some.dtype.kind == "f" and (some != np.floor(some))[~np.isnan(some)].any():
            raise ValueError(
                f"{estimator} takes categories as whole numbers from 0; got a fraction. Encode them first, e.g. by "
                "sklearn.preprocessing.OrdinalEncoder."
            )
        if (some > _MOST_CATEGORIES).any():
            raise ValueError(f"{estimator} takes fewer than {_MOST_CATEGORIES} categories of a feature.")
    return values


def numbers_of_categories(values: Array) -> IntArray:
    """The least numbers of categories (d,) that the values leave."""
    largest = np.zeros(values.shape[1])
    for part in pieces(len(values), max(1, values[:1].nbytes)):
        largest = np.fmax(largest, np.fmax.reduce(values[part], axis=0))
    return np.nan_to_num(largest).astype(np.int64) + 1


def entries_of_categories(values: Array, n_categories: IntArray, estimator: str) -> Entries:
    """An entry 1 for every value, on the line of its category; none for a missing one.

    Raises
    ------
    ValueError
        For a category that is none of those.
    """
    first_lines = np.cumsum(n_categories) - n_categories
    n_rows, observed = len(values), values.dtype.kind != "f"
    lines, starts = np.empty(values.size, np.int32), np.zeros(n_rows + 1, np.int64)
    end = 0
    for part in pieces(n_rows, 16 * values.shape[1]):
        some = values[part]
        is_there = np.ones(some.shape, np.bool_) if observed else ~np.isnan(some)
        codes = np.where(is_there, some, 0).astype(np.int64)
        if (codes >= n_categories).any():
            row, feature = (int(each) for each in np.argwhere(codes >= n_categories)[0])
            raise ValueError(
                f"{estimator} knows {n_categories[feature]} categories of feature {feature}; got "
                f"{codes[row, feature]} in row {part.start + row}. Say in n_categories how many there may be."
            )
        found = (codes + first_lines)[is_there]
        lines[end : end + len(found)] = found
        starts[part.start + 1 : part.stop + 1] = end + np.cumsum(is_there.sum(axis=1))
        end += len(found)
    lines.resize(end, refcheck=False)
    return Entries(n_rows, int(n_categories.sum()), None, starts, lines)


def require_lines(n_lines: int) -> None:
    """An entry names its line in 32 bits, and a missing value one behind all others."""
    if n_lines >= 2**30:
        raise ValueError(f"{n_lines} features and categories are too many")
