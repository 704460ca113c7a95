"""k-means++ and Lloyd's algorithm with splits and merges, on the kernels of the spherical family.

With unit variance and no constant the joint log-density is −½‖x − c‖², so that the largest is the nearest center.
Data are expected to be centered.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.backend import Backend
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, FloatArray, PreparedSpherical
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate

# Iterations of Lloyd's algorithm before each round of splits and merges, and after the last round: forty in all. On 12
# mixtures of 10 to 40 clusters with 6000 rows, four seeds each, 35 % of the runs came within 0.2 % of the best inertia
# without a round, 77 % with one, 79 % with two or these three, 81 % with six, which took half as much time again. Half
# or twice the iterations before or after the rounds changed one run in 48 at most. See also `bench.lab.starts`.
_ITERATIONS_BEFORE_SPLITS = (3, 3, 6)
_ITERATIONS_AFTER_SPLITS = 28
# Seeds are drawn from so many rows, and so many for each cluster, since each costs a pass over them. With 2048 of
# the 6000 rows 75 % of the same runs came to the best inertia. Of 16 rows for each cluster, one of the mean size has
# none with a probability of e⁻¹⁶.
_SEED_ROWS = 16_384
_SEED_ROWS_PER_CLUSTER = 16
# Lloyd's algorithm ends where the squared movement of all centers is at most this share of the mean variance of the
# features, as in scikit-learn.
_TOLERANCE = 1e-4
# For so many numbers one call of `bincount` takes 80 μs whatever the number of clusters, a loop over 64 clusters 680.
_FEW_NUMBERS = 2**14
# With so few clusters, products with indicators are two to seven times as fast as gathering the rows of each; with 64
# clusters and 64 features they are as slow.
_FEW_CLUSTERS, _ROWS_OF_A_PRODUCT = 16, 64
# It stands for a weight of 0 in a divisor, and is smaller than any weight that counts.
_TINY = 1e-300

Labels = NDArray[np.int64]


def _prepare_centers(centers: Array, rows: Rows) -> PreparedSpherical:
    dtype = rows.values.dtype
    return PreparedSpherical(
        np.zeros(len(centers), dtype), np.array(centers, np.float64, order="C"), np.ones(len(centers), dtype)
    )


def nearest(rows: Rows, centers: FloatArray, backend: Backend, n_threads: int) -> Labels:
    """The index of the nearest center of every row."""
    return evaluate(rows, _prepare_centers(centers, rows), backend, n_threads, "labels")


def squared_distances(rows: Rows, centers: Array, backend: Backend, n_threads: int) -> FloatArray:
    """‖x − c‖² of every row and center, (n, n_centers)."""
    joint = evaluate(rows, _prepare_centers(centers, rows), backend, n_threads, "joint")
    result: FloatArray = -2.0 * joint.astype(np.float64)
    return result


def kmeans_plusplus(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, backend: Backend, n_threads: int
) -> NDArray[np.intp]:
    """Which rows (n_clusters,) to begin with as centers, far from each other: greedy k-means++ [1]_.

    Every center is the best of ``2 + ⌊log K⌋`` rows, each drawn with probability proportional to w·D²(x), the
    weighted squared distance to the centers chosen before.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    n_trials = 2 + int(np.log(n_clusters))
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    chosen = np.empty(n_clusters, np.intp)
    chosen[0] = draw(weights, 1, random_state)[0]
    closest = squared_distances(rows, rows.values[chosen[:1]], backend, n_threads)[:, 0]
    for k in range(1, n_clusters):
        chosen[k], closest = next_seed(rows, weights, closest, n_trials, random_state, backend, n_threads)
    return chosen


def next_seed(
    rows: Rows,
    weights: FloatArray,
    closest: FloatArray,
    n_trials: int,
    random_state: np.random.RandomState,
    backend: Backend,
    n_threads: int,
) -> tuple[int, FloatArray]:
    """The best of some rows drawn, given ``closest`` (n,), D² to the centers so far; and ``closest`` with it."""
    scores = weights * closest
    # Where every row is a center already, any row will do.
    candidates = draw(scores if scores.sum() > 0 else weights, n_trials, random_state)
    distances = squared_distances(rows, rows.values[candidates], backend, n_threads)
    distances = np.minimum(distances, closest[:, np.newaxis])
    best = int(np.argmin(weights @ distances))
    return int(candidates[best]), distances[:, best]


