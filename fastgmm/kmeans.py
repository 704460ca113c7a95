"""k-means++ and Lloyd's algorithm, on the kernels of the spherical family.

With unit variance and no constant the joint log-density is −½‖x − c‖², so that the largest is the nearest center.
Data are expected to be centered.
"""

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.contract import Backend, Rows
from fastgmm.parameters import FloatArray, PreparedSpherical
from fastgmm.sweep import evaluate

_MOST_ITERATIONS = 40
# Seeds are drawn from so many rows, and so many for each cluster: each costs a pass over them.
_SEED_ROWS = 16_384
_SEED_ROWS_PER_CLUSTER = 16
_BLOCK_ROWS = 4096
# scikit-learn's: the squared movement of all centers, as a share of the mean variance of the features.
_TOLERANCE = 1e-4

Labels = NDArray[np.int64]


def _prepare_centers(centers: FloatArray, rows: Rows) -> PreparedSpherical:
    dtype = rows.values.dtype
    return PreparedSpherical(
        np.zeros(len(centers), dtype), np.array(centers, np.float64, order="C"), np.ones(len(centers), dtype)
    )


def nearest(rows: Rows, centers: FloatArray, backend: Backend, n_threads: int) -> Labels:
    """The index of the nearest center of every row."""
    return evaluate(rows, _prepare_centers(centers, rows), backend, n_threads, "labels")


def squared_distances(rows: Rows, centers: FloatArray, backend: Backend, n_threads: int) -> FloatArray:
    """‖x − c‖² of every row and center, (n, n_centers)."""
    joint = evaluate(rows, _prepare_centers(centers, rows), backend, n_threads, "joint")
    result: FloatArray = -2.0 * joint.astype(np.float64)
    return result


def kmeans_plusplus(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, backend: Backend, n_threads: int
) -> FloatArray:
    """Centers drawn from the rows far from each other: greedy k-means++ [1]_.

    Every center is the best of ``2 + ⌊log K⌋`` rows, each drawn with probability proportional to w·D²(x), the
    weighted squared distance to the centers chosen before.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    n_trials = 2 + int(np.log(n_clusters))
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    centers = np.empty((n_clusters, rows.shape[1]))
    centers[0] = rows.values[_draw(weights, 1, random_state)[0]]
    closest = squared_distances(rows, centers[:1], backend, n_threads)[:, 0]
    for k in range(1, n_clusters):
        scores = weights * closest
        # Where every row is a center already, any row will do.
        candidates = _draw(scores if scores.sum() > 0 else weights, n_trials, random_state)
        tried = rows.values[candidates].astype(np.float64)
        distances = np.minimum(squared_distances(rows, tried, backend, n_threads), closest[:, np.newaxis])
        best = int(np.argmin(weights @ distances))
        centers[k], closest = tried[best], distances[:, best]
    return centers


def _draw(scores: FloatArray, size: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """Indices drawn with probabilities proportional to the scores."""
    cumulative = np.cumsum(scores)
    drawn = np.searchsorted(cumulative, random_state.uniform(size=size) * cumulative[-1], side="right")
    # Rounding may lead past the last positive score.
    bounded: NDArray[np.intp] = np.minimum(drawn, np.flatnonzero(scores)[-1])
    return bounded


def kmeans(
    rows: Rows, n_clusters: int, random_state: np.random.RandomState, backend: Backend, n_threads: int
) -> tuple[FloatArray, Labels]:
    """Lloyd's algorithm from k-means++ centers: centers (K, d) and the labels of the rows.

    Stops when the centers hardly move, or after forty iterations: EM does the rest better.
    """
    seed_rows = rows.thinned(max(_SEED_ROWS, _SEED_ROWS_PER_CLUSTER * n_clusters))
    centers = kmeans_plusplus(seed_rows, n_clusters, random_state, backend, n_threads)
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    tolerance = _TOLERANCE * float(np.average(np.square(rows.values, dtype=np.float64).mean(axis=1), weights=weights))
    labels = nearest(rows, centers, backend, n_threads)
    for _ in range(_MOST_ITERATIONS):
        moved = _cluster_means(rows, labels, weights, centers)
        moved = _refill_empty(rows, labels, weights, moved)
        movement = float(np.square(moved - centers).sum())
        centers, before = moved, labels
        labels = nearest(rows, centers, backend, n_threads)
        if movement <= tolerance or np.array_equal(labels, before):
            break
    return centers, labels


def _cluster_means(rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray) -> FloatArray:
    """Weighted means of the clusters; an empty one keeps its center."""
    n_clusters = len(centers)
    counts = np.bincount(labels, weights, n_clusters)
    sums = np.stack([np.bincount(labels, weights * column, n_clusters) for column in rows.values.T], axis=1)
    return np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, 1e-300)[:, np.newaxis], centers)


def _own_distances(rows: Rows, labels: Labels, centers: FloatArray) -> FloatArray:
    """The squared distance of every row to the center of its cluster, a block of rows at a time."""
    distances = np.empty(rows.shape[0])
    for begin in range(0, len(distances), _BLOCK_ROWS):
        block = slice(begin, begin + _BLOCK_ROWS)
        distances[block] = np.square(rows.values[block] - centers[labels[block]]).sum(axis=1)
    return distances


def _refill_empty(rows: Rows, labels: Labels, weights: FloatArray, centers: FloatArray) -> FloatArray:
    """Move the centers of empty clusters to the rows farthest from their own centers."""
    empty = np.flatnonzero(np.bincount(labels, weights, len(centers)) == 0)
    if not len(empty):
        return centers
    distances = _own_distances(rows, labels, centers) * (weights > 0)
    farthest = np.argsort(distances)[::-1][: len(empty)]
    farthest = farthest[distances[farthest] > 0]
    refilled = centers.copy()
    refilled[empty[: len(farthest)]] = rows.values[farthest]
    return refilled
