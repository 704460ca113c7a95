"""Rows of counts and categories: what a kernel visits whose log-densities are linear in the data."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import Array, FloatArray


@dataclass(frozen=True, eq=False)
class Entries:
    """Validated rows (n_rows, n_features) by their entries, which are the numbers that are not 0.

    Attributes
    ----------
    n_rows, n_features : int
    values : ndarray of float64, float32 or uint8, or None
        Dense (n_rows, n_features), in C order; else one number for each of ``lines``. None: all of these are 1.
    starts : ndarray of int64, shape (n_rows + 1,), or None
        Of rows that are not dense: row i has the entries ``starts[i] … starts[i + 1]``.
    lines : ndarray of int32, or None
        The feature of each of these, of which a row has none twice.
    has_missing : bool
        Whether some of the values are NaN, which is a missing value.
    weights : ndarray of float64, shape (n_rows,), or None
    groups, group_prior
        What is believed of the components of a row, as of :class:`fastgmm.rows.Rows`.
    """

    n_rows: int
    n_features: int
    values: Array | None
    starts: NDArray[np.int64] | None = None
    lines: NDArray[np.int32] | None = None
    has_missing: bool = False
    weights: FloatArray | None = None
    groups: NDArray[np.int32] | None = None
    group_prior: FloatArray | None = None

    @property
    def n_lines(self) -> int:
        """Of loadings: a missing value of feature j counts 1 on line n_features + j."""
        return 2 * self.n_features if self.has_missing else self.n_features

    @property
    def n_entries(self) -> int:
        """How many there are at most."""
        return self.n_rows * self.n_features if self.lines is None else len(self.lines)

    @property
    def itemsize(self) -> int:
        return 0 if self.values is None else self.values.itemsize

    @property
    def n_counted(self) -> int:
        """How many rows weigh something."""
        return self.n_rows if self.weights is None else int(np.count_nonzero(self.weights))

    @property
    def total_weight(self) -> float:
        return float(self.n_rows) if self.weights is None else float(self.weights.sum())

    def part(self, rows: slice) -> "Entries":
        """Neighboring rows, which share their numbers with these."""
        begin, end, _ = rows.indices(self.n_rows)
        values, starts, lines = self.values, self.starts, self.lines
        if starts is None:
            values = None if values is None else values[begin:end]
        else:
            assert lines is not None
            first, last = int(starts[begin]), int(starts[end])
            starts, lines = starts[begin : end + 1] - first, lines[first:last]
            values = None if values is None else values[first:last]
        own: dict[str, Any] = {"values": values, "starts": starts, "lines": lines}
        return replace(self, n_rows=end - begin, **own, **self._of_rows(slice(begin, end)))

    def take(self, places: NDArray[np.integer[Any]]) -> "Entries":
        """Some rows, in any order: a copy of them."""
        values, starts, lines = self.values, self.starts, self.lines
        if starts is None:
            values = None if values is None else values[places]
        else:
            assert lines is not None
            lengths = np.diff(starts)[places]
            ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            at = np.repeat(starts[places] - ends[:-1], lengths) + np.arange(ends[-1])
            starts, lines, values = ends, lines[at], None if values is None else values[at]
        own: dict[str, Any] = {"values": values, "starts": starts, "lines": lines}
        return replace(self, n_rows=len(places), **own, **self._of_rows(places))

    def _of_rows(self, places: NDArray[np.integer[Any]] | slice) -> dict[str, Any]:
        """What some rows have beside their entries."""
        each = {"weights": self.weights, "groups": self.groups}
        return {name: None if array is None else array[places] for name, array in each.items()}

    def dense(self) -> FloatArray:
        """As a table (n_rows, n_features) of float64: of a few rows."""
        if self.starts is None:
            assert self.values is not None
            return self.values.astype(np.float64)
        assert self.lines is not None
        table = np.zeros((self.n_rows, self.n_features))
        rows = np.repeat(np.arange(self.n_rows), np.diff(self.starts))
        table[rows, self.lines] = 1.0 if self.values is None else self.values
        return table
