"""One block of data in memory: what a kernel visits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import Array, BoolArray, FloatArray, IntArray

_GOLDEN_RATIO = 0.6180339887498949
_ROWS_OF_A_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class Rows:
    """Validated data: ``values`` (n, d) float32 or float64, strides not negative, ``weights`` (n,) float64 or None.

    All arithmetic is about ``values − origin``, ``origin`` (d,) float64 or None, exact: see ``data/origin.py``.

    ``groups`` (n,) int32 or None says what is believed of the components of a row before it is looked at: kernels add
    the logarithms ``group_prior[group]`` of the table (G, K), float64 in C order and never +∞, to its joint
    log-densities. With 0 and −∞ these are a known label, or the components that are allowed; with a group for every
    row, log-responsibilities. Of a group outside the table nothing is believed. Whoever builds the table must refuse a
    group that allows no component at all: log p(x) is −∞ there, and the responsibilities have no meaning.

    ``has_missing`` says that some of the values are NaN, which is a missing value, and False that none is.

    ``errors``, in C order, float32 or float64, are the variances (n, d) or covariances (n, d, d) of what was added to
    the true values of a row by measuring them; None where values are the true ones. They are finite, and 0 where a
    value is missing.
    """

    values: Array
    weights: FloatArray | None = None
    origin: FloatArray | None = None
    groups: NDArray[np.int32] | None = None
    group_prior: FloatArray | None = None
    has_missing: bool = False
    errors: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def n_counted(self) -> int:
        """The number of rows that weigh something: a row of weight 0, or without any observed value, is none."""
        counted = self.counted
        return self.shape[0] if counted is None else int(np.count_nonzero(counted))

    @property
    def total_weight(self) -> float:
        """Σw of the rows that count."""
        if not self.has_missing:
            return self.shape[0] if self.weights is None else float(self.weights.sum())
        return self.n_counted if self.weights is None else float(self.weights[self.counted].sum())

    @property
    def counted(self) -> BoolArray | None:
        """Which rows weigh something; None where all do."""
        positive = None if self.weights is None else self.weights > 0
        if not self.has_missing:
            return positive
        return self.are_observed if positive is None else self.are_observed & positive

    @property
    def are_observed(self) -> BoolArray:
        """Which rows (n,) have any value."""
        result = np.ones(self.shape[0], np.bool_)
        for begin in range(0, len(result), _ROWS_OF_A_BLOCK):
            block = self.values[begin : begin + _ROWS_OF_A_BLOCK]
            # Feature by feature, of the rows that lack all before: mostly there are soon none left to look at.
            lacking = np.flatnonzero(np.isnan(block[:, 0]))
            for feature in block.T[1:]:
                lacking = lacking[np.isnan(feature[lacking])]
                if not len(lacking):
                    break
            result[begin + lacking] = False
        return result

    def has_errors_above(self, limits: FloatArray) -> bool:
        """Whether the variance of every value's error is known to be above its feature's limit (d,)."""
        if self.errors is None:
            return False
        variances = self.errors if self.errors.ndim == 2 else np.einsum("nii->ni", self.errors)
        for begin in range(0, self.shape[0], _ROWS_OF_A_BLOCK):
            block = slice(begin, begin + _ROWS_OF_A_BLOCK)
            if not ((variances[block] > limits) | np.isnan(self.values[block])).all():
                return False
        return True

    def thinned(self, n_rows: int) -> "Rows":
        """About ``n_rows`` rows spread evenly over the data, of those alone that weigh something."""
        is_counted = self.counted
        counted = None if is_counted is None or is_counted.all() else np.flatnonzero(is_counted)
        length = self.shape[0] if counted is None else len(counted)
        step = max(1, length // n_rows)
        if step == 1:
            return self if counted is None else self.take(counted)
        # We take one row of each `step` rows. Its place among them follows multiples of the golden ratio, which are in
        # step with nothing, since the order of rows may have a period.
        stretches = np.arange(length // step)
        positions = step * stretches + (step * ((stretches * _GOLDEN_RATIO) % 1.0)).astype(np.intp)
        return self.take(positions if counted is None else counted[positions])

    def take(self, indices: NDArray[np.integer[Any]] | slice) -> "Rows":
        weights = None if self.weights is None else self.weights[indices]
        groups = None if self.groups is None else self.groups[indices]
        errors = None if self.errors is None else self.errors[indices]
        return Rows(self.values[indices], weights, self.origin, groups, self.group_prior, self.has_missing, errors)

    def log_beliefs(self, components: IntArray | int | None = None) -> FloatArray:
        """What is believed of the components of every row (n, K), 0 of nothing: for a few rows that have groups.

        Or of one component of each row (n,), or of the same one of all.
        """
        assert self.groups is not None
        assert self.group_prior is not None
        is_known = are_of_table(self.groups, self.group_prior)
        chosen = np.where(is_known, self.groups, 0)
        if components is None:
            return np.where(is_known[:, np.newaxis], self.group_prior[chosen], 0.0)
        return np.where(is_known, self.group_prior[chosen, components], 0.0)

    def points(self) -> Array:
        """``values − origin`` in the dtype of the values: for a few rows, since it is a copy of them."""
        return self.values if self.origin is None else self.values - self.origin.astype(self.values.dtype)


def begins_of_equal(table: BoolArray) -> NDArray[np.intp]:
    """Where lines of a table (n, d) begin that are not as the one before, the first among them."""
    return np.flatnonzero(np.r_[True, (table[1:] != table[:-1]).any(axis=1)][: len(table)])


def are_of_table(groups: NDArray[np.int32], table: FloatArray) -> BoolArray:
    """Of which groups (n,) something is believed: of those that are in the table (G, K)."""
    result: BoolArray = (groups >= 0) & (groups < len(table))
    return result
