"""k-means++, and Lloyd's algorithm with splits and merges."""

import numpy as np
import pytest

from fastgmm.fit.kmeans import kmeans, kmeans_plusplus, nearest, split_and_merge, squared_distances
from fastgmm.rows import Rows


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
    assert sorted(seeds // 200) == [0, 1, 2, 3]


def test_rows_of_weight_zero_are_never_seeds(backend, rng):
    values = blobs(rng)
    weights = np.repeat([1.0, 1.0, 1.0, 0.0], 200)
    seeds = kmeans_plusplus(Rows(values, weights), 5, np.random.RandomState(0), backend, 1)
    assert (seeds < 600).all()


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


def means_and_inertia(values, weights, labels, n_clusters):
    means = np.array([np.average(values[labels == k], axis=0, weights=weights[labels == k]) for k in range(n_clusters)])
    return means, float(weights @ ((values - means[labels]) ** 2).sum(axis=1))


def test_a_center_shared_by_two_clusters_and_two_centers_in_a_third_are_mended_at_once(rng):
    values = blobs(rng)
    labels = np.concatenate([np.zeros(400, np.int64), np.full(200, 1), rng.integers(2, 4, 200)])
    weights = np.ones(800)
    means, _ = means_and_inertia(values, weights, labels, 4)
    centers = split_and_merge(Rows(values), labels, weights, means, np.random.RandomState(0))
    found = distances_by_hand(values, centers).argmin(axis=1).reshape(4, 200)
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0])) == 4


@pytest.mark.parametrize("n_features", [1, 2, 7])
def test_splits_and_merges_never_raise_the_inertia(rng, n_features):
    for seed in range(20):
        values, weights = rng.standard_t(3, size=(300, n_features)), rng.uniform(0.1, 3.0, 300)
        rows, n_clusters = Rows(values, weights), int(rng.integers(1, 12))
        labels = rng.permutation(np.arange(300) % n_clusters)
        means, before = means_and_inertia(values, weights, labels, n_clusters)
        centers = split_and_merge(rows, labels, weights, means, np.random.RandomState(seed))
        after = float(weights @ distances_by_hand(values, centers).min(axis=1))
        assert after <= before * (1 + 1e-12)


def test_clusters_far_apart_are_found_from_every_seed(backend, rng):
    """Sixteen: k-means++ alone, and Lloyd's algorithm after it, miss one from every third seed."""
    truth = 10.0 * rng.normal(size=(16, 4))
    values = np.repeat(truth, 50, axis=0) + rng.normal(size=(800, 4))
    for seed in range(10):
        centers, _ = kmeans(Rows(values), 16, np.random.RandomState(seed), backend, 1)
        assert distances_by_hand(truth, centers).min(axis=1).max() < 2.0


def test_only_the_proportions_of_weights_count(backend, rng):
    values, weights = blobs(rng), rng.uniform(0.5, 2.0, 800)
    expected, _ = kmeans(Rows(values, weights), 6, np.random.RandomState(0), backend, 1)
    for scale in (2.0**-400, 2.0**400):
        centers, _ = kmeans(Rows(values, scale * weights), 6, np.random.RandomState(0), backend, 1)
        np.testing.assert_allclose(centers, expected, rtol=1e-12)


def test_the_number_of_threads_changes_no_bit(backend, rng):
    values = rng.normal(size=(9000, 3))
    one, _ = kmeans(Rows(values), 9, np.random.RandomState(0), backend, 1)
    two, _ = kmeans(Rows(values), 9, np.random.RandomState(0), backend, 2)
    assert np.array_equal(one, two)
