"""Starts from rows whose components are known: sweeps of rows with groups, held to the oracle."""

import dataclasses

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.fit.maximize import maximize
from fastgmm.fit.partitions import parameters_of_partition
from fastgmm.fit.starts import StartOptions, make_start
from fastgmm.moments import Moments
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.problems import assert_close, draw_problem

N_ROWS, N_FEATURES, N_CLUSTERS = 300, 5, 4
NOTHING = np.zeros(N_FEATURES)


@pytest.fixture(params=["float64", "float32"])
def rows(request):
    """One row of weight 0 holds no numbers."""
    problem = draw_problem("full", N_ROWS, N_FEATURES, N_CLUSTERS, weighted=True)
    rows = problem.rows(request.param)
    values, weights = rows.values.copy(), rows.weights.copy()
    values[17], weights[17] = np.nan, 0.0
    return Rows(values, weights)


def moments_of_shares(family, rows, shares, means) -> Moments:
    """The oracle's sums over the rows that count."""
    counted = rows.weights > 0
    weighted = (rows.weights[:, np.newaxis] * shares)[counted].tolist()
    sums = naive.sums_of_shares(family.name, means.tolist(), rows.values[counted].astype(float).tolist(), weighted)
    total = float(rows.weights.sum())
    return Moments(*map(np.array, sums), total, 0.0, rows.n_counted, means, family.kernel)


def assert_same_parameters(found, expected, rows):
    tolerance = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-6}[rows.values.dtype]
    for name in ("weights", "means", "covariances"):
        assert_close(getattr(found, name), getattr(expected, name), tolerance)


@pytest.mark.parametrize("block_rows", [16_384, 64])
@pytest.mark.parametrize("keep_means", [True, False])
def test_a_partition_becomes_the_m_step_of_its_clusters(
    backend, family, rows, rng, monkeypatch, keep_means, block_rows
):
    monkeypatch.setattr("fastgmm.sweeps.labelled._BLOCK_ROWS", block_rows)
    monkeypatch.setattr("fastgmm.sweeps.labelled._BLOCK_ROWS_OF_A_CLUSTER", 1)
    labels, centers = rng.integers(N_CLUSTERS, size=N_ROWS), rng.normal(size=(N_CLUSTERS, N_FEATURES))
    moments = moments_of_shares(family, rows, np.eye(N_CLUSTERS)[labels], centers)
    if keep_means:
        moments = dataclasses.replace(moments, first=np.zeros(centers.shape))
    sweep = make_sweep(Facts(rows), family, backend, 1)
    found = parameters_of_partition(sweep, rows, labels, centers, NOTHING, keep_means)
    assert_same_parameters(found, maximize(family, moments, NOTHING), rows)
    assert not keep_means or np.array_equal(found.means, centers)


def test_an_empty_cluster_keeps_its_center(backend, family, rows):
    centers = np.arange(2.0 * N_FEATURES).reshape(2, N_FEATURES)
    found = parameters_of_partition(
        make_sweep(Facts(rows), family, backend, 1),
        rows,
        np.zeros(N_ROWS, np.int64),
        centers,
        NOTHING,
        keep_means=False,
    )
    assert np.array_equal(found.means[1], centers[1])
    assert found.weights[1] < 1e-14


def test_random_responsibilities_are_scikit_learns_draws(backend, family, rows):
    sweep = make_sweep(Facts(rows), family, backend, 1)
    found = make_start(sweep, StartOptions("random", N_CLUSTERS), NOTHING, np.random.RandomState(5))
    drawn = np.random.RandomState(5).uniform(size=(N_ROWS, N_CLUSTERS))
    shares = drawn / drawn.sum(axis=1, keepdims=True)
    moments = moments_of_shares(family, rows, shares, np.zeros((N_CLUSTERS, N_FEATURES)))
    assert_same_parameters(found, maximize(family, moments, NOTHING), rows)


@pytest.mark.parametrize("distance", [1e3, 1e5])
def test_labels_of_clusters_far_apart_keep_the_digits_of_their_covariances(backend, family, distance):
    """Also of float32 rows, whose squares about a common center would drown them."""
    clusters = np.arange(4000) % 2
    values = np.random.default_rng(0).normal(size=(4000, 3)) + distance * clusters[:, np.newaxis]
    rows = Rows(values.astype(np.float32))
    sweep = make_sweep(Facts(rows), family, backend, 1)
    centers = np.tile(sweep.facts.center, (2, 1))
    found = parameters_of_partition(sweep, rows, clusters, centers, NOTHING[:3], keep_means=False)
    matrices = family.matrices(found.covariances, 2, 3)
    for k in range(2):
        own = rows.values[clusters == k].astype(np.float64)
        assert np.trace(matrices[k]) == pytest.approx(own.var(axis=0).sum(), rel=0.05)
