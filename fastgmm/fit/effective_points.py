"""How many points hold a component: distinct rows, counted as far as they have a share in it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastgmm.families import CovarianceFamily
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, BoolArray, FloatArray, IntArray, Model
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import responsibilities_of
from fastgmm.sweeps.sweep import Machinery, Sweep

# Rows of a smaller responsibility are not counted: beside one whole row, a million of them add 0.002 points.
_NEGLIGIBLE = 1e-9
# At most so many distinct rows of a component are kept, the heaviest. Where their weights are alike, that is enough for
# Gaussians in 43 directions, since four points are asked for each of r(r + 3)/2 + 1 parameters. Of rows with holes, of
# which half the values may be missing, a quarter has both of two features.
_MOST_KEPT, _MOST_KEPT_WITH_HOLES = 4096, 16_384


def effective_points(
    sweep: Sweep, model: Model, components: Sequence[int], enough: FloatArray, features: BoolArray | None = None
) -> FloatArray:
    """The effective number of distinct rows that hold each of some components, counted no further than ``enough``.

    That is (Σc)²/Σc² with c a row's weight times its responsibility [1]_. Equal rows are one, as heavy as all of them,
    and the unit of weights does not matter. What holds a covariance that all components share is every row. Where
    values are missing it is the number of rows that have a feature, or both of two where these are correlated: of some
    features, or pairs of them, that with the fewest.

    Parameters
    ----------
    components : sequence of int
    enough : ndarray of shape (len(components),)
    features : ndarray of shape (len(components), n_features), optional
        Which of them matter where values are missing; all unless given.

    References
    ----------
    .. [1] L. Kish, "Survey Sampling" (Wiley, 1965).
    """
    dtype, has_missing = sweep.facts.rows.values.dtype, sweep.facts.rows.has_missing
    question = _WhoHolds(model, sweep.family, np.asarray(components), enough, features, dtype, has_missing)
    holders, points = question.nobody(), np.zeros(len(components))
    with closing(sweep.ask(question)) as answers:
        for answer in answers:
            question.add(holders, points, answer)
            if (points >= enough).all():
                break
    return points


@dataclass(frozen=True, eq=False)
class _WhoHolds:
    """Asks rows for the heaviest distinct ones that hold each of some components, as many as are needed."""

    model: Model
    family: CovarianceFamily
    components: IntArray
    enough: FloatArray
    features: BoolArray | None
    dtype: np.dtype[Any]
    has_missing: bool

    def nobody(self) -> list["Holders"]:
        n_features = self.model.parameters.n_features
        return [(_keys(np.empty((0, n_features), self.dtype)), np.empty(0))] * len(self.components)

    def __call__(self, rows: Rows, by: Machinery) -> list["Holders"]:
        holders, points = self.nobody(), np.zeros(len(self.components))
        for part in pieces(rows.shape[0], 8 * max(self.model.parameters.means.shape)):
            unfinished = np.flatnonzero(points < self.enough)
            if not len(unfinished):
                break
            found = self.nobody()
            for position, own in zip(unfinished, self._of_block(rows.take(part), by, unfinished), strict=True):
                found[position] = own
            self.add(holders, points, found)
        return holders

    def _of_block(self, block: Rows, by: Machinery, unfinished: IntArray) -> list["Holders"]:
        shares = np.ones((block.shape[0], len(unfinished)))
        if not by.family.is_shared:
            table = responsibilities_of(block, self.model, by)
            shares = table[:, self.components[unfinished]].astype(np.float64)
        if block.weights is not None:
            shares *= block.weights[:, np.newaxis] > 0
        holding = (shares > _NEGLIGIBLE).any(axis=1)
        shares = shares[holding] if block.weights is None else shares[holding] * block.weights[holding, np.newaxis]
        keys, which = np.unique(_keys(block.values[holding]), return_inverse=True)
        totals = (np.bincount(which, column, len(keys)).astype(np.float64) for column in shares.T)
        return [(keys[own > 0], own[own > 0]) for own in totals]

    def add(self, holders: list["Holders"], points: FloatArray, more: list["Holders"]) -> None:
        """What is known of every component, and of how many points hold it, with what more rows have answered."""
        most_kept = _MOST_KEPT_WITH_HOLES if self.has_missing else _MOST_KEPT
        for position in map(int, np.flatnonzero(points < self.enough)):
            holders[position] = _merged(holders[position], more[position], most_kept)
            points[position] = self._effective_number(holders[position], position)

    def _effective_number(self, holders: "Holders", position: int) -> float:
        """(Σc)²/Σc² of weights c, computed from their ratios to the largest, since squares of small ones underflow.

        Where values are missing that of the pair of some features, or the feature, which the fewest have.
        """
        keys, weights = holders
        if not weights.any():
            return 0.0
        relative, family = weights / weights.max(), self.family
        if not self.has_missing or family.kernel == "spherical":
            return float(relative.sum() ** 2 / (relative**2).sum())
        matter = slice(None) if self.features is None else self.features[position]
        has = (~np.isnan(keys.view(self.dtype).reshape(len(keys), -1))).astype(np.float64)[:, matter]
        first, second = (has.T * relative) @ has, (has.T * relative**2) @ has
        numbers = np.square(first) / np.where(second > 0, second, 1.0)
        return float(numbers.min() if family.has_matrices else numbers.diagonal().min())


def effective_values(sweep: Sweep, model: Model, enough: float) -> FloatArray:
    """The effective number of values (K, d) of every feature that each component holds, counted to ``enough`` of all.

    That is (Σc)²/Σc² as above, over the rows that have the feature, and at most Σr: many rows with a tiny share alike
    are no values. It is that of a sample where it has enough, else of all rows.
    """
    question = _HowManyValues(model, enough)
    total = question(sweep.facts.sample, Machinery(sweep.family, sweep.backend, sweep.n_threads))
    if total.are_enough(enough):
        return total.numbers
    total = question.none()
    with closing(sweep.ask(question)) as answers:
        for answer in answers:
            total = total.with_more(answer)
            if total.are_enough(enough):
                break
    return total.numbers


class _Values(NamedTuple):
    """Σc and Σc² of the rows that have each feature, for each component, and Σr, all (K, d)."""

    first: FloatArray
    second: FloatArray
    rows_held: FloatArray

    def with_more(self, other: "_Values") -> "_Values":
        return _Values(*(one + another for one, another in zip(self, other, strict=True)))

    @property
    def numbers(self) -> FloatArray:
        return np.minimum(np.square(self.first) / np.where(self.second > 0, self.second, 1.0), self.rows_held)

    def are_enough(self, enough: float) -> bool:
        return bool((self.numbers >= enough).all())


@dataclass(frozen=True, eq=False)
class _HowManyValues:
    model: Model
    enough: float

    def none(self) -> _Values:
        return _Values(*(np.zeros(self.model.parameters.means.shape) for _ in _Values._fields))

    def __call__(self, rows: Rows, by: Machinery) -> _Values:
        total = self.none()
        for part in pieces(rows.shape[0], 8 * max(self.model.parameters.means.shape)):
            block = rows.take(part)
            shares = responsibilities_of(block, self.model, by).astype(np.float64)
            if block.weights is not None:
                shares[block.weights == 0] = 0.0
            has = (~np.isnan(block.values)).astype(np.float64)
            rows_held = shares.T @ has
            if block.weights is not None:
                shares *= block.weights[:, np.newaxis]
            total = total.with_more(_Values(shares.T @ has, np.square(shares).T @ has, rows_held))
            if total.are_enough(self.enough):
                break
        return total


Holders = tuple[Array, FloatArray]


def _merged(holders: Holders, more: Holders, most_kept: int) -> Holders:
    """Distinct rows, by their bytes, and their weights; where they are very many the heaviest are enough."""
    if not len(holders[0]) and len(more[0]) <= most_kept:
        return more
    both = np.concatenate([holders[0], more[0]])
    keys, which = np.unique(both, return_inverse=True)
    total = np.bincount(which, np.concatenate([holders[1], more[1]]), len(keys)).astype(np.float64)
    heaviest = np.argsort(-total)[:most_kept]
    return keys[heaviest], total[heaviest]


def _keys(values: Array) -> Array:
    contiguous = np.ascontiguousarray(values + 0.0)  # the two zeros are equal, but not in their bytes
    keys: Array = contiguous.view(np.dtype((np.void, values.shape[1] * values.itemsize)))[:, 0]
    return keys
