"""Ward's tree, beside SciPy's."""

import numpy as np
import pytest

from fastgmm.selection.agglomeration import ward_tree


def same_partition(one, other):
    """Whether labels differ in their names alone."""
    pairs = {*zip(one.tolist(), other.tolist(), strict=True)}
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("n_clusters", [1, 2, 5, 17, 60])
def test_partitions_are_those_of_scipy(n_clusters, n_features):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    points = np.random.default_rng(n_clusters).normal(size=(60, n_features))
    expected = hierarchy.fcluster(hierarchy.ward(points), n_clusters, "maxclust")
    assert same_partition(ward_tree(points).labels(n_clusters), expected)


def test_a_whole_weight_is_the_point_repeated():
    rng = np.random.default_rng(1)
    points, weights = rng.normal(size=(30, 2)), rng.integers(1, 4, size=30)
    repeated = np.repeat(np.arange(30), weights)
    for n_clusters in (2, 4, 9):
        found = ward_tree(points, weights).labels(n_clusters)
        assert same_partition(found[repeated], ward_tree(points[repeated]).labels(n_clusters))


def test_points_that_are_the_same_are_joined_first():
    points = np.repeat([[0.0], [5.0], [6.0]], 4, axis=0)
    assert same_partition(ward_tree(points).labels(3), np.repeat([0, 1, 2], 4))
    assert same_partition(ward_tree(points).labels(2), np.repeat([0, 1, 1], 4))


def test_there_are_no_more_clusters_than_points():
    assert ward_tree(np.array([[0.0], [1.0]])).labels(5).tolist() == [0, 1]
