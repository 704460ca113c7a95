"""Where EM starts."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from fastgmm.fit.starts import _draw_rows
from fastgmm.rows import Rows

METHODS = ["kmeans", "k-means++", "random", "random_from_data"]


@pytest.fixture
def data(rng):
    return np.concatenate([rng.normal(9.0 * k, 1.0, (500, 2)) for k in range(3)])


def start(data, method, covariance_type="full", **options):
    options = {"init_params": method, "random_state": 0, "max_iter": 0} | options
    return GaussianMixture(3, covariance_type=covariance_type, **options).fit(data)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_start_is_a_sound_mixture_and_not_the_identity(data, method, covariance_type):
    estimator = start(data, method, covariance_type)
    assert estimator.weights_.sum() == pytest.approx(1.0)
    assert (estimator.weights_ > 0).all()
    assert np.isfinite(estimator.precisions_cholesky_).all()
    assert not np.allclose(estimator.covariances_, 1.0, atol=1e-3)


@pytest.mark.parametrize("method", ["k-means++", "random_from_data"])
def test_the_means_are_rows_of_the_data(data, method):
    means = start(data, method).means_
    np.testing.assert_allclose(np.abs(data[:, np.newaxis] - means).sum(axis=2).min(axis=0), 0.0, atol=1e-12)


def test_given_means_decide_the_weights_and_covariances_that_belong_to_them(data):
    means = np.array([[18.0, 18.0], [0.0, 0.0], [9.0, 9.0]])
    estimator = start(data, "kmeans", means_init=means)
    assert np.array_equal(estimator.means_, means)
    np.testing.assert_allclose(estimator.weights_, 1 / 3, atol=1e-12)
    np.testing.assert_allclose(np.trace(estimator.covariances_, axis1=1, axis2=2), 2.0, atol=0.3)


@pytest.mark.parametrize("form", ["means", "labels"])
def test_a_callable_returns_means_or_labels(data, form):
    def method(values, n_components, random_state):
        assert values.shape == (1500, 2)
        assert isinstance(random_state, np.random.RandomState)
        labels = np.repeat(np.arange(n_components), 500)
        return labels if form == "labels" else np.array([values[labels == k].mean(axis=0) for k in range(n_components)])

    expected = [data[begin : begin + 500].mean(axis=0) for begin in (0, 500, 1000)]
    np.testing.assert_allclose(start(data, method).means_, expected, rtol=1e-9)


@pytest.mark.parametrize("answer", [np.zeros((2, 2)), np.full((3, 2), np.nan), np.zeros(1500), np.full(1500, 3)])
def test_a_callable_that_returns_anything_else_is_an_error(data, answer):
    with pytest.raises(ValueError, match="A callable init_params must return"):
        start(data, lambda *_: answer)


def test_a_large_data_set_is_sampled_and_the_start_is_as_good(rng):
    large = np.concatenate([rng.normal(9.0 * k, 1.0, (40_000, 2)) for k in range(3)])
    means = np.sort(start(large, "kmeans").means_[:, 0])
    np.testing.assert_allclose(means, [0.0, 9.0, 18.0], atol=0.1)


def test_every_seed_finds_the_clusters_of_a_large_data_set(rng):
    """k-means++ and Lloyd's algorithm alone let two of them share a center from two of these seeds."""
    truth = 4.0 * rng.normal(size=(32, 16))
    large = truth[np.arange(40_000) % 32] + rng.normal(size=(40_000, 16))
    for seed in range(4):
        means = GaussianMixture(32, random_state=seed, max_iter=0).fit(large).means_
        assert np.linalg.norm(truth[:, np.newaxis] - means, axis=2).min(axis=1).max() < 0.5


def test_the_same_seed_gives_the_same_start(data):
    for method in METHODS:
        assert np.array_equal(start(data, method).means_, start(data, method).means_)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_very_many_rows_distinct_ones_that_count_are_drawn_evenly_and_again_from_the_same_seed(
    data, monkeypatch, weighted
):
    monkeypatch.setattr("fastgmm.fit.starts._MOST_ROWS_TO_PERMUTE", 100)
    rows = Rows(data, np.repeat([0.0, 1.0, 2.0], 500) if weighted else None)
    draws = [_draw_rows(rows, 300, np.random.RandomState(seed)) for seed in (0, *range(20))]
    assert np.array_equal(draws[0], draws[1])
    assert all(len(set(drawn)) == 300 for drawn in draws)
    thirds = np.bincount(np.concatenate(draws[1:]) // 500, minlength=3) / 6000
    np.testing.assert_allclose(thirds, [0.0, 0.5, 0.5] if weighted else [1 / 3] * 3, atol=0.03)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_wide_rows_start_at_random_in_smaller_blocks(rng, monkeypatch, covariance_type):
    wide, starts = rng.normal(size=(3000, 4)), []
    for n_bytes in (2**20, 32):
        monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", n_bytes)
        starts.append(start(wide, "random", covariance_type))
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(*(getattr(each, name) for each in starts), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_groups", [2, 3, 4])
@pytest.mark.parametrize("n_rows", [8192, 12_288, 16_384])
def test_rows_that_come_in_turns_are_clustered_as_well_as_any(n_groups, n_rows, rng):
    centers = rng.normal(0, 20, (n_groups, 4))
    data = centers[np.arange(n_rows) % n_groups] + rng.normal(size=(n_rows, 4))
    means = GaussianMixture(n_groups, max_iter=0, random_state=0).fit(data).means_
    assert np.abs(centers[:, np.newaxis] - means).max(axis=2).min(axis=1).max() < 0.5


def test_a_row_of_weight_zero_changes_no_start_of_many_rows(rng):
    data = np.concatenate([rng.normal(3.0 * k, 1.0, (1500, 3)) for k in range(3)])
    more = np.concatenate([data, [[7.0, 7.0, 7.0]]])
    weights = np.append(np.ones(len(data)), 0.0)
    removed = GaussianMixture(3, max_iter=0, random_state=0).fit(data, sample_weight=np.ones(len(data)))
    weighted = GaussianMixture(3, max_iter=0, random_state=0).fit(more, sample_weight=weights)
    np.testing.assert_allclose(weighted.means_, removed.means_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("covariance_type", FOUR)
def test_one_row_far_from_forty_thousand_others_is_not_missed(covariance_type, rng):
    data = rng.normal(size=(40_000, 2))
    data[12_345] = 1e4
    for seed in range(3):
        means = GaussianMixture(2, covariance_type=covariance_type, max_iter=0, random_state=seed).fit(data).means_
        assert means.max() == pytest.approx(1e4, rel=1e-3)
