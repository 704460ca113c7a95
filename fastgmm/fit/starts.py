"""Where EM starts: k-means in one scale or several, k-means++, random responsibilities, rows of the data, given means.

A start is a set of parameters that a rough partition of the data suggests. On large data the partition is made on a
sample of the rows, so that a start costs no more than a few iterations of EM.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.facts import Facts
from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.candidates import (
    Partition,
    default_scale,
    in_scale,
    likeliest_candidate,
    parameters_of_clusters,
    partition,
)
from fastgmm.fit.errors_of_rows import less_errors
from fastgmm.fit.filling import filled, filled_by_centers, with_left_over
from fastgmm.fit.kmeans import kmeans_plusplus, nearest
from fastgmm.fit.labelled import labelled_members, labelled_seeds, rows_of_a_component, with_named_means
from fastgmm.fit.loadings import rows_for_loadings, with_loadings
from fastgmm.fit.maximize import maximize
from fastgmm.fit.partitions import moments_of_groups, parameters_of_partition
from fastgmm.machine.pieces import pieces, places_of_nonzero
from fastgmm.parameters import Array, FloatArray, IntArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, make_sweep
from fastgmm.sweeps.incomplete import IncompleteSweep
from fastgmm.sweeps.over_blocks import AnySweep, OverBlocks
from fastgmm.sweeps.uncertain import UncertainSweep

# Rows that a partition looks at, unless components need more. The number was chosen by hand; `bench.lab.starts` found
# 4096 to do as well for choosing among candidates.
_SAMPLE_ROWS = 16_384
# Responsibilities are drawn for a block at a time: of 1 MB of rows (`pieces`), where a row counts for 256 bytes at the
# least, so that a block has no more than 4096 rows, and no fewer than 512, the rows of a tile.
_BYTES_OF_A_NARROW_ROW, _FEWEST_ROWS_OF_A_BLOCK = 256, 512
# To permute so many rows takes a tenth of a second.
_MOST_ROWS_TO_PERMUTE = 2**22

StartFunction: TypeAlias = Callable[[Array, int, np.random.RandomState], ArrayLike]


@dataclass(frozen=True, eq=False)
class StartOptions:
    """What the user said about the start; ``method`` is a name or a callable, ``means`` are less the rows' origin."""

    method: str | StartFunction
    n_components: int
    weights: FloatArray | None = None
    means: FloatArray | None = None
    covariances: FloatArray | None = None

    def given(self, family: CovarianceFamily) -> Parameters | None:
        """The start where all of it was given."""
        if self.weights is None or self.means is None or self.covariances is None:
            return None
        return Parameters(family.name, self.weights, self.means, self.covariances)


def make_start(
    sweep: AnySweep,
    options: StartOptions,
    regularization: FloatArray,
    random_state: np.random.RandomState,
) -> Parameters:
    """Starting parameters of the method; those that were given replace them.

    Given means decide the partition, so that weights and covariances belong to them. Where values are missing the
    start is one of a sample that has none. Of rows in blocks it is one of some rows. Of rows of known errors it is one
    of what was measured, whose covariances are those of true values and errors together.
    """
    if isinstance(sweep, OverBlocks):
        return make_start(sweep.over_some(), options, regularization, random_state)
    if isinstance(sweep, UncertainSweep):
        start = make_start(sweep.as_measured, options, regularization, random_state)
        return start if options.covariances is not None else less_errors(sweep, start)
    family = sweep.family
    if isinstance(sweep, IncompleteSweep):
        start = _from_filled_sample(sweep, options, regularization, random_state)
    elif options.means is None and options.method == "random":
        start = _random_responsibilities(sweep, options.n_components, regularization, random_state)
    else:
        start = _from_partition(sweep, options, regularization, random_state)
    given = Parameters(
        family.name,
        start.weights if options.weights is None else options.weights,
        start.means if options.means is None else options.means,
        start.covariances if options.covariances is None else options.covariances,
    )
    return loaded(sweep, given, regularization, random_state)


