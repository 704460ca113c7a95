"""k-means++ and Lloyd's algorithm."""

import numpy as np
import pytest

from fastgmm.kernels.contract import Rows
from fastgmm.kmeans import kmeans, kmeans_plusplus, nearest, squared_distances


def blobs(rng, n_blobs=4, size=200):
    centers = 20.0 * np.arange(n_blobs)[:, np.newaxis] * np.ones(3)
    return np.concatenate([rng.normal(center, 1.0, (size, 3)) for center in centers]) - centers.mean()


def distances_by_hand(values, centers):
    return ((values[:, np.newaxis, :] - centers) ** 2).sum(axis=2)


def test_squared_distances_and_nearest_centers_are_those_by_hand(backend, rng):
    values, centers = rng.normal(size=(300, 5)), rng.normal(size=(7, 5))
    by_hand = distances_by_hand(values, centers)
    np.testing.assert_allclose(squared_distances(Rows(values), centers, backend, 1), by_hand, rtol=1e-12)
    assert np.array_equal(nearest(Rows(values), centers, backend, 1), by_hand.argmin(axis=1))


def test_seeds_are_distinct_rows_far_from_each_other(backend, rng):
    values = blobs(rng)
    seeds = kmeans_plusplus(Rows(values), 4, np.random.RandomState(0), backend, 1)
    assert all((values == seed).all(axis=1).any() for seed in seeds)
    assert sorted(distances_by_hand(blobs(rng), seeds).argmin(axis=1)[::200]) == [0, 1, 2, 3]


def test_rows_of_weight_zero_are_never_seeds(backend, rng):
    values = blobs(rng)
    weights = np.repeat([1.0, 1.0, 1.0, 0.0], 200)
    seeds = kmeans_plusplus(Rows(values, weights), 5, np.random.RandomState(0), backend, 1)
    assert not any((values[600:] == seed).all(axis=1).any() for seed in seeds)


def test_clusters_far_apart_are_found(backend, rng):
    values = blobs(rng)
    centers, labels = kmeans(Rows(values), 4, np.random.RandomState(1), backend, 1)
    assert [len(set(labels[begin : begin + 200])) for begin in range(0, 800, 200)] == [1, 1, 1, 1]
    for k in range(4):
        np.testing.assert_allclose(centers[k], values[labels == k].mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("n_distinct", [1, 2, 3])
def test_more_clusters_than_distinct_rows_end_in_finite_centers(backend, n_distinct):
    values = np.tile(np.arange(float(n_distinct))[:, np.newaxis], (20, 2))
    centers, labels = kmeans(Rows(values), 5, np.random.RandomState(0), backend, 1)
    assert np.isfinite(centers).all()
    assert np.array_equal(centers[labels], values)
