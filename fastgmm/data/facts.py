"""What is known of rows at a look, feature by feature: ranges, variances, quantiles, and which rows are extreme."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows

# Of many rows, so many say what the units of the features are, and between which numbers most of them lie.
_ROWS_FOR_UNITS = 16_384
_ROWS_FOR_QUANTILES = 2048
# The mean of 4096 rows, or of fewer where they have more than 16 features.
_NUMBERS_FOR_A_CENTER = 2**16


@dataclass(frozen=True, eq=False)
class Facts:
    """Of some rows, each computed when it is first asked for."""

    rows: Rows
    _known: dict[str, FloatArray] = field(default_factory=dict, init=False)

    def _once(self, name: str, compute: Callable[[], FloatArray]) -> FloatArray:
        """Without a lock, which a forked child might find taken: to compute twice is no harm."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @property
    def variances(self) -> FloatArray:
        """Of features (d,), from rows spread over the data."""
        return self._once("variances", lambda: rough_variances(self.rows))

    @property
    def robust_variances(self) -> FloatArray:
        """Those that no few rows set, which are not larger, and take ten times as long to find."""
        return self._once("robust", lambda: _within_quartiles(self.rows.thinned(_ROWS_FOR_UNITS), self.variances))


def feature_variances(rows: Rows) -> FloatArray:
    """The weighted variance of every feature (d,), from all rows, a block at a time about the first row counted."""
    first_row = 0 if rows.weights is None else int(np.argmax(rows.weights > 0))
    center = rows.values[first_row].astype(np.float64)
    total, first, second = 0.0, np.zeros_like(center), np.zeros_like(center)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in pieces(rows.shape[0], center.nbytes):
            # C order, since that of memory would decide the order of sums.
            differences = np.subtract(rows.values[part], center, order="C")
            if rows.weights is None:
                weights = np.ones(len(differences))
            else:
                weights = rows.weights[part]
                differences, weights = differences[weights > 0], weights[weights > 0]
            total += float(weights.sum())
            first += weights @ differences
            second += weights @ np.square(differences)
        variances: FloatArray = np.maximum(second / total - (first / total) ** 2, 0.0)
    return variances


def rough_variances(rows: Rows) -> FloatArray:
    """The same from rows spread over the data, as many as say what their units are."""
    return feature_variances(rows.thinned(_ROWS_FOR_UNITS))


def extreme_rows(rows: Rows) -> NDArray[np.intp]:
    """The rows (at most 2d) that hold the smallest or the largest number of a feature, among those that count."""
    _, where = _extremes(rows)
    return np.unique(where)


def feature_ranges(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """The smallest and the largest number of every feature, each (d,), among the rows that count."""
    (lowest, highest), _ = _extremes(rows)
    return lowest, highest


def _extremes(rows: Rows) -> tuple[FloatArray, NDArray[np.intp]]:
    """The smallest and the largest number of every feature, (2, d), and the rows that hold them."""
    columns = np.arange(rows.shape[1])
    extremes = np.repeat([[np.inf], [-np.inf]], len(columns), axis=1)
    where = np.zeros(extremes.shape, np.intp)
    for part in pieces(rows.shape[0], extremes[0].nbytes):
        block = rows.take(part)
        counted = None if block.weights is None else np.flatnonzero(block.weights)
        values = block.values if counted is None else block.values[counted]
        if not len(values):
            continue
        values = np.asfortranarray(values)  # NumPy takes fifty times longer across rows of two numbers
        found = np.stack([values.argmin(axis=0), values.argmax(axis=0)])
        numbers = values[found, columns]
        is_beyond = np.stack([numbers[0] < extremes[0], numbers[1] > extremes[1]])
        extremes[is_beyond] = numbers[is_beyond]
        where[is_beyond] = part.start + (found if counted is None else counted[found])[is_beyond]
    return extremes, where


def robust_variances(rows: Rows) -> FloatArray:
    """The variance of every feature (d,), but at most the square of twice its interquartile range.

    That range is 2.7 deviations of a normal feature, and no less than one of any ordinary feature; but rows far away
    from all others, such as codes for what is missing, do not move it. Where half of the rows have one value quartiles
    say nothing.
    """
    return _within_quartiles(rows, feature_variances(rows))


def _within_quartiles(rows: Rows, variances: FloatArray) -> FloatArray:
    """Variances (d,) of the rows, at most those that their quartiles allow."""
    with np.errstate(over="ignore"):
        limits = np.square(2.0 * quantile_ranges(rows.thinned(_ROWS_FOR_QUANTILES), 0.25, 0.75))
    return np.where(limits > 0, np.minimum(variances, limits), variances)


def quantile_ranges(rows: Rows, low: float, high: float) -> FloatArray:
    """The distance of two quantiles of every feature (d,): a whole weight is the row repeated."""
    ranges = np.empty(rows.shape[1])
    for part in pieces(rows.shape[1], 8 * rows.shape[0]):
        columns = np.array(rows.values[:, part].T, order="C")
        if rows.weights is None:
            at = _positions(np.arange(1.0, rows.shape[0] + 1), low, high)
            columns.partition(at, axis=1)
            ends = columns[:, at]
        else:
            orders = np.argsort(columns, axis=1)
            ends = np.array(
                [
                    column[order[_positions(np.cumsum(rows.weights[order]), low, high)]]
                    for column, order in zip(columns, orders, strict=True)
                ]
            )
        ranges[part] = ends[:, 1].astype(np.float64) - ends[:, 0]
    return ranges


def _positions(cumulative: FloatArray, low: float, high: float) -> NDArray[np.intp]:
    """Where a sum of weights in order reaches two shares of the whole."""
    found: NDArray[np.intp] = np.searchsorted(cumulative, np.array([low, high]) * cumulative[-1])
    return np.minimum(found, len(cumulative) - 1)


def rough_center(rows: Rows) -> FloatArray:
    """The mean of some rows spread over the data, less its origin: close enough to take moments about."""
    some = rows.thinned(max(64, min(4096, _NUMBERS_FOR_A_CENTER // rows.shape[1])))
    # Where no row weighs anything one is as good as another.
    values = (some if len(some.values) else rows.take(slice(1))).points().astype(np.float64, order="C")
    center: FloatArray = values[0] + (values - values[0]).mean(axis=0, dtype=np.float64)
    return center