def loaded(
    sweep: AnySweep, start: Parameters, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """With the loadings that some rows suggest, where the family has loadings, and the start has none."""
    rank = sweep.family.rank
    if rank is None:
        return start
    sweep = sweep.over_some() if isinstance(sweep, OverBlocks) else sweep
    assert isinstance(sweep, InMemory)  # rows with holes are refused where a family has loadings
    wanted = rows_for_loadings(start.n_components, rank)
    sample = sweep.rows.take(sampled(sweep.rows, wanted, random_state))
    return with_loadings(sweep, sample, start, regularization, random_state)


def _from_filled_sample(
    sweep: IncompleteSweep, options: StartOptions, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """The start of rows whose missing values are filled.

    These vary too little, so that what is left over of their variances is added to the covariances. Of 16 fits to 2500
    rows of four clusters in four features, a fifth or half of the values missing, that made the likelihood of nine
    larger by 0.001 to 0.11 and of one smaller by 0.003.
    """
    rows, family, labels = sweep.facts.rows, sweep.family, None
    if callable(options.method) and options.means is None:
        means, labels = _answer_of(options.method, rows, options.n_components, random_state)
        options = replace(options, means=means)
    members = sampled(rows, rows_of_a_sample(options.n_components, rows.shape[1]), random_state)
    if len(members) < sweep.facts.n_counted:
        members = np.union1d(members, sweep.facts.extreme_rows)
        if rows.groups is not None:
            members = np.union1d(members, labelled_members(rows, options.n_components))
    if options.means is None:
        sample = filled(sweep, members)
    else:
        sample = filled_by_centers(sweep, members, options.means, default_scale(sweep.facts.sample, sweep.complete))
    if labels is not None:
        of_sample = labels[members]
        options = replace(options, method=lambda *_: of_sample)
    over_sample = make_sweep(Facts(sample.rows), family, sweep.backend, sweep.n_threads)
    start = make_start(over_sample, options, regularization, random_state)
    return start if options.covariances is not None else with_left_over(family, start, sample.left_over)


def _from_partition(
    sweep: InMemory, options: StartOptions, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """Assign a sample of the rows to centers; weights, and covariances about the centers, follow."""
    n_components, means = options.n_components, options.means
    if callable(options.method) and means is None:
        return _from_callable(sweep, options.method, n_components, regularization, random_state)
    if means is None and options.method == "random_from_data":
        drawn = sweep.rows.take(_draw_rows(sweep.rows, n_components, random_state))
        means = drawn.points().astype(np.float64)
    shift = sweep.facts.center
    members = sampled(sweep.rows, rows_of_a_partition(sweep, n_components), random_state)
    is_default = means is None and options.method == "auto" and n_components > 1
    if is_default and len(members) < sweep.facts.n_counted:
        # One row far from all others is worth a component, and a sample would most often miss it.
        members = np.union1d(members, sweep.facts.extreme_rows)
    is_labelled = sweep.rows.groups is not None and options.means is None
    if is_labelled and len(members) < sweep.facts.n_counted:
        members = np.union1d(members, labelled_members(sweep.rows, n_components))
    sample = centered(sweep.rows, members, shift)
    if is_default:
        start = likeliest_candidate(sweep, sample, n_components, regularization, random_state)
    else:
        given = None if means is None else means - shift
        if is_labelled and given is not None:
            given = with_named_means(sample, given)
        clusters = _partition(sweep, sample, options.method, given, n_components, random_state)
        if is_labelled:
            start = parameters_of_clusters(sweep, sample, clusters, regularization)
        else:
            start = parameters_of_partition(sweep, sample, clusters.labels, clusters.centers, regularization)
    return replace(start, means=start.means + shift)


def _partition(
    sweep: InMemory,
    sample: Rows,
    method: str | StartFunction,
    means: FloatArray | None,
    n_components: int,
    random_state: np.random.RandomState,
) -> Partition:
    """The sample's rows with the nearest of the means that are given, or of those that the method finds."""
    if means is None and (method == "kmeans" or n_components == 1):
        return partition(sample, None, n_components, random_state, sweep)
    scale = default_scale(sample, sweep)
    scaled = in_scale(sample, scale)
    if means is None:
        means = _seeds(sweep, sample, scaled, n_components, random_state)
    centers = means if scale is None else means / scale
    return Partition(means, nearest(scaled, centers, sweep.backend, sweep.n_threads))


def _seeds(
    sweep: InMemory, sample: Rows, scaled: Rows, n_components: int, random_state: np.random.RandomState
) -> FloatArray:
    """The rows of the sample that k-means++ finds; means of those that name a component."""
    if sample.groups is None:
        seeds = kmeans_plusplus(scaled, n_components, random_state, sweep.backend, sweep.n_threads)
    else:
        seeds = labelled_seeds(scaled, n_components, random_state, sweep)
    return with_named_means(sample, sample.values[seeds].astype(np.float64))


def _from_callable(
    sweep: InMemory,
    method: StartFunction,
    n_components: int,
    regularization: FloatArray,
    random_state: np.random.RandomState,
) -> Parameters:
    """The start that a user's means or labels suggest."""
    means, labels = _answer_of(method, sweep.rows, n_components, random_state)
    if labels is None:
        options = StartOptions("auto", n_components, means=means)
        return _from_partition(sweep, options, regularization, random_state)
    shift = sweep.facts.center
    start = np.broadcast_to(shift, (n_components, sweep.rows.shape[1]))
    return parameters_of_partition(sweep, sweep.rows, labels, start, regularization, keep_means=False)


def _answer_of(
    method: StartFunction, rows: Rows, n_components: int, random_state: np.random.RandomState
) -> tuple[FloatArray | None, IntArray | None]:
    """What a user's start says: means (n_components, n_features), or a label for every row; the other one is None."""
    n_rows, n_features = rows.shape
    answer = np.asarray(method(rows.values, n_components, random_state))
    if answer.shape == (n_components, n_features) and answer.dtype.kind == "f" and np.isfinite(answer).all():
        return answer, None
    is_labels = answer.shape == (n_rows,) and answer.dtype.kind in "iu"
    if not is_labels or answer.min() < 0 or answer.max() >= n_components:
        raise ValueError(
            "A callable init_params must return finite means of shape (n_components, n_features) = "
            f"{(n_components, n_features)} or integer labels from 0 to {n_components - 1} of shape ({n_rows},); "
            f"got an array of shape {answer.shape} and dtype {answer.dtype}"
        )
    return None, answer


def _random_responsibilities(
    sweep: InMemory, n_components: int, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """The M-step of responsibilities drawn at random."""
    means = np.tile(sweep.facts.center, (n_components, 1))
    moments = moments_of_groups(sweep, _believed_at_random(sweep.rows, n_components, random_state), means)
    return maximize(sweep.family, moments, regularization)


def _believed_at_random(rows: Rows, n_components: int, random_state: np.random.RandomState) -> Iterator[Rows]:
    """Every row with responsibilities of its own, scikit-learn's draws yet to be made sum to 1, a block at a time."""
    n_bytes = max(rows.shape[1] * np.dtype(np.float64).itemsize, _BYTES_OF_A_NARROW_ROW)
    for part in pieces(rows.shape[0], n_bytes, at_least=_FEWEST_ROWS_OF_A_BLOCK):
        drawn = random_state.uniform(size=(part.stop - part.start, n_components))
        block = rows.take(part)
        with np.errstate(divide="ignore"):
            prior = np.log(drawn)
        if block.groups is not None:
            prior += block.log_beliefs()
        yield replace(block, groups=np.arange(len(prior), dtype=np.int32), group_prior=prior)


def rows_of_a_sample(n_components: int, n_features: int) -> int:
    """How many rows a partition looks at."""
    return max(_SAMPLE_ROWS, n_components * rows_of_a_component(n_features))


def rows_of_a_partition(sweep: InMemory, n_components: int) -> int:
    """How many rows one looks at; components that stretch in few directions need no more for these."""
    n_features, rank = sweep.rows.shape[1], sweep.family.rank
    return rows_of_a_sample(n_components, n_features if rank is None else min(n_features, rank + 1))


def sampled(rows: Rows, wanted: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """So many rows that a partition looks at: all that count where these are few, else some of them, evenly."""
    counted = rows.counted
    candidates = None if counted is None else places_of_nonzero(counted, np.intp)
    n_candidates = rows.shape[0] if candidates is None else len(candidates)
    if n_candidates <= wanted:
        return np.arange(n_candidates) if candidates is None else candidates
    positions = one_of_each_stretch(n_candidates, wanted, random_state)
    return positions if candidates is None else candidates[positions]


def one_of_each_stretch(n_candidates: int, n_stretches: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """A place drawn from each of so many equal stretches of all."""
    edges = np.linspace(0, n_candidates, n_stretches + 1)
    places = (edges[:-1] + random_state.uniform(size=n_stretches) * np.diff(edges)).astype(np.intp)
    return np.minimum(places, n_candidates - 1)


def centered(rows: Rows, members: NDArray[np.intp], shift: FloatArray) -> Rows:
    """Some of the rows less the shift, in C order whatever that of the data, which would decide the order of sums."""
    values = np.empty((len(members), rows.shape[1]), rows.values.dtype)
    for part in pieces(len(members), shift.nbytes):
        values[part] = rows.take(members[part]).points() - shift
    groups = None if rows.groups is None else rows.groups[members]
    weights = None if rows.weights is None else rows.weights[members]
    return Rows(values, weights, groups=groups, group_prior=rows.group_prior)


def _draw_rows(rows: Rows, size: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """Distinct rows of positive weight: scikit-learn's draws, which permute all rows, where these are not too many."""
    candidates = rows.shape[0] if rows.weights is None else places_of_nonzero(rows.weights, np.intp)
    if rows.shape[0] <= _MOST_ROWS_TO_PERMUTE:
        drawn: NDArray[np.intp] = random_state.choice(candidates, size=size, replace=False)
        return drawn
    # The same stream of random numbers, of which this needs no more than rows are drawn.
    generator = np.random.Generator(random_state._bit_generator)
    return generator.choice(candidates, size=size, replace=False)
