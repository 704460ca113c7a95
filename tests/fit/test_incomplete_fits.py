"""Fits of rows that lack values, from the rows down."""

import logging

import numpy as np
import pytest

import fastgmm
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.fitting import fit_rows, suited_sweep
from fastgmm.fit.maximize import maximize
from fastgmm.fit.options import options_of
from fastgmm.fit.prior import default_prior
from fastgmm.fit.steps import Fit
from fastgmm.moments import Moments
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from tests import naive
from tests.problems import assert_close, draw_problem, same_bits


def with_holes(values, share, rng):
    """A copy with values missing at random."""
    return np.where(rng.random(values.shape) < share, np.nan, values)


def rows_of(family, n_rows=60, n_features=3, n_components=2, share=0.3, weighted=False):
    """A problem, and its rows with holes, one of them without any value."""
    problem = draw_problem(family, n_rows, n_features, n_components, weighted=weighted)
    values = with_holes(problem.values, share, np.random.default_rng(5))
    values[:, 0] = np.where(np.isnan(values).all(axis=1), problem.values[:, 0], values[:, 0])
    values[0] = np.nan
    return problem, Rows(values, problem.weights, has_missing=True)


def fit_of(rows: Rows, n_components: int = 2, **wishes: object) -> Fit:
    options = options_of(vars(fastgmm.GaussianMixture(n_components, random_state=0, **wishes)), "GaussianMixture")
    return fit_rows(options, rows, None)[0]


def moments_of(rows: Rows, parameters: Parameters, backend: str = "numpy", n_threads: int = 1) -> Moments:
    name = parameters.covariance_type
    sweep = suited_sweep(Facts(rows), name, parameters.n_components, backend, n_threads)
    return sweep([FAMILIES[name].model_of(parameters, rows.values.dtype)])[0]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_a_step_of_em_is_that_of_the_oracle(family, weighted, share):
    problem, rows = rows_of(family.name, weighted=weighted, share=share)
    moments = moments_of(rows, problem.parameters)
    found = maximize(family, moments, np.zeros(3), problem.parameters.covariances)
    counted = rows.values[1:].tolist()
    weights = None if rows.weights is None else rows.weights[1:].tolist()
    expected = naive.em_step_of_observed(problem.mixture, counted, weights)
    assert_close(found.weights, np.array(expected.weights), 1e-10)
    assert_close(found.means, np.array(expected.means), 1e-10)
    assert_close(found.covariances, np.array(expected.covariances), 1e-10)
    bound = naive.moments_of_observed(problem.mixture, counted, weights)
    assert moments.log_likelihood == pytest.approx(bound.log_likelihood, rel=1e-11)
    assert moments.total_weight == pytest.approx(bound.total_weight)
    assert moments.n_rows == (59 if rows.weights is None else np.count_nonzero(rows.weights[1:]))


@pytest.mark.parametrize("init_params", ["auto", "random", "random_from_data"])
def test_without_regularization_the_likelihood_never_falls(family, init_params):
    _, rows = rows_of(family.name, n_rows=400)
    fit = fit_of(rows, covariance_type=family.name, reg_covar=0.0, tol=0.0, max_iter=40, init_params=init_params)
    assert len(fit.steps) == 40
    assert all(step.change >= -1e-12 * abs(step.lower_bound) for step in fit.steps)


def test_a_fit_finds_the_parameters_that_made_the_rows(family, dtype):
    rng = np.random.default_rng(2)
    means = np.array([[0.0, 0.0, 0.0], [8.0, 4.0, -6.0]])
    values = means[rng.integers(2, size=2000)] + rng.normal(size=(2000, 3))
    rows = Rows(with_holes(values, 0.2, rng).astype(dtype), has_missing=True)
    found = fit_of(rows, covariance_type=family.name).parameters
    assert np.abs(found.means[np.argsort(found.means[:, 0])] - means).max() < 0.2
    matrices = family.matrices(found.covariances, 2, 3)
    assert np.abs(matrices - np.eye(3)).max() < 0.3


def test_rows_none_of_which_is_complete_are_fitted(family):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(300, 3)) + 9.0 * rng.integers(2, size=(300, 1))
    values[np.arange(300), rng.integers(3, size=300)] = np.nan
    fit = fit_of(Rows(values, has_missing=True), covariance_type=family.name)
    assert fit.converged
    assert np.abs(np.sort(fit.parameters.means[:, 0]) - [0.0, 9.0]).max() < 0.5


def test_rows_without_any_value_change_nothing(family):
    problem, rows = rows_of(family.name)
    found, expected = (moments_of(some, problem.parameters) for some in (rows, rows.take(slice(1, None))))
    assert same_bits(found, expected)
    assert rows.n_counted == 59


