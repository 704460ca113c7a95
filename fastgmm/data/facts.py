"""What is known of data at a look, feature by feature: nobody else computes a variance, a range or a rough center.

Most questions are answered from a sample. What depends on every row is found in one pass, a block of rows at a time;
summaries of blocks can be merged, wherever the blocks are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.digest import digest_of
from fastgmm.data.patterns import Patterns, observed_together, patterns_of
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatArray, IntArray
from fastgmm.rows import Rows, are_of_table

# A variance from m normal rows is off by √(2/m) of itself: two percent from these many, which a gather and some passes
# over them take a tenth of a millisecond for. Of wide rows there are as many as are half a megabyte, but no fewer than
# make it six percent.
_ROWS_OF_A_SAMPLE = 4096
_NUMBERS_OF_A_SAMPLE = 2**16
_FEWEST_ROWS_OF_A_SAMPLE = 512
# As a share of a feature's variance: what relative regularization adds to those of components.
_FELT_ERROR = 1e-6

T = TypeVar("T")
# The smallest and the largest number of every feature, each (d,).
Ranges: TypeAlias = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts about some rows; each is found when it is first asked for.

    Rows that are too many for memory have been looked at before: ``rows`` are some of them then, see ``of_all``.
    """

    rows: Rows
    _known: dict[str, Any] = field(default_factory=dict, init=False)

    @classmethod
    def of_all(cls, some: Rows, **known: Any) -> "Facts":
        """Facts about rows of which these are some, drawn at random; of all is known what depends on every row.

        That is given by the names of attributes; ``TypeError`` for another one.
        """
        facts = cls(some)
        for name in known:
            if not isinstance(getattr(cls, name, None), property):
                raise TypeError(f"{name!r} is no fact about rows")
        facts._known.update(known)
        return facts

    def _once(self, name: str, find: Callable[[], T]) -> T:
        """A fact, found once and kept; no lock is taken, since a forked child might find it taken."""
        if name not in self._known:
            self._known[name] = find()
        found: T = self._known[name]
        return found

    def read_as(self, rows: Rows) -> "Facts":
        """Those of the same rows, read in another way: all that is known of the values stays known."""
        facts = Facts(rows)
        facts._known.update(self._known)
        return facts

    def counted_from(self, origin: FloatArray) -> "Facts":
        """Those of the same rows less an origin."""
        facts = self.read_as(replace(self.rows, origin=origin))
        facts._known.pop("center", None)
        return facts

    def as_measured(self) -> "Facts":
        """Those of the same rows, as though they had no errors."""
        return self.read_as(replace(self.rows, errors=None))

    def believing(self, groups: NDArray[np.int32], table: FloatArray) -> "Facts":
        """Those of the same rows, of whose components something else is believed."""
        facts = self.read_as(replace(self.rows, groups=groups, group_prior=table))
        for name in ("counts_of_groups", "weights_of_unobserved", "digest"):
            facts._known.pop(name, None)
        return facts

    @property
    def n_rows(self) -> int:
        return self._once("n_rows", lambda: self.rows.shape[0])

    @property
    def total_weight(self) -> float:
        """Σw of the rows that count."""
        return self._once("total_weight", lambda: self.rows.total_weight)

    @property
    def n_missing(self) -> int:
        """How many values are missing."""
        return self._once("n_missing", lambda: self.patterns.n_missing if self.rows.has_missing else 0)

    @property
    def n_complete(self) -> int:
        """How many rows have all values."""
        return self._once("n_complete", lambda: len(self.patterns.complete) if self.rows.has_missing else self.n_rows)

    @property
    def counts_of_groups(self) -> IntArray:
        """How many rows that count are of each group that the table has."""
        return self._once("counts_of_groups", lambda: _weights_of_groups(self.rows, None)[0])

    @property
    def weights_of_unobserved(self) -> FloatArray:
        """Σw of the rows without any value of each group that the table has (G,)."""
        return self._once("weights_of_unobserved", lambda: _weights_of_groups(self.rows, self.patterns.empty)[1])

    @property
    def digest(self) -> bytes:
        """Of all numbers of the rows: values, weights, and what is believed of components.

        Of rows in blocks it is known where it was asked for (see ``Overview``).
        """
        rows = self.rows
        numbers = rows.values, rows.weights, rows.groups, rows.group_prior
        return self._once("digest", lambda: digest_of(*numbers, *([] if rows.errors is None else [rows.errors])))

    @property
    def n_counted(self) -> int:
        """The number of rows that weigh something."""
        return self._once("n_counted", lambda: self.rows.n_counted)

    @property
    def patterns(self) -> Patterns:
        """Which rows lack values."""
        return self._once("patterns", lambda: patterns_of(self.rows))

    @property
    def observed_together(self) -> IntArray:
        """How many rows that count have a value of both of two features (d, d)."""
        if not self.rows.has_missing:
            return np.full((self.rows.shape[1], self.rows.shape[1]), self.n_counted)
        return self._once("observed_together", lambda: observed_together(self.rows, self.patterns))

    @property
    def seldom_together(self) -> tuple[int, int]:
        """The two features, the first such pair, that the fewest rows have values of; of a single feature it twice."""
        n_features = self.rows.shape[1]
        pairs = np.triu_indices(n_features, min(1, n_features - 1))
        fewest = int(np.argmin(self.observed_together[pairs]))
        return int(pairs[0][fewest]), int(pairs[1][fewest])

    @property
    def has_errors_all_over(self) -> bool:
        """Whether the error of every value is known to be more than a thousandth of its feature's deviation."""
        return self._once("has_errors_all_over", lambda: self.rows.has_errors_above(_FELT_ERROR * self.variances))

    @property
    def sample(self) -> Rows:
        """Rows spread over the data that say what they are like; all, where they are few."""
        n_rows = min(_ROWS_OF_A_SAMPLE, _NUMBERS_OF_A_SAMPLE // self.rows.shape[1])
        some = self.rows.thinned(max(_FEWEST_ROWS_OF_A_SAMPLE, n_rows))
        # Where all rows have the weight 0, we take any one of them.
        return some if len(some.values) else self.rows.take(slice(1))

    @property
    def look(self) -> "Summary":
        """The summary of the sample; the sample itself is not kept."""
        return self._once("look", self._look)

    def _look(self) -> "Summary":
        look = summary_of(self.sample)
        # A feature that is seldom observed may lack all values of the sample.
        return self.summary if self.rows.has_missing and not (look.lowest <= look.highest).all() else look

    @property
    def center(self) -> FloatArray:
        """The mean of the sample (d,), less the rows' origin: close enough to take moments about."""
        return self._once(
            "center", lambda: _center_of_observed(self) if self.rows.has_missing else _center(self.sample)
        )

    @property
    def variances(self) -> FloatArray:
        """The variances of the features (d,), from the sample."""
        return self.look.variances

    @property
    def robust_variances(self) -> FloatArray:
        """Variances that a few extreme rows do not move: at most ``variances``, and ten times as long to find."""
        return self._once("robust_variances", lambda: within_quartiles(self.sample, self.variances))

    @property
    def summary(self) -> "Summary":
        """The summary of all rows, from one pass over them."""
        return self._once("summary", lambda: summary_of(self.rows, self.ranges))

    @property
    def ranges(self) -> Ranges:
        """The smallest and the largest number of every feature, each (d,), among all rows that count."""
        # Found for themselves, which takes a third of the work of a summary.
        return self._once("ranges", lambda: (self._extremes[0][0], self._extremes[0][1]))

    @property
    def constant_features(self) -> tuple[int, ...]:
        """Those that have one number alone in all rows that count and have any."""
        if (self.look.lowest < self.look.highest).all():
            return ()  # which a sample is enough to know
        lowest, highest = self.ranges
        return tuple(np.flatnonzero(lowest == highest).tolist())

    @property
    def extreme_rows(self) -> NDArray[np.intp]:
        """The rows (at most 2d) that hold these."""
        return np.unique(self._extremes[1])

    @property
    def _extremes(self) -> tuple[FloatArray, NDArray[np.intp]]:
        return self._once("extremes", lambda: _extremes(self.rows))


class Summary(NamedTuple):
    """How many rows count, and their Σw; of every feature (d,) that of the rows which have it, the range, the mean and
    the variance, Σw(x − mean)²/Σw."""

    n_rows: int
    total_weight: float
    weights: FloatArray
    lowest: FloatArray
    highest: FloatArray
    means: FloatArray
    variances: FloatArray

    def merged(self, other: "Summary") -> "Summary":
        """That of both [1]_.

        References
        ----------
        .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance", The American
           Statistician 37 (1983).
        """
        if not (self.n_rows and other.n_rows):
            return self if self.n_rows else other
        total, apart = self.weights + other.weights, other.means - self.means
        share = np.divide(other.weights, total, out=np.zeros(len(total)), where=total > 0)
        return Summary(
            self.n_rows + other.n_rows,
            self.total_weight + other.total_weight,
            total,
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
            self.means + share * apart,
            self.variances + share * (other.variances - self.variances) + (1.0 - share) * share * np.square(apart),
        )


def _weights_of_groups(rows: Rows, places: NDArray[np.int32] | None) -> tuple[IntArray, FloatArray]:
    """How many of some rows, or of all, are of each group of the table and weigh something, and Σw (G,)."""
    assert rows.groups is not None
    assert rows.group_prior is not None
    n_groups = len(rows.group_prior)
    counts, weights = np.zeros(n_groups, np.int64), np.zeros(n_groups)
    n_places = rows.shape[0] if places is None else len(places)
    for part in pieces(n_places, 16):
        chosen = part if places is None else places[part]
        groups = rows.groups[chosen]
        is_known = are_of_table(groups, rows.group_prior)
        own = np.ones(len(groups)) if rows.weights is None else rows.weights[chosen]
        counts += np.bincount(groups[is_known & (own > 0)], minlength=n_groups)
        weights += np.bincount(groups[is_known], own[is_known], n_groups)
    return counts, weights


def summary_of(rows: Rows, ranges: Ranges | None = None) -> Summary:
    """The summary of all rows, made from those of blocks; their ranges are found where they are not known."""
    lowest, highest = _extremes(rows)[0] if ranges is None else ranges
    with np.errstate(over="ignore", invalid="ignore"):
        if rows.has_missing:
            return _summary_of_observed(rows, (lowest, highest))
        parts = pieces(rows.shape[0], 8 * rows.shape[1])
        return reduce(Summary.merged, (_summary(rows.take(part), (lowest, highest)) for part in parts))


def _summary_of_observed(rows: Rows, ranges: Ranges) -> Summary:
    """That of every feature from the rows that have it."""
    columns = list[Summary]()
    for j, (lowest, highest) in enumerate(zip(*ranges, strict=True)):
        range_of_it = np.array([lowest]), np.array([highest])
        parts = (_observed(rows.take(part), j) for part in pieces(rows.shape[0], 8))
        columns.append(reduce(Summary.merged, (_summary(part, range_of_it) for part in parts)))
    features = map(np.concatenate, list(zip(*columns, strict=True))[2:])
    return Summary(rows.n_counted, rows.total_weight, *features)


def _observed(rows: Rows, feature: int) -> Rows:
    """The rows that have a feature, with that alone."""
    has = ~np.isnan(rows.values[:, feature])
    values = rows.values[has, feature, np.newaxis]
    return Rows(values, None if rows.weights is None else rows.weights[has])


def _summary(rows: Rows, ranges: Ranges) -> Summary:
    """That of some rows among others of these ranges."""
    values, weights = rows.values, rows.weights
    if weights is None:
        weights = np.ones(len(values))
    else:  # rows of weight 0 may hold anything
        values, weights = values[weights > 0], weights[weights > 0]
    if not len(values):
        return Summary(0, 0.0, *np.repeat([[0.0], [np.inf], [-np.inf], [0.0], [0.0]], rows.shape[1], axis=1))
    # We sum differences from a row, so that numbers far from zero keep their digits, and in C order, so that the layout
    # in memory does not decide the order of sums.
    first, total = values[0].astype(np.float64), float(weights.sum())
    differences = np.subtract(values, first, order="C")
    shift = weights @ differences / total
    variances = np.maximum(weights @ np.square(differences) / total - shift**2, 0.0)
    return Summary(len(values), total, np.full(len(shift), total), *ranges, first + shift, variances)


def _center(rows: Rows) -> FloatArray:
    """The mean whatever the weights, since any number amid the rows will do."""
    values = rows.points().astype(np.float64, order="C")
    center: FloatArray = values[0] + (values - values[0]).mean(axis=0)
    return center


def _center_of_observed(facts: Facts) -> FloatArray:
    """The mean of what is observed, less the origin."""
    origin = facts.rows.origin
    return facts.look.means if origin is None else facts.look.means - origin


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
        low = np.where(np.isnan(values), np.inf, values) if rows.has_missing else values
        high = np.where(np.isnan(values), -np.inf, values) if rows.has_missing else values
        found = np.stack([low.argmin(axis=0), high.argmax(axis=0)])
        numbers = np.stack([low[found[0], columns], high[found[1], columns]])
        is_beyond = np.stack([numbers[0] < extremes[0], numbers[1] > extremes[1]])
        extremes[is_beyond] = numbers[is_beyond]
        where[is_beyond] = part.start + (found if counted is None else counted[found])[is_beyond]
    return extremes, where


def within_quartiles(rows: Rows, variances: FloatArray) -> FloatArray:
    """Variances (d,), but at most the square of twice the rows' interquartile range.

    That range is 2.7 deviations of a normal feature, and no less than one of any ordinary feature; but rows far away
    from all others, such as codes for what is missing, do not move it. Where half of the rows have one value quartiles
    say nothing.
    """
    with np.errstate(over="ignore"):
        limits = np.square(2.0 * quantile_ranges(rows, 0.25, 0.75))
    return np.where(limits > 0, np.minimum(variances, limits), variances)


def quantile_ranges(rows: Rows, low: float, high: float) -> FloatArray:
    """The distance of two quantiles of every feature (d,): a whole weight is the row repeated."""
    if rows.has_missing:
        observed = (_observed(rows, j) for j in range(rows.shape[1]))
        return np.array([quantile_ranges(some, low, high)[0] if len(some.values) else 0.0 for some in observed])
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
