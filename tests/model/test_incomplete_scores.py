"""Scores of rows that lack values: the marginal density of what is there, compared with the oracle."""

import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.parameters import FloatArray
from tests import naive
from tests.problems import TOLERANCE, Problem, assert_close, draw_problem

N_ROWS = 203


def model_of(problem: Problem, backend: str = "auto") -> GaussianMixture:
    given = problem.parameters
    return GaussianMixture.from_parameters(
        given.weights, given.means, given.covariances, given.covariance_type, backend=backend
    )


def with_holes(values: FloatArray) -> FloatArray:
    """A third of the values missing, of the last row all, and none of the first two."""
    holes = np.random.default_rng(1).uniform(size=values.shape) < 1 / 3
    holes[:2], holes[-1] = False, True
    return np.where(holes, np.nan, values)


def marginal_joint(problem: Problem, row: FloatArray) -> list[float]:
    """log wₖ + log N(observed values | k), by the oracle."""
    observed = [j for j, value in enumerate(row) if not math.isnan(value)]
    mixture = problem.mixture
    result = []
    for k, (weight, mean) in enumerate(zip(mixture.weights, mixture.means, strict=True)):
        matrix = naive.covariance_matrix(mixture, k)
        factor = naive.cholesky([[matrix[i][j] for j in observed] for i in observed])
        normal = naive.log_normal([row[j] for j in observed], [mean[j] for j in observed], factor)
        result.append(math.log(weight) + normal)
    return result


def oracle_joint(problem: Problem, rows: FloatArray) -> FloatArray:
    return np.array([marginal_joint(problem, row) for row in rows])


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, N_ROWS, 4, 3)


def test_scores_are_those_of_the_marginal_mixture(problem: Problem, backend: Backend, dtype: str) -> None:
    rows, model = with_holes(problem.values), model_of(problem, backend.name)
    joint = oracle_joint(problem, rows)
    log_density = np.array([naive.log_sum_exp(row) for row in joint])
    given = rows.astype(dtype)
    assert_close(model.predict_joint_log_proba(given), joint, TOLERANCE[dtype])
    assert_close(model.score_samples(given), log_density, TOLERANCE[dtype])
    assert_close(model.predict_proba(given), np.exp(joint - log_density[:, np.newaxis]), 10 * TOLERANCE[dtype])
    assert np.array_equal(model.predict(given), joint.argmax(axis=1))
    assert model.score_samples(given).dtype == dtype


def test_a_row_without_any_value_has_density_1_and_the_weights_as_probabilities(
    problem: Problem, backend: Backend, dtype: str
) -> None:
    model, nothing = model_of(problem, backend.name), np.full((1, 4), np.nan, dtype)
    np.testing.assert_allclose(model.score_samples(nothing), [0.0], atol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(model.predict_proba(nothing)[0], model.weights_, rtol=10 * np.finfo(dtype).eps)


def test_rows_without_any_value_count_in_no_mean_and_no_criterion(problem: Problem) -> None:
    model, rows = model_of(problem), with_holes(problem.values)
    padded = np.vstack([np.full((5, 4), np.nan), rows])
    weights = np.random.default_rng(2).uniform(1, 2, len(padded))
    for method in (model.score, model.bic, model.aic):
        assert method(padded) == pytest.approx(method(rows[:-1]), rel=1e-12)
        assert method(padded, sample_weight=weights) == pytest.approx(
            method(rows[:-1], sample_weight=weights[5:-1]), rel=1e-12
        )


@pytest.mark.parametrize("method", ["score", "bic", "aic"])
def test_of_rows_without_any_value_there_is_no_score(method: str) -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match=r"^All rows of X are without any observed value\.$"):
        getattr(model, method)(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match=r"^All rows of X of positive sample_weight are without any observed value\.$"):
        getattr(model, method)([[np.nan, np.nan], [1.0, 2.0]], sample_weight=[1.0, 0.0])


def test_a_row_has_the_same_bits_alone_and_among_others(problem: Problem, backend: Backend, dtype: str) -> None:
    model, rows = model_of(problem, backend.name), with_holes(problem.values).astype(dtype)
    order = np.random.default_rng(3).permutation(len(rows))
    for method in (model.score_samples, model.predict_joint_log_proba, model.predict_proba):
        together = method(rows)
        assert np.array_equal(method(rows[order]), together[order])
        assert all(np.array_equal(method(rows[i : i + 1])[0], together[i]) for i in range(0, len(rows), 7))


def test_complete_rows_have_the_bits_that_they_have_without_others(problem: Problem, backend: Backend) -> None:
    model, rows = model_of(problem, backend.name), with_holes(problem.values)
    is_complete = ~np.isnan(rows).any(axis=1)
    assert is_complete.sum() > 10
    for method in (model.score_samples, model.predict_joint_log_proba, model.predict):
        assert np.array_equal(method(rows)[is_complete], method(rows[is_complete]))


def test_float32_rows_in_absurd_units_are_computed_in_double_precision() -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[1e50, 1e50]], "diag")
    row = np.array([[1e25, np.nan]], np.float32)
    expected = -0.5 * (math.log(2 * math.pi) + 1) - 25 * math.log(10)
    assert model.score_samples(row)[0] == pytest.approx(expected, rel=1e-6)


def test_scores_follow_a_root_that_was_set_by_hand() -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag")
    model.score_samples([[0.0, np.nan]])
    model.precisions_cholesky_ = np.array([[0.5, 1.0]])
    assert model.score_samples([[2.0, np.nan]])[0] == pytest.approx(-0.5 * (math.log(8 * math.pi) + 1))
    model.precisions_cholesky_[0, 0] = 1.0
    assert model.score_samples([[2.0, np.nan]])[0] == pytest.approx(-0.5 * (math.log(2 * math.pi) + 4))
