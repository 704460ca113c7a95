"""What missing values are expected to be, and draws of them, compared with the oracle."""

import math
import tracemalloc
from typing import Any, cast

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from fastgmm.model import impute as imputation
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows
from tests import naive
from tests.model.test_incomplete_scores import marginal_joint, model_of, with_holes
from tests.problems import TOLERANCE, Problem, assert_close, draw_problem


def test_what_float32_does_not_hold_is_its_largest_number():
    gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 900.0], [900.0, 1e6]]])
    X = np.array([[1e38, np.nan]], np.float32)
    assert gm.impute(X)[0, 1] == np.finfo(np.float32).max
    assert gm.impute(X, n_draws=1, random_state=0)[0, 0, 1] == np.finfo(np.float32).max


def solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """x with matrix·x = right, by the oracle's factor."""
    factor = naive.cholesky(matrix)
    y, d = naive.solve_lower(factor, right), len(right)
    x = [0.0] * d
    for i in reversed(range(d)):
        x[i] = (y[i] - math.fsum(factor[j][i] * x[j] for j in range(i + 1, d))) / factor[i][i]
    return x


def conditional(problem: Problem, row: FloatArray, feature: int) -> tuple[float, float]:
    """Mean and standard deviation of a missing value given those that the row has."""
    observed = [j for j, value in enumerate(row) if not math.isnan(value)]
    mixture, joint = problem.mixture, marginal_joint(problem, row)
    total = naive.log_sum_exp(joint)
    means, variances, shares = [], [], [math.exp(each - total) for each in joint]
    for k, mean in enumerate(mixture.means):
        matrix = naive.covariance_matrix(mixture, k)
        block = [[matrix[i][j] for j in observed] for i in observed]
        coefficients = solved(block, [matrix[feature][j] for j in observed])
        shifts = [b * (row[j] - mean[j]) for b, j in zip(coefficients, observed, strict=True)]
        known = [b * matrix[feature][j] for b, j in zip(coefficients, observed, strict=True)]
        means.append(mean[feature] + math.fsum(shifts))
        variances.append(matrix[feature][feature] - math.fsum(known))
    center = math.fsum(r * m for r, m in zip(shares, means, strict=True))
    spread = [r * (v + (m - center) ** 2) for r, v, m in zip(shares, variances, means, strict=True)]
    return center, math.sqrt(math.fsum(spread))


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 60, 4, 3)


def test_means_and_deviations_are_those_of_the_oracle(problem: Problem, dtype: str) -> None:
    rows = with_holes(problem.values)
    mean, deviation = rows.copy(), np.zeros(rows.shape)
    for i, j in np.argwhere(np.isnan(rows)):
        mean[i, j], deviation[i, j] = conditional(problem, rows[i], j)
    found = model_of(problem).impute(rows.astype(dtype), return_std=True)
    assert all(each.dtype == dtype for each in found)
    assert_close(found[0], mean, 10 * TOLERANCE[dtype])
    assert_close(found[1], deviation, 10 * TOLERANCE[dtype])
    assert np.array_equal(model_of(problem).impute(rows.astype(dtype)), found[0])


def test_what_is_observed_stays_and_the_data_are_not_changed(problem: Problem) -> None:
    rows = with_holes(problem.values)
    before, is_observed = rows.copy(), ~np.isnan(rows)
    draws = model_of(problem).impute(rows, n_draws=2, random_state=0)
    assert draws.shape == (2, *rows.shape)
    assert not np.isnan(draws).any()
    for filled in (model_of(problem).impute(np.asfortranarray(rows)), *draws):
        assert np.array_equal(filled[is_observed], rows[is_observed])
    assert np.array_equal(rows, before, equal_nan=True)


def test_complete_rows_come_back(problem: Problem) -> None:
    model = model_of(problem)
    mean, deviation = model.impute(problem.values, return_std=True)
    assert np.array_equal(mean, problem.values)
    assert not deviation.any()
    assert np.array_equal(model.impute(problem.values, n_draws=2)[1], problem.values)


def test_draws_have_the_conditional_moments(problem: Problem) -> None:
    """Of 10,000 draws a mean is off by 1/100 of a deviation, a deviation by some more where tails are long."""
    rows, model = with_holes(problem.values)[[5, 9, -1]], model_of(problem)
    is_missing = np.isnan(rows)
    assert is_missing.any(axis=1).all()
    mean, deviation = (each[is_missing] for each in model.impute(rows, return_std=True))
    draws = model.impute(rows, n_draws=10_000, random_state=1)[:, is_missing]
    assert (np.abs(draws.mean(axis=0) - mean) < 0.06 * deviation).all()
    assert (np.abs(draws.std(axis=0) - deviation) < 0.06 * deviation).all()


def test_draws_of_a_row_without_any_value_have_the_covariance_of_the_mixture(problem: Problem) -> None:
    model, given = model_of(problem), problem.parameters
    draws = model.impute(np.full((20_000, 4), np.nan), n_draws=1, random_state=2)[0]
    matrices = problem.family.matrices(given.covariances, 3, 4)
    mean = given.weights @ given.means
    between = given.means - mean
    covariance = np.einsum("k,kij->ij", given.weights, np.broadcast_to(matrices, (3, 4, 4)))
    covariance += (given.weights[:, np.newaxis] * between).T @ between
    assert_close(np.cov(draws.T), covariance, 0.1)


