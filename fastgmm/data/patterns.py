"""Which rows lack some of their values, in an order in which those that lack the same ones stand next to each other.

A *pattern* is the set of features that a row lacks. Features that are seldom missing decide the order first, so that
neighboring patterns begin with the same observed features.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastgmm.machine.pieces import pieces, places_of_nonzero
from fastgmm.parameters import Array, BoolArray, IntArray
from fastgmm.rows import Rows, begins_of_equal

# So many features make a key of two bytes, by which NumPy sorts in linear time. The order, the keys, and what the sort
# takes are 22 bytes a row.
_FEATURES_OF_A_KEY = 16
_MOST_ROWS = 2**31 - 1
# Complete rows are copied where that takes no more bytes.
_MOST_BYTES_OF_A_COPY = 2**26


@dataclass(frozen=True, eq=False)
class Patterns:
    """Places of rows, int32, by what they lack.

    Attributes
    ----------
    complete : ndarray
        Of those that have all values, in the order of the data.
    incomplete : ndarray
        Of those that have some but not all, sorted by pattern, equal ones in the order of the data.
    empty : ndarray
        Of those that have none, in the order of the data.
    n_missing : int
        How many values are missing in all.
    """

    complete: NDArray[np.int32]
    incomplete: NDArray[np.int32]
    empty: NDArray[np.int32]
    n_missing: int


def patterns_of(rows: Rows) -> Patterns:
    """Those of some rows; raises ``ValueError`` where they are too many to be counted in int32."""
    n_rows, n_features = rows.shape
    if n_rows > _MOST_ROWS:
        raise ValueError(f"X with missing values may have {_MOST_ROWS} rows at most; got {n_rows}")
    lacks_some, lacks_all = np.empty(n_rows, np.bool_), np.empty(n_rows, np.bool_)
    lacking = np.zeros(n_features, np.int64)
    for part in pieces(n_rows, rows.values[:1].nbytes):
        is_missing = np.isnan(rows.values[part])
        lacks_some[part], lacks_all[part] = is_missing.any(axis=1), is_missing.all(axis=1)
        lacking += np.count_nonzero(is_missing, axis=0)
    order = places_of_nonzero(lacks_some & ~lacks_all, np.int32)
    incomplete = _sorted_by_pattern(rows.values, order, lacking)
    complete, empty = (places_of_nonzero(chosen, np.int32) for chosen in (~lacks_some, lacks_all))
    return Patterns(complete, incomplete, empty, int(lacking.sum()))


def without_empty_rows(rows: Rows, patterns: Patterns) -> Rows:
    """The complete rows, where all others have no value at all and nobody knows of their components.

    Nothing is missing then. Where they are too many to be copied, rows are as they were.
    """
    n_bytes = len(patterns.complete) * rows.shape[1] * rows.values.itemsize
    if len(patterns.incomplete) or n_bytes > _MOST_BYTES_OF_A_COPY or rows.groups is not None:
        return rows
    return replace(rows.take(patterns.complete), has_missing=False)


def observed_together(rows: Rows, patterns: Patterns) -> IntArray:
    """How many rows that weigh something have a value of both of two features (d, d)."""
    n_features = rows.shape[1]
    is_counted = None if rows.weights is None else rows.weights > 0
    n_complete = len(patterns.complete) if is_counted is None else np.count_nonzero(is_counted[patterns.complete])
    result = np.full((n_features, n_features), n_complete, np.int64)
    for part in pieces(len(patterns.incomplete), rows.values[:1].nbytes):
        places = patterns.incomplete[part]
        has = ~np.isnan(rows.values[places])
        begins = begins_of_equal(has)
        counts = np.add.reduceat(
            np.ones(len(places)) if is_counted is None else is_counted[places], begins, dtype=float
        )
        own = has[begins].astype(np.float64)
        result += ((own.T * counts) @ own).astype(np.int64)
    return result


def patterns_of_one_shape(
    is_missing: BoolArray,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Of rows sorted by pattern: places (P, r), missing (P, m) and observed (P, d − m) features of equal r and m."""
    begins = begins_of_equal(is_missing)
    patterns, n_rows = is_missing[begins], np.diff(np.r_[begins, len(is_missing)])
    n_missing = patterns.sum(axis=1)
    shape_of = n_missing * (len(is_missing) + 1) + n_rows  # one number for both
    for shape in np.unique(shape_of):
        m, r = divmod(shape, len(is_missing) + 1)
        alike = np.flatnonzero(shape_of == shape)
        features = np.argsort(~patterns[alike], axis=1, kind="stable")  # the missing ones first
        yield begins[alike, np.newaxis] + np.arange(r), features[:, :m], features[:, m:]


def _sorted_by_pattern(values: Array, order: NDArray[np.int32], lacking: IntArray) -> NDArray[np.int32]:
    """Stable sorts, from the features that decide last to those that decide first.

    ``lacking`` (d,) says how many rows lack a feature.
    """
    features = np.argsort(lacking, kind="stable")
    features = features[lacking[features] > 0]
    for end in range(len(features), 0, -_FEATURES_OF_A_KEY):
        some = features[max(0, end - _FEATURES_OF_A_KEY) : end]
        digits = 1 << np.arange(len(some), dtype=np.uint16)[::-1]
        keys = np.empty(len(order), np.uint16)
        for part in pieces(len(order), values[:1].nbytes):
            keys[part] = np.isnan(values[order[part, np.newaxis], some]) @ digits
        order = order[np.argsort(keys, kind="stable")]
    return order