def test_holes_that_are_nowhere_give_the_moments_of_ordinary_rows(family):
    problem = draw_problem(family.name, 60, 3, 2)
    rows = Rows(problem.values)
    found, expected = (moments_of(some, problem.parameters) for some in (Rows(rows.values, has_missing=True), rows))
    assert_close(found.counts, expected.counts, 1e-13)
    assert_close(found.second, expected.second, 1e-12)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(family, n_threads):
    problem, rows = rows_of(family.name, n_rows=5000)
    alone, together = (moments_of(rows, problem.parameters, "auto", count) for count in (1, n_threads))
    assert same_bits(alone, together)


def test_a_feature_that_a_component_never_sees_keeps_its_mean_and_variance():
    """Both components lie apart in the first feature, and the rows of one lack the second."""
    values = np.array([[0.0, 1.0], [1.0, 3.0], [0.5, 2.0], [1000.0, np.nan], [1001.0, np.nan]])
    before = Parameters("diag", np.full(2, 0.5), np.array([[0.5, 2.0], [1000.0, 7.0]]), np.ones((2, 2)) * 3.0)
    after = maximize(
        FAMILIES["diag"], moments_of(Rows(values, has_missing=True), before), np.zeros(2), before.covariances
    )
    assert after.means[1, 1] == 7.0
    assert after.covariances[1, 1] == 3.0
    assert after.means[1, 0] == 1000.5


@pytest.mark.parametrize("name", ["diag", "spherical"])
def test_moments_of_complete_rows_add_to_those_with_holes(name):
    problem, rows = rows_of(name)
    complete = Rows(problem.values[:20])
    total = moments_of(complete, problem.parameters) + moments_of(rows, problem.parameters)
    both = Rows(np.concatenate([complete.values, rows.values]), has_missing=True)
    expected = moments_of(both, problem.parameters)
    assert_close(total.extra, expected.extra, 1e-12)
    assert_close(total.second, expected.second, 1e-12)


def test_moments_with_holes_are_recentred_by_the_counts_of_features(family):
    problem, rows = rows_of(family.name)
    moments = moments_of(rows, problem.parameters)
    means = problem.parameters.means + 0.5
    there, here = (
        maximize(family, some, np.zeros(3), problem.parameters.covariances)
        for some in (moments.recentred(means), moments)
    )
    assert_close(there.means, here.means, 1e-12)
    assert_close(there.covariances, here.covariances, 1e-11)


def test_a_callable_start_sees_the_rows_as_they_are(family):
    _, rows = rows_of(family.name, n_rows=200)
    seen = []

    def start(values, n_components, random_state):
        seen.append(values)
        return np.arange(len(values)) % n_components

    fit_of(rows, covariance_type=family.name, init_params=start, max_iter=1, tol=1e3)
    assert np.array_equal(seen[0], rows.values, equal_nan=True)


def test_means_of_a_callable_start_are_given_means(family):
    rng = np.random.default_rng(12)
    values = with_holes(rng.normal(size=(300, 3)) + 6.0 * rng.integers(2, size=(300, 1)), 0.4, rng)
    means = np.array([[0.0] * 3, [6.0] * 3])
    given, answered = (
        fastgmm.GaussianMixture(2, covariance_type=family.name, random_state=0, max_iter=0, **how).fit(values)
        for how in ({"means_init": means}, {"init_params": lambda *_: means})
    )
    assert np.array_equal(given.means_, answered.means_)
    assert np.array_equal(given.weights_, answered.weights_)
    assert np.array_equal(given.covariances_, answered.covariances_)


@pytest.mark.parametrize("wrong", [np.full(200, 2), np.r_[np.zeros(199, int), 2], np.zeros(150, int)])
def test_labels_of_a_callable_start_are_those_of_all_rows(monkeypatch, wrong):
    """Also where a start looks at some of them."""
    monkeypatch.setattr("fastgmm.fit.starts._SAMPLE_ROWS", 150)
    _, rows = rows_of("full", n_rows=200)
    words = r"integer labels from 0 to 1 of shape \(200,\); got an array of shape \(" + str(len(wrong))
    with pytest.raises(ValueError, match=words):
        fit_of(rows, init_params=lambda *_: wrong)


def test_beliefs_about_rows_with_holes_count(family):
    problem, holes = rows_of(family.name)
    prior = np.log([[0.1, 0.9], [1.0, 1.0]])
    groups = (np.arange(60) % 2).astype(np.int32)
    rows = Rows(holes.values, None, None, groups, prior, has_missing=True)
    found = moments_of(rows, problem.parameters)
    believed = prior[groups][1:].tolist()
    expected = naive.moments_of_observed(problem.mixture, rows.values[1:].tolist(), priors=believed)
    assert_close(found.counts, np.array(expected.counts), 1e-11)
    assert_close(found.first, np.array(expected.first), 1e-11, 60.0)


