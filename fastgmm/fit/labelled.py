"""Starts from rows of which something is known: components keep the numbers that labels give them.

k-means begins at the means of the rows that name a component, and never assigns a row to a component that it may not
belong to [1]_. A component that enough rows name starts at the moments of these alone, which say more than distances:
components may lie within one another.

References
----------
.. [1] S. Basu, A. Banerjee and R. Mooney, "Semi-supervised clustering by seeding", ICML 2002.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.fit.kmeans import (
    Labels,
    cluster_means,
    draw,
    kmeans,
    lloyd,
    members_of_clusters,
    next_seed,
    own_distances,
    squared_distances,
)
from fastgmm.fit.maximize import SMALLEST_SHARE
from fastgmm.fit.partitions import parameters_of_partition
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import BoolArray, FloatArray, Parameters
from fastgmm.rows import Rows, are_of_table
from fastgmm.sweeps.in_memory import InMemory

# So many rows give a mean to 18 % of a deviation. From 8d rows the variance along any direction is known to a factor of
# about two, (1 ± √⅛)².
_FEWEST_ROWS, _ROWS_OF_A_FEATURE = 32, 8
_MOST_ITERATIONS = 40


def rows_of_a_component(n_features: int) -> int:
    """How many rows say roughly what a component is like."""
    return max(_FEWEST_ROWS, _ROWS_OF_A_FEATURE * n_features)


def named_components(rows: Rows) -> NDArray[np.int32]:
    """The component that is believed in most for every row (n,), −1 where several are."""
    assert rows.groups is not None
    assert rows.group_prior is not None
    table, result = rows.group_prior, np.empty(rows.shape[0], np.int32)
    if len(table) >= len(result):  # as where each row has beliefs of its own, and a sample is asked for
        for part in pieces(len(result), table[:1].nbytes):
            result[part] = _largest(rows.take(part).log_beliefs())
        return result
    named = np.full(len(table) + 1, -1, np.int32)  # the last is that of a group outside the table
    for part in pieces(len(table), table[:1].nbytes):
        named[part] = _largest(table[part])
    for part in pieces(len(result), 8):
        groups = rows.groups[part]
        result[part] = named[np.where(are_of_table(groups, table), groups, len(table))]
    return result


def _largest(beliefs: FloatArray) -> NDArray[np.intp]:
    """The component of the largest belief in each row (n,), −1 where several are."""
    by_component = np.ascontiguousarray(beliefs.T)  # NumPy takes several times as long across a few numbers of each row
    is_largest = by_component == by_component.max(axis=0)
    return np.where(is_largest.sum(axis=0) == 1, is_largest.argmax(axis=0), -1)


def labelled_members(rows: Rows, n_components: int) -> NDArray[np.intp]:
    """Some rows that name each component, in order, of those that count; without groups there are none."""
    if rows.groups is None:
        return np.empty(0, np.intp)
    named, most = named_components(rows), rows_of_a_component(rows.shape[1])
    counted = rows.counted
    members = np.flatnonzero(named >= 0 if counted is None else (named >= 0) & counted)
    chosen = [own[:: -(-len(own) // most)] for own in members_of_clusters(named[members], n_components) if len(own)]
    return np.sort(members[np.concatenate(chosen)]) if chosen else members


def with_named_means(rows: Rows, centers: FloatArray) -> FloatArray:
    """Centers (K, d), of which those that rows name are the means of these rows; without groups as they are."""
    if rows.groups is None:
        return centers
    named = named_components(rows)
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    # Rows that name no component are another cluster, past the last.
    places = np.where(named >= 0, named, len(centers)).astype(np.int64)
    return cluster_means(rows, places, weights, np.append(centers, centers[:1], axis=0))[:-1]


def labelled_seeds(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, sweep: InMemory
) -> NDArray[np.intp]:
    """A row (K,) for each cluster: k-means++ among those that may belong to it, where no row names it; else any."""
    bare, weights = replace(rows, groups=None, group_prior=None), rows.weights
    weights = np.ones(rows.shape[0]) if weights is None else weights
    named, seeds = named_components(rows), np.zeros(n_clusters, np.intp)
    is_found = np.bincount(named[named >= 0], weights[named >= 0], n_clusters) > 0
    machinery, n_trials = (sweep.backend, sweep.n_threads), 2 + int(np.log(n_clusters))
    closest: FloatArray | None = None
    if is_found.any():
        means = with_named_means(rows, np.zeros((n_clusters, rows.shape[1])))[is_found]
        closest = squared_distances(bare, means, *machinery).min(axis=1)
    for k in np.flatnonzero(~is_found):
        scores = weights * (rows.log_beliefs(int(k)) > -np.inf)
        if not scores.any():
            continue  # no row of the sample may belong to it
        if closest is None:
            seeds[k] = draw(scores, 1, random_state)[0]
            closest = squared_distances(bare, rows.values[[seeds[k]]], *machinery)[:, 0]
        else:
            seeds[k], closest = next_seed(bare, scores, closest, n_trials, random_state, *machinery)
    return seeds


def labelled_kmeans(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, sweep: InMemory
) -> tuple[FloatArray, Labels]:
    """Lloyd's algorithm, where rows go to the nearest of the centers that they may belong to.

    It begins at what labels say, and at k-means without them, whose splits and merges mend more; the clusters of this
    get the numbers that most of their rows name. The lower inertia decides.
    """
    machinery = sweep.backend, sweep.n_threads
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights / rows.weights.sum()
    seeds = labelled_seeds(rows, n_clusters, random_state, sweep)
    bare = replace(rows, groups=None, group_prior=None)
    found, labels = kmeans(bare, n_clusters, random_state, *machinery)
    starts = (
        with_named_means(rows, rows.values[seeds].astype(np.float64)),
        found[_numbers_of_clusters(rows, labels, weights, n_clusters)],
    )
    ends = [lloyd(rows, weights, start, 0.0, _MOST_ITERATIONS, *machinery) for start in starts]
    inertias = [float(weights @ own_distances(rows, labels, centers)) for centers, labels in ends]
    return ends[int(np.argmin(inertias))]


def _numbers_of_clusters(rows: Rows, labels: Labels, weights: FloatArray, n_clusters: int) -> NDArray[np.intp]:
    """Which cluster is which component (K,): pairs are made in the order of the weight of the rows that name them."""
    named = named_components(rows)
    pairs, shares = named.astype(np.int64) * n_clusters + labels, weights * (named >= 0)
    agreement = np.bincount(np.maximum(pairs, 0), shares, n_clusters**2).reshape(n_clusters, n_clusters)
    clusters = np.zeros(n_clusters, np.intp)
    for _ in range(n_clusters):
        component, cluster = np.unravel_index(np.argmax(agreement), agreement.shape)
        clusters[component] = cluster
        agreement[component, :] = agreement[:, cluster] = -1.0
    return clusters


def parameters_of_labelled(
    sweep: InMemory, rows: Rows, labels: Labels, centers: FloatArray, regularization: FloatArray
) -> Parameters:
    """The M-step of a partition, in which components that enough rows name are made of these alone."""
    named = named_components(rows)
    agrees: BoolArray = named == labels
    is_counted = agrees if rows.weights is None else agrees & (rows.weights > 0)
    is_sure: BoolArray = np.bincount(labels[is_counted], minlength=len(centers)) >= rows_of_a_component(rows.shape[1])
    if not is_sure.any():
        return parameters_of_partition(sweep, rows, labels, centers, regularization)
    speaks = np.flatnonzero(np.where(is_sure[labels], agrees, True))
    start = parameters_of_partition(sweep, rows.take(speaks), labels[speaks], centers, regularization, keep_means=False)
    shares = np.bincount(labels, rows.weights, len(centers)).astype(np.float64)
    shares = np.maximum(shares, SMALLEST_SHARE * shares.sum())
    return replace(start, weights=shares / shares.sum())


def require_possible(facts: Facts, weights: FloatArray) -> None:
    """Refuse starting weights (K,) under which a row that counts may belong to components of weight 0 alone."""
    rows = facts.rows
    if rows.groups is None or rows.group_prior is None or weights.all():
        return
    is_impossible = np.asarray(~(rows.group_prior[:, weights > 0] > -np.inf).any(axis=1))
    groups = np.flatnonzero(is_impossible & (facts.counts_of_groups > 0))
    if not len(groups):
        return
    found = np.isin(rows.groups, groups) if rows.weights is None else np.isin(rows.groups, groups) & (rows.weights > 0)
    if facts.n_rows > rows.shape[0] or not found.any():
        component = int(np.argmax(rows.group_prior[groups[0]]))
        raise ValueError(f"Labels name component {component}, whose starting weight is 0.")
    raise ValueError(f"labels[{int(np.argmax(found))}] allows components of weight 0 only.")
