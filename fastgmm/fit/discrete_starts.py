"""Starts of mixtures of counts and categories."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.validation import as_float
from fastgmm.entries import Entries
from fastgmm.families.discrete import DiscreteFamily
from fastgmm.fit.degenerate import Degenerate
from fastgmm.fit.discrete_options import DiscreteStart
from fastgmm.fit.runs import ROUNDING, Judge, Stopping, run_update
from fastgmm.fit.update import Update
from fastgmm.machine.pieces import pieces
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, IntArray, Parameters
from fastgmm.sweeps.of_entries import OfEntries, about_nothing, evaluate_entries

# So many rows for each component, and no fewer than the first number, say where components may be.
_SAMPLE_ROWS, _ROWS_OF_A_COMPONENT = 2000, 50
# Seeds are looked for among dense rows, a few at a time: of very many features fewer rows must do.
_NUMBERS_OF_A_SAMPLE, _FEWEST_ROWS_OF_A_COMPONENT = 10_000_000, 5
# Of the seeds that 'auto' tries a few iterations on the sample tell the likeliest.
_CANDIDATES, _ITERATIONS = 4, 8
_RandomState = Callable[[], np.random.RandomState]


@dataclass(frozen=True, eq=False)
class StartingPoint:
    """What the options say of a start."""

    n_components: int
    method: DiscreteStart
    weights: ArrayLike | None = None
    means: ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class Starts:
    """Makes starts for a fit: ``make`` gives another one in every call, but where all of it is given."""

    sweep: OfEntries
    family: DiscreteFamily
    update: Update
    given: StartingPoint

    def make(self, random_state: _RandomState) -> Parameters:
        """The start that was given, or one by the method."""
        weights, means = self._given()
        if means is None and self.given.n_components == 1:
            means = _maximized(self, _moments_of_beliefs(self.sweep, 1)).means
        if means is None:
            found = self._found(random_state())
            return found if weights is None else replace(found, weights=weights)
        n_components = len(means)
        weights = np.full(n_components, 1.0 / n_components) if weights is None else weights
        return _parameters(self.family, weights, means)

    def _given(self) -> tuple[FloatArray | None, FloatArray | None]:
        """Weights and means that make a mixture; ``ValueError`` for others."""
        given, width = self.given, self.sweep.rows.n_features
        weights = None if given.weights is None else as_float(given.weights, "weights_init").astype(np.float64)
        means = None if given.means is None else as_float(given.means, "the start").astype(np.float64)
        if weights is not None:
            sound = weights.shape == (given.n_components,) and np.isfinite(weights).all() and (weights >= 0).all()
            if not sound or not np.isclose(weights.sum(), 1.0):
                raise ValueError(f"weights_init must be {given.n_components} shares that sum to 1; got {weights}.")
        if means is not None:
            if means.shape != (given.n_components, width) or not (np.isfinite(means) & (means >= 0)).all():
                raise ValueError(
                    f"The probabilities or rates of a start must be finite, not negative, and of the shape "
                    f"{(given.n_components, width)}; got {means.shape}."
                )
            if self.family.name == "bernoulli" and (means > 1).any():
                raise ValueError("The probabilities of a start must not be larger than 1.")
            # As an M-step would leave them, within its bounds.
            means = self.family.maximize(means, np.ones(means.shape), 0.0, np.zeros(width))
        return weights, means

    def _found(self, random_state: np.random.RandomState) -> Parameters:
        n_components, method = self.given.n_components, self.given.method
        if method == "random":
            return _maximized(self, _moments_at_random(self.sweep, n_components, random_state))
        sample = _sample(self.sweep.rows, n_components, random_state)
        center = center_of(sample, self.sweep.backend)
        if method != "auto":
            return self._from_rows(sample, center, random_state, far_apart=method == "k-means++")
        constants = self.family.log_constants(sample)
        of_sample = replace(self.sweep, rows=sample, constant=float(constants.sum()))
        judge = Judge(Stopping(0.0, _ITERATIONS), ROUNDING[np.dtype(np.float64)], _no_degenerate, is_logged=False)
        tried = [
            run_update(of_sample, self.update, self._from_rows(sample, center, random_state, far_apart=True), judge)
            for _ in range(_CANDIDATES)
        ]
        return max(tried, key=lambda fit: fit.lower_bound).parameters

    def _from_rows(
        self, sample: Entries, center: FloatArray, random_state: np.random.RandomState, far_apart: bool
    ) -> Parameters:
        """Equal weights, and components about rows, each half-way between a row and the means of all."""
        n_components = self.given.n_components
        of_labels = _means_of_labels(self, sample, center)
        named = [] if of_labels is None else np.flatnonzero(~np.isnan(of_labels[:, 0])).tolist()
        seeds = _Seeds(self.family, sample, center, self.sweep.backend)
        if of_labels is not None:
            for component in named:
                seeds.see(of_labels[component])
        means = np.empty((n_components, sample.n_features))
        for component in range(n_components):
            if of_labels is not None and component in named:
                means[component] = of_labels[component]
                continue
            row = seeds.draw(random_state, far_apart)
            means[component] = seeds.mean_about(row)
            seeds.see(means[component])
        return _parameters(self.family, np.full(n_components, 1.0 / n_components), means)


class _Seeds:
    """k-means++ with log-densities in place of squared distances [1]_: how much better than by the seeds a row would be
    described by itself.

    References
    ----------
    .. [1] A. Banerjee, S. Merugu, I. Dhillon and J. Ghosh, "Clustering with Bregman divergences", JMLR 6 (2005).
    """

    def __init__(self, family: DiscreteFamily, rows: Entries, center: FloatArray, backend: str) -> None:
        self.family, self.rows, self.center, self.backend = family, rows, center, backend
        self.best = np.full(rows.n_rows, -np.inf)
        self.own = np.empty(rows.n_rows)
        for part in pieces(rows.n_rows, 64 * rows.n_features):
            self.own[part] = self._by_themselves(rows.part(part))

    def _between(self, dense: FloatArray) -> FloatArray:
        """Half-way between rows and the center, which is what they have where they lack a value."""
        half_way = np.where(np.isnan(dense), self.center, dense) + self.center
        return self.family.maximize(half_way, np.full(dense.shape, 2.0), 0.0, self.center)

    def _by_themselves(self, some: Entries) -> FloatArray:
        dense = some.dense()
        theta, base = self.family.natural(self._between(dense))
        is_missing = np.isnan(dense)
        own: FloatArray = np.where(is_missing, 0.0, np.where(is_missing, 0.0, dense) * theta + base).sum(axis=1)
        return own

    def mean_about(self, row: int) -> FloatArray:
        mean: FloatArray = self._between(self.rows.part(slice(row, row + 1)).dense())[0]
        return mean

    def see(self, mean: FloatArray) -> None:
        """One more seed."""
        one = _parameters(self.family, np.ones(1), mean[np.newaxis])
        rows = replace(self.rows, groups=None, group_prior=None)
        found = evaluate_entries(rows, self.family.prepare(one, rows.has_missing), self.backend, 1, "log_density")
        np.maximum(self.best, found, out=self.best)

    def draw(self, random_state: np.random.RandomState, far_apart: bool) -> int:
        """A row by its weight, and the further it is from all seeds the likelier where they should be far apart."""
        shares = np.ones(self.rows.n_rows) if self.rows.weights is None else self.rows.weights
        if far_apart and np.isfinite(self.best).all():
            apart = shares * np.maximum(self.own - self.best, 0.0)
            shares = apart if apart.sum() > 0 else shares
        cumulative = np.cumsum(shares)
        drawn = np.searchsorted(cumulative, random_state.uniform() * cumulative[-1], side="right")
        return int(min(drawn, np.flatnonzero(shares)[-1]))


def _no_degenerate(model: object) -> Degenerate:
    return Degenerate()


def _parameters(family: DiscreteFamily, weights: FloatArray, means: FloatArray) -> Parameters:
    return Parameters(family.name, weights, means, np.empty((len(weights), 0)))


def _sample(rows: Entries, n_components: int, random_state: np.random.RandomState) -> Entries:
    """Some of the rows that weigh something, evenly, and all that have a group where these are few."""
    counted = np.arange(rows.n_rows) if rows.weights is None else np.flatnonzero(rows.weights)
    wanted = max(_SAMPLE_ROWS, n_components * _ROWS_OF_A_COMPONENT)
    wanted = max(_FEWEST_ROWS_OF_A_COMPONENT * n_components, min(wanted, _NUMBERS_OF_A_SAMPLE // rows.n_features))
    if len(counted) <= wanted:
        return rows if len(counted) == rows.n_rows else rows.take(counted)
    edges = np.linspace(0, len(counted), wanted + 1)
    places = (edges[:-1] + random_state.uniform(size=wanted) * np.diff(edges)).astype(np.intp)
    chosen = counted[np.minimum(places, len(counted) - 1)]
    if rows.groups is not None:
        known = np.flatnonzero(rows.groups >= 0)
        chosen = np.union1d(chosen, known[:: max(1, len(known) // wanted)])
    return rows.take(chosen)


def center_of(rows: Entries, backend: str) -> FloatArray:
    """The means (D,) of all rows, of the values that they have."""
    alone = replace(rows, groups=None, group_prior=None)
    moments = OfEntries(alone, backend, 1).moments(about_nothing(rows.n_lines, 1), "")
    seen = moments.extra[0] if rows.has_missing else moments.counts[0]
    center: FloatArray = moments.first[0] / np.where(seen > 0, seen, 1.0)
    return center


def _moments_of_beliefs(sweep: OfEntries, n_components: int) -> Moments:
    """Those of rows whose responsibilities are what is believed of them."""
    return sweep.moments(about_nothing(sweep.rows.n_lines, n_components), "")


def _moments_at_random(sweep: OfEntries, n_components: int, random_state: np.random.RandomState) -> Moments:
    """Those of responsibilities that are drawn, a block of rows at a time."""
    total: Moments | None = None
    for part in pieces(sweep.rows.n_rows, 8 * n_components):
        block = sweep.rows.part(part)
        with np.errstate(divide="ignore"):
            prior = np.log(random_state.uniform(size=(block.n_rows, n_components)))
        if block.groups is not None and block.group_prior is not None:
            known = (block.groups >= 0) & (block.groups < len(block.group_prior))
            prior[known] += block.group_prior[block.groups[known]]
        groups = np.arange(block.n_rows, dtype=np.int32)
        believed = replace(sweep, rows=replace(block, groups=groups, group_prior=prior), constant=0.0)
        moments = _moments_of_beliefs(believed, n_components)
        total = moments if total is None else total + moments
    assert total is not None
    return total


def _maximized(starts: Starts, moments: Moments) -> Parameters:
    """The M-step of moments that no model has given."""
    shape = moments.first.shape
    center = center_of(starts.sweep.rows, starts.sweep.backend)
    means = starts.family.maximize(np.tile(center, (shape[0], 1)), np.ones(shape), 0.0, center)
    before = starts.update.prepare(_parameters(starts.family, np.full(shape[0], 1.0 / shape[0]), means))
    return starts.update.maximize(moments, before)


def _means_of_labels(starts: Starts, sample: Entries, center: FloatArray) -> FloatArray | None:
    """Of the rows that name one component (K, D), NaN of those that none names; None without any."""
    if sample.groups is None or sample.group_prior is None:
        return None
    table = sample.group_prior
    name_one: IntArray = np.flatnonzero((table > -np.inf).sum(axis=1) == 1)
    named = np.flatnonzero(np.isin(sample.groups, name_one))
    if not len(named):
        return None
    some = sample.take(named)
    moments = _moments_of_beliefs(replace(starts.sweep, rows=some, constant=0.0), table.shape[1])
    seen = moments.extra if some.has_missing else np.repeat(moments.counts[:, np.newaxis], some.n_features, axis=1)
    # Half a row of the means of all, so that nothing is impossible.
    means = starts.family.maximize(moments.first + 0.5 * center, seen + 0.5, 0.0, center)
    means[moments.counts <= 0] = np.nan
    return means