@pytest.mark.parametrize("shift", [0.0, 2.0**20])
def test_where_numbers_lie_moves_the_means_alone(family, shift):
    values = np.round(np.random.default_rng(6).normal(size=(300, 2)) * 64) / 64 + 16.0 * (np.arange(300) % 2)[:, None]
    values = with_holes(values, 0.2, np.random.default_rng(7))
    here, there = (
        fit_of(Rows(some, has_missing=True), covariance_type=family.name) for some in (values, values + shift)
    )
    assert_close(there.parameters.means - shift, here.parameters.means, 1e-6)
    assert_close(there.parameters.covariances, here.parameters.covariances, 1e-6)


def test_a_component_of_few_rows_with_holes_is_called_degenerate():
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(size=(200, 3)), [[50.0, 50.0, np.nan], [50.0, np.nan, 50.0]]])
    fit = fit_of(Rows(values, has_missing=True), means_init=[[0.0] * 3, [50.0] * 3])
    assert fit.degenerate == (1,)


def test_more_rows_than_a_start_looks_at_are_fitted_with_a_feature_that_is_seldom_observed():
    rng = np.random.default_rng(9)
    values = rng.normal(size=(20_000, 2)) + 9.0 * rng.integers(2, size=(20_000, 1))
    values[rng.random(20_000) < 0.999, 1] = np.nan
    fit = fit_of(Rows(values, has_missing=True), covariance_type="diag")
    assert np.abs(np.sort(fit.parameters.means, axis=0) - [[0.0], [9.0]]).max() < 1.5


def test_a_fit_of_rows_with_holes_ends_at_the_deadline():
    _, rows = rows_of("full", n_rows=400)
    assert fit_of(rows, tol=0.0, max_iter=100_000, deadline=0.5).stop_reason == "deadline"


def test_the_default_prior_takes_no_step_after_the_deadline():
    """It starts without correlations."""
    _, rows = rows_of("full", n_rows=200)
    facts, family = Facts(rows), FAMILIES["full"]
    sweeps = [suited_sweep(facts, "full", 2, "numpy", 1, deadline) for deadline in (0.0, np.inf)]
    late, early = (np.asarray(default_prior(family, 2, facts, sweep, 1.0).covariance) for sweep in sweeps)
    assert np.array_equal(late, np.diag(np.diagonal(late)))
    assert np.abs(early[np.triu_indices(3, 1)]).min() > 0.0
    assert fit_of(rows, prior="default", deadline=1e-9).stop_reason == "deadline"


def test_a_fit_says_how_many_values_were_missing_and_a_file_keeps_it(tmp_path, caplog):
    X = np.random.default_rng(0).normal(size=(1200, 3))
    complete = fastgmm.GaussianMixture(2, random_state=0).fit(X)
    assert complete.n_missing_ == 0
    X[:400, 1] = X[7] = np.nan
    with caplog.at_level(logging.INFO, "fastgmm"):
        fitted = complete.fit(X)
    assert fitted.n_missing_ == 402
    assert "402 of 3,600 values are missing, in 400 of 1,200 rows" in caplog.messages
    fitted.save(tmp_path / "model.npz")
    assert fastgmm.load(tmp_path / "model.npz").n_missing_ == 402
    assert fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]]).n_missing_ == 0
    X = np.concatenate([X[400:], np.full((2, 3), np.nan)])
    assert complete.fit(X).n_missing_ == complete.fit(X, labels=np.full(802, -1)).n_missing_ == 6


@pytest.mark.filterwarnings("ignore:Component 1 of 2 holds fewer than two values")
@pytest.mark.parametrize("labelled", [False, True])
def test_given_means_decide_by_what_a_row_has(family, labelled):
    """All rows of one class lack a feature, whose expectation lies near the mean of the other class."""
    rng = np.random.default_rng(10)
    values = rng.normal(size=(200, 3)) + np.repeat([[0.0], [50.0]], 100, axis=0)
    values[101:, 2] = np.nan
    labels = np.where(np.arange(200) == 150, 1, -1) if labelled else None
    options = {"covariance_type": family.name, "means_init": [[0.0] * 3, [50.0] * 3], "max_iter": 0}
    start = fastgmm.GaussianMixture(2, **options).fit(values, labels=labels)
    assert np.array_equal(start.predict(values), np.repeat([0, 1], 100))
    assert_close(start.weights_, np.array([0.5, 0.5]), 1e-12)


def test_a_whole_weight_is_the_row_repeated_in_a_start(family):
    """Of given means, which draws nothing."""
    rng = np.random.default_rng(11)
    values = with_holes(rng.normal(size=(120, 3)), 0.4, rng)
    weights = np.where(np.isnan(values).any(axis=1), 5, 1)
    options = {"covariance_type": family.name, "means_init": [[-1.0] * 3, [1.0] * 3], "max_iter": 0}
    one = fastgmm.GaussianMixture(2, **options).fit(values, sample_weight=weights)
    other = fastgmm.GaussianMixture(2, **options).fit(np.repeat(values, weights, axis=0))
    assert_close(one.weights_, other.weights_, 1e-12)
    assert_close(one.covariances_, other.covariances_, 1e-9)