def draw(scores: FloatArray, size: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """Indices drawn with probabilities proportional to the scores."""
    cumulative = np.cumsum(scores)
    drawn = np.searchsorted(cumulative, random_state.uniform(size=size) * cumulative[-1], side="right")
    # Rounding may lead past the last positive score.
    bounded: NDArray[np.intp] = np.minimum(drawn, np.flatnonzero(scores)[-1])
    return bounded


def kmeans(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, backend: Backend, n_threads: int
) -> tuple[FloatArray, Labels]:
    """Lloyd's algorithm from k-means++ centers, with splits and merges: centers (K, d) and the labels of the rows.

    Lloyd's algorithm alone hardly ever moves a center from one dense region to another: it ends where two clusters
    share a center while a third has two. Splits and merges between its iterations mend that.

    Ends when the centers hardly move, or after forty iterations: EM does the rest better.
    """
    if n_clusters == 1:
        labels = np.zeros(rows.shape[0], np.int64)
        weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
        return cluster_means(rows, labels, weights, np.zeros((1, rows.shape[1]))), labels
    seed_rows = rows.thinned(max(_SEED_ROWS, _SEED_ROWS_PER_CLUSTER * n_clusters))
    seeds = kmeans_plusplus(seed_rows, n_clusters, random_state, backend, n_threads)
    centers = seed_rows.values[seeds].astype(np.float64)
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights / rows.weights.sum()
    lengths = own_distances(rows, np.zeros(rows.shape[0], np.int64), np.zeros((1, rows.shape[1])))
    tolerance = _TOLERANCE * float(np.average(lengths, weights=weights)) / rows.shape[1]
    # An exchange takes three clusters.
    for n_iterations in _ITERATIONS_BEFORE_SPLITS if n_clusters > 2 else ():
        centers, labels = lloyd(rows, weights, centers, tolerance, n_iterations, backend, n_threads)
        centers = split_and_merge(rows, labels, weights, centers, random_state)
    return lloyd(rows, weights, centers, tolerance, _ITERATIONS_AFTER_SPLITS, backend, n_threads)


def lloyd(
    rows: Rows,
    weights: FloatArray,
    centers: FloatArray,
    tolerance: float,
    most_iterations: int,
    backend: Backend,
    n_threads: int,
) -> tuple[FloatArray, Labels]:
    """Lloyd's algorithm: assign rows to the nearest centers and move these to their means, until they hardly move."""
    labels = nearest(rows, centers, backend, n_threads)
    for _ in range(most_iterations):
        moved = cluster_means(rows, labels, weights, centers)
        moved = _refill_empty(rows, labels, weights, moved)
        movement = float(np.square(moved - centers).sum())
        centers, before = moved, labels
        labels = nearest(rows, centers, backend, n_threads)
        if movement <= tolerance or np.array_equal(labels, before):
            break
    return centers, labels


def split_and_merge(
    rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray, random_state: np.random.RandomState
) -> FloatArray:
    """The centers after every exchange that lowers the inertia: one cluster is split, two others are merged [1]_.

    As one cluster, parts of weights a and b with means p and q have a·b/(a + b)·‖p − q‖² more inertia than as two [2]_:
    a split gains it, a merge loses it. Centers of clusters that take no part become the means of their rows.

    References
    ----------
    .. [1] T. Kaukoranta, P. Fränti and O. Nevalainen, "Iterative split-and-merge algorithm for vector quantization
       codebook generation", Optical Engineering 37 (1998).
    .. [2] J. H. Ward, "Hierarchical grouping to optimize an objective function", JASA 58 (1963).
    """
    halves, sizes = _halves(rows, labels, weights, centers, random_state)
    gains = _joined_inertia(*sizes, *halves)
    counts = sizes.sum(axis=0)
    means: FloatArray = halves[0] + (sizes[1] / np.maximum(counts, _TINY))[:, np.newaxis] * (halves[1] - halves[0])
    partners, losses = _cheapest_merges(counts, means)
    changed, is_taken = means.copy(), np.zeros(len(means), bool)
    for split in np.argsort(-gains):
        if is_taken[split]:
            continue
        # No cluster takes part twice: after the first time its gain and its loss are others.
        is_closed = is_taken | is_taken[partners] | (partners == split)
        is_closed[split] = True
        merged = int(np.argmin(np.where(is_closed, np.inf, losses)))
        if is_closed[merged] or gains[split] <= losses[merged]:
            break
        pair = [merged, partners[merged]]
        share = counts[pair[1]] / max(counts[pair].sum(), _TINY)
        changed[merged] += share * (means[pair[1]] - means[merged])
        changed[split], changed[pair[1]] = halves[:, split]
        is_taken[[split, *pair]] = True
    return changed


def _joined_inertia(a: FloatArray, b: FloatArray, p: FloatArray, q: FloatArray) -> FloatArray:
    """How much more inertia clusters of weights a and b with means p and q have as one than as two."""
    result: FloatArray = a * (b / np.maximum(a + b, _TINY)) * np.square(p - q).sum(axis=-1)
    return result


def _cheapest_merges(counts: FloatArray, means: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """For every cluster the one that it merges with at the least loss, and this loss."""
    partners, losses = np.empty(len(counts), np.intp), np.empty(len(counts))
    for k in range(len(counts)):
        loss = _joined_inertia(counts[k : k + 1], counts, means[k], means)
        loss[k] = np.inf
        partners[k], losses[k] = np.argmin(loss), loss.min()
    return partners, losses


def _halves(
    rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray, random_state: np.random.RandomState
) -> tuple[FloatArray, FloatArray]:
    """Means (2, K, d) and weights (2, K) of two halves of every cluster.

    A cluster is cut through its center, across the direction of a row drawn with probability proportional to w·D²(x),
    which most likely lies along a long axis. A step of Lloyd's algorithm between the halves makes the cut a better one.
    """
    n_clusters = len(centers)
    # Of quotients s/e with e from the exponential distribution, the largest is that of a row with probability ∝ s.
    scores = weights * own_distances(rows, labels, centers) / random_state.standard_exponential(len(labels))
    order = np.argsort(scores)
    drawn = np.zeros(n_clusters, np.intp)
    drawn[labels[order]] = order  # the last of a cluster stays
    points, directions = centers, rows.values[drawn] - centers
    for _ in range(2):
        sides = _is_beyond(rows, labels, points, directions)
        half_labels = labels + n_clusters * sides
        means = cluster_means(rows, half_labels, weights, np.concatenate([centers, centers]))
        halves = means.reshape(2, n_clusters, -1)
        points, directions = halves.mean(axis=0), halves[1] - halves[0]
    sizes = np.bincount(half_labels, weights, 2 * n_clusters).astype(np.float64)
    return halves, sizes.reshape(2, n_clusters)


def _is_beyond(rows: Rows, labels: Labels, points: FloatArray, directions: FloatArray) -> NDArray[np.bool_]:
    """Whether a row lies beyond its cluster's point in its cluster's direction, a block of rows at a time."""
    result = np.empty(rows.shape[0], bool)
    for block in pieces(len(result), points[:1].nbytes):
        differences = rows.values[block] - points[labels[block]]
        result[block] = np.einsum("ij,ij->i", differences, directions[labels[block]]) > 0
    return result


def cluster_means(rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray) -> FloatArray:
    """Weighted means of the clusters; an empty one keeps its center."""
    counts = np.bincount(labels, weights, len(centers))
    sums = _sums_of_clusters(rows, labels, weights, len(centers))
    return np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, _TINY)[:, np.newaxis], centers)