def test_draws_are_those_of_the_seed(problem: Problem) -> None:
    model, rows = model_of(problem), with_holes(problem.values)
    first, again = (model.impute(rows, n_draws=3, random_state=7) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert np.array_equal(model.set_params(random_state=7).impute(rows, n_draws=3), first)


def test_pieces_of_the_rows_change_no_more_than_rounding(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, model = with_holes(problem.values), model_of(problem)
    whole = model.impute(rows, return_std=True)
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 700)
    for one, other in zip(model.impute(rows, return_std=True), whole, strict=True):
        assert_close(one, other, 1e-13)


@pytest.mark.parametrize("n_draws", [None, 5])
def test_signals_are_answered_after_every_megabyte_of_an_answer(n_draws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which a copy of the rows is the first."""
    rows, scorer, n_asked = Rows(np.zeros((200_000, 3))), cast(Scorer, None), 0

    def count() -> None:
        nonlocal n_asked
        n_asked += 1

    monkeypatch.setattr("fastgmm.model.impute._batches", lambda *arguments: iter(()))
    monkeypatch.setattr("fastgmm.machine.pieces.check", count)
    if n_draws is None:
        answer = imputation.expected(rows, scorer, 1)
        assert np.array_equal(imputation.expected_with_deviations(rows, scorer, 1)[0], answer)
        n_asked //= 2
    else:
        answer = imputation.drawn(rows, scorer, 1, n_draws, np.random.RandomState(0))
    assert n_asked >= answer.nbytes // 2**20


def test_a_nearly_singular_covariance_has_no_negative_variance() -> None:
    """x₂ is x₀ + x₁ but for 1e-6."""
    factor = np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 1e-6]])
    model = GaussianMixture.from_parameters([1.0], np.zeros((1, 3)), [factor @ factor.T], reg_covar=0)
    mean, deviation = model.impute([[1.0, 2.0, np.nan], [np.nan, 2.0, 3.0]], return_std=True)
    np.testing.assert_allclose([mean[0, 2], mean[1, 0]], [3.0, 1.0], rtol=1e-3)
    np.testing.assert_allclose([deviation[0, 2], deviation[1, 0]], 1e-6, rtol=1e-2)


@pytest.mark.parametrize("n_draws", [0, -1, 1.5, True, "2", np.nan])
def test_draws_are_a_whole_number(n_draws: object) -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match=r"The 'n_draws' parameter of impute must be a whole number from 1\. Got"):
        model.impute([[np.nan]], n_draws=n_draws)


def test_draws_have_no_deviations() -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match="return_std=True is for means"):
        model.impute([[np.nan]], n_draws=2, return_std=True)


def test_rows_are_checked_as_for_every_score() -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 1"):
        model.impute([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.impute([[np.inf]])
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture().impute([[1.0]])


@pytest.mark.parametrize("wishes", [{}, {"n_draws": 1}], ids=str)
def test_little_memory_is_needed_above_the_answer(wishes: dict[str, object]) -> None:
    """A copy of the rows would take 10 MB, and the probabilities of all of them 26."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(160_000, 8))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    identity = np.broadcast_to(np.eye(8), (20, 8, 8))
    model = GaussianMixture.from_parameters(np.full(20, 0.05), rng.normal(size=(20, 8)), identity)
    tracemalloc.start()
    try:
        answer = model.impute(rows, **wishes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - answer.nbytes <= 8e6


@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_patterns_of_any_numbers_of_rows_are_those_of_rows_alone(problem: Problem, n_rows: int) -> None:
    rows, model = np.repeat(with_holes(problem.values), n_rows, axis=0), model_of(problem)
    alone = [np.concatenate(each) for each in zip(*(model.impute(r[None], return_std=True) for r in rows), strict=True)]
    for together, one_by_one in zip(model.impute(rows, return_std=True), alone, strict=True):
        assert_close(together, one_by_one, 1e-12)


def test_of_wide_rows_lapack_gets_no_more_than_one_thread_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it waits for other threads where all cores are busy: minutes for twenty rows of 500 features."""
    rng, largest = np.random.default_rng(0), []
    for name in ("qr", "inv"):
        compute = getattr(np.linalg, name)
        recorded = lambda array, compute=compute: largest.append(array[0, 0].size) or compute(array)  # noqa: E731
        monkeypatch.setattr(np.linalg, name, recorded)
    gm = GaussianMixture.from_parameters([1.0], np.zeros((1, 200)), [0.5 * np.eye(200) + 0.5])
    X = np.where(rng.uniform(size=(3, 200)) < 0.4, np.nan, rng.normal(size=(3, 200)))
    mean = np.nansum(X, axis=1) / (1 + (~np.isnan(X)).sum(axis=1))
    np.testing.assert_allclose(gm.impute(X), np.where(np.isnan(X), mean[:, np.newaxis], X), atol=1e-12)
    assert max(largest) <= 2**13


def test_a_value_far_beyond_its_unit_is_answered() -> None:
    """Whitened, 1e300 of a feature in units of 1e-20 would be infinite."""
    gm = GaussianMixture.from_parameters([1.0], [[0.0] * 3], [1e-40 * (0.5 * np.eye(3) + 0.5)])
    np.testing.assert_allclose(gm.impute([[1e300, np.nan, np.nan]]), [[1e300, 5e299, 5e299]])
