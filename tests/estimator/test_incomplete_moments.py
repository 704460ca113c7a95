"""``moments`` and ``maximized`` of rows with holes: an iteration of EM in two halves, wherever the rows lie."""

import functools
import operator
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from fastgmm.parameters import FloatArray
from tests import naive
from tests.conftest import BACKENDS
from tests.estimator.test_moments import FAR, assert_close_models, estimator_of, one_iteration
from tests.problems import Problem, assert_close, draw_problem, same_bits

COMPLETE, EMPTY = slice(0, 40), slice(60, 63)


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 200, 3, 2, weighted=True)


@pytest.fixture
def values(problem: Problem) -> FloatArray:
    """A third of the values are missing, of some rows none and of others all."""
    is_missing = np.random.default_rng(1).random(problem.values.shape) < 1 / 3
    is_missing[COMPLETE], is_missing[EMPTY] = False, True
    return np.where(is_missing, np.nan, problem.values)


@pytest.mark.parametrize("backend", BACKENDS)
def test_they_are_those_of_the_oracle(problem: Problem, values: FloatArray, backend: str) -> None:
    moments = estimator_of(problem, backend=backend).moments(values, problem.weights)
    has_any = ~np.isnan(values).all(axis=1)
    rows, weights = values[has_any].tolist(), problem.weights[has_any].tolist()
    expected = naive.moments_of_observed(problem.mixture, rows, weights)
    assert_close(moments.counts, np.array(expected.counts), 1e-12)
    assert_close(moments.first, np.array(expected.first), 1e-11, sum(weights))
    second = np.array(expected.second)  # of spherical components feature by feature
    assert_close(moments.second, second.sum(axis=1) if problem.family.name == "spherical" else second, 1e-12)
    assert (moments.extra.size > 0) == (expected.observed is not None)
    if expected.observed is not None:
        assert_close(moments.extra, np.array(expected.observed), 1e-12)
    assert moments.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)
    assert moments.total_weight == pytest.approx(expected.total_weight, rel=1e-12)
    assert moments.n_rows == np.count_nonzero(has_any)


@pytest.mark.parametrize("cuts", [[50], [20, 40, 60, 63]], ids=["two", "of one kind each"])
def test_those_of_parts_add_up_to_those_of_the_whole(problem: Problem, values: FloatArray, cuts: list[int]) -> None:
    """Also where a part has complete rows alone, or none that says anything."""
    gm = estimator_of(problem)
    parts = zip(np.split(values, cuts), np.split(problem.weights, cuts), strict=True)
    total = functools.reduce(operator.add, (gm.moments(*part) for part in parts))
    whole = gm.moments(values, problem.weights)
    for name in ("counts", "second", "extra", "total_weight", "log_likelihood"):
        assert_close(getattr(total, name), getattr(whole, name), 1e-12)
    assert_close(total.first, whole.first, 1e-11, whole.total_weight)
    assert total.n_rows == whole.n_rows


@pytest.mark.parametrize("shift", [0.0, FAR], ids=["here", "far"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_follows_is_an_iteration_of_a_fit(problem: Problem, values: FloatArray, shift: float, dtype: str) -> None:
    if shift and dtype == "float32":
        return
    gm, rows = estimator_of(problem, shift, reg_covar=1e-3), (np.round(values * 2**20) / 2**20 + shift).astype(dtype)
    after = gm.maximized(gm.moments(rows, problem.weights))
    assert_close_models(after, one_iteration(gm, rows, problem.weights), 1e-12 if dtype == "float64" else 1e-6)


def test_iterations_of_parts_end_where_a_fit_ends(problem: Problem, values: FloatArray) -> None:
    gm = estimator_of(problem, tol=1e-9, max_iter=2000)
    expected = GaussianMixture(**gm.get_params()).set_params(warm_start=True)
    expected.weights_, expected.means_, expected.covariances_ = gm.weights_, gm.means_, gm.covariances_
    expected.fit(values)
    for _ in range(expected.n_iter_):
        gm = gm.maximized(gm.moments(values[:90]) + gm.moments(values[90:]))
    assert_close_models(gm, expected, 1e-10)


def test_they_travel(problem: Problem, values: FloatArray, tmp_path: Path) -> None:
    gm = estimator_of(problem)
    moments = gm.moments(values)
    fastgmm.save_moments(tmp_path / "moments.npz", moments)
    loaded = fastgmm.load_moments(tmp_path / "moments.npz")
    assert same_bits(loaded, moments)
    assert np.array_equal(gm.maximized(loaded).covariances_, gm.maximized(moments).covariances_)


def test_rows_without_any_value_have_none(problem: Problem, values: FloatArray) -> None:
    gm = estimator_of(problem)
    nothing = gm.moments(values[EMPTY])
    assert (nothing.n_rows, nothing.total_weight, nothing.log_likelihood, nothing.counts.sum()) == (0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="moments of no weight"):
        gm.maximized(nothing)


def test_they_are_of_the_model_that_scores_also_where_a_root_was_set_by_hand(
    problem: Problem, values: FloatArray
) -> None:
    gm = estimator_of(problem)
    gm.precisions_cholesky_ = 3.0 * gm.precisions_cholesky_
    moments = gm.moments(values)
    assert moments.log_likelihood / moments.total_weight == pytest.approx(gm.score(values), rel=1e-12)