def _sums_of_clusters(rows: Rows, labels: Labels, weights: FloatArray, n_clusters: int) -> FloatArray:
    """Σ wx (K, d): in a single call, by products with indicators, or cluster by cluster, as is fastest."""
    n_features = rows.shape[1]
    if rows.values.size <= _FEW_NUMBERS:
        places = labels[:, np.newaxis] * n_features + np.arange(n_features)
        weighted = weights[:, np.newaxis] * rows.values
        at_once = np.bincount(places.ravel(), weighted.ravel(), n_clusters * n_features).astype(np.float64)
        return at_once.reshape(n_clusters, n_features)
    sums = np.zeros((n_clusters, n_features))
    if n_clusters <= _FEW_CLUSTERS:
        # Products so small that BLAS keeps to one thread.
        for part in pieces(len(labels), sums.nbytes, at_least=_ROWS_OF_A_PRODUCT):
            indicators = np.zeros((len(labels[part]), n_clusters))
            indicators[np.arange(len(indicators)), labels[part]] = weights[part]
            sums += indicators.T @ rows.values[part]
        return sums
    for k, members in enumerate(members_of_clusters(labels, n_clusters)):
        for part in pieces(len(members), sums[k].nbytes):
            sums[k] += (weights[members[part], np.newaxis] * rows.values[members[part]]).sum(axis=0)
    return sums


def members_of_clusters(labels: NDArray[np.integer[Any]], n_clusters: int) -> list[NDArray[np.intp]]:
    """The rows of every cluster, in order."""
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=n_clusters))
    return np.split(order, ends[:-1])


def own_distances(rows: Rows, labels: Labels, centers: FloatArray) -> FloatArray:
    """The squared distance of every row to the center of its cluster, a block of rows at a time."""
    distances = np.empty(rows.shape[0])
    for block in pieces(len(distances), centers[:1].nbytes):
        differences = rows.values[block] - centers[labels[block]]
        distances[block] = np.einsum("ij,ij->i", differences, differences)
    return distances


def _refill_empty(rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray) -> FloatArray:
    """Move the centers of empty clusters to the rows farthest from their own centers."""
    empty = np.flatnonzero(np.bincount(labels, weights, len(centers)) == 0)
    if not len(empty):
        return centers
    distances = own_distances(rows, labels, centers) * (weights > 0)
    farthest = np.argsort(distances)[::-1][: len(empty)]
    farthest = farthest[distances[farthest] > 0]
    refilled = centers.copy()
    refilled[empty[: len(farthest)]] = rows.values[farthest]
    return refilled
