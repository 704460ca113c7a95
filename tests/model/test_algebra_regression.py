"""Conditional means, spreads and draws of many rows: compared with the conditional mixtures of single ones."""

import tracemalloc

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.parameters import FloatArray
from tests.model.test_incomplete_scores import model_of
from tests.problems import TOLERANCE, Problem, assert_close, draw_problem

GIVEN, OTHERS = [3, 0], [1, 2, 4]


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 60, 5, 3)


def moments(mixture: GaussianMixture) -> tuple[FloatArray, FloatArray]:
    """The mean and the covariance of a mixture."""
    matrices = FAMILIES[mixture.covariance_type].matrices(mixture.covariances_, *mixture.means_.shape)
    mean = mixture.weights_ @ mixture.means_
    between = mixture.means_ - mean
    within = np.einsum("k,kij->ij", mixture.weights_, matrices)
    return mean, within + (mixture.weights_[:, np.newaxis] * between).T @ between


def test_means_and_spreads_are_those_of_conditional_mixtures(problem: Problem, dtype: str) -> None:
    model, rows = model_of(problem), problem.values[:, GIVEN].astype(dtype)
    of_rows = [moments(model.condition(dict(zip(GIVEN, row, strict=True)))) for row in rows.astype(np.float64)]
    means, covariances = (np.array(each) for each in zip(*of_rows, strict=True))
    found, covariance = model.regress(rows, GIVEN, return_cov=True)
    deviations = model.regress(rows, GIVEN, return_std=True)[1]
    assert {found.dtype, covariance.dtype, deviations.dtype} == {np.dtype(dtype)}
    assert_close(model.regress(rows, GIVEN), means, TOLERANCE[dtype])
    assert_close(found, means, TOLERANCE[dtype])
    assert_close(covariance, covariances, TOLERANCE[dtype])
    assert_close(deviations, np.sqrt(np.diagonal(covariances, axis1=1, axis2=2)), TOLERANCE[dtype])


def test_a_row_is_answered_as_among_many(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = model_of(problem), problem.values[:, GIVEN]
    together = model.regress(rows, GIVEN, return_std=True)
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 700)
    for one, other in zip(model.regress(rows, GIVEN, return_std=True), together, strict=True):
        assert_close(one, other, 1e-13)


def test_threads_change_no_bit(problem: Problem) -> None:
    rows = np.random.default_rng(0).normal(size=(30_000, 2))
    one, other = (model_of(problem).set_params(n_threads=n).regress(rows, GIVEN) for n in (1, 3))
    assert np.array_equal(one, other)


def test_far_from_zero_no_digit_is_lost(problem: Problem) -> None:
    given, far = problem.parameters, 2.0**27
    model, rows = model_of(problem), problem.values[:, GIVEN]
    moved = GaussianMixture.from_parameters(given.weights, given.means + far, given.covariances, problem.family.name)
    near = GaussianMixture.from_parameters(given.weights, moved.means_ - far, given.covariances, problem.family.name)
    assert_close(moved.regress(rows + far, GIVEN) - far, near.regress(rows + far - far, GIVEN), 1e-7)
    assert_close(
        moved.regress(rows + far, GIVEN, return_std=True)[1], model.regress(rows, GIVEN, return_std=True)[1], 1e-6
    )


def test_a_single_component_is_a_linear_regression(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + 5.0
    model = GaussianMixture(reg_covar=0.0).fit(rows)
    design = np.column_stack([np.ones(500), rows[:, [0, 2]]])
    fitted = design @ np.linalg.lstsq(design, rows[:, 1], rcond=None)[0]
    mean, std = model.regress(rows[:, [0, 2]], [0, 2], return_std=True)
    assert_close(mean[:, 0], fitted, 1e-12)
    assert_close(std[:, 0], np.full(500, np.sqrt(np.mean((rows[:, 1] - fitted) ** 2))), 1e-12)


def test_columns_of_a_frame_say_which_features_they_are(problem: Problem) -> None:
    pandas = pytest.importorskip("pandas")
    model = model_of(problem)
    model.feature_names_in_ = np.array(["a", "b", "c", "d", "e"], dtype=object)
    frame = pandas.DataFrame(problem.values[:, GIVEN], columns=["d", "a"])
    expected = model.regress(problem.values[:, GIVEN], GIVEN)
    assert np.array_equal(model.regress(frame), expected)
    assert np.array_equal(model.regress(frame, given=["d", "a"]), expected)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.regress(frame, given=["a", "d"])
    with pytest.raises(ValueError, match="X_given names 'f'"):
        model.regress(frame.rename(columns={"a": "f"}))


def test_draws_have_the_conditional_moments(problem: Problem) -> None:
    """Of 20,000 draws a mean is off by 1/140 of a deviation."""
    model, rows = model_of(problem), problem.values[:3, GIVEN]
    draws = model.sample_conditional(rows, GIVEN, n_draws=20_000, random_state=0)
    assert draws.shape == (20_000, 3, 3)
    mean, deviation = model.regress(rows, GIVEN, return_std=True)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 / np.sqrt(20_000) * deviation).all()
    assert (np.abs(draws.std(axis=0) / deviation - 1) < 0.05).all()


def test_draws_are_those_of_the_seed_and_have_the_dtype_of_the_rows(problem: Problem, dtype: str) -> None:
    model, rows = model_of(problem), problem.values[:, GIVEN].astype(dtype)
    first, again = (model.sample_conditional(rows, GIVEN, random_state=4) for _ in range(2))
    assert first.dtype == dtype
    assert first.shape == (1, 60, 3)
    assert np.array_equal(first, again)
    assert np.array_equal(model.set_params(random_state=4).sample_conditional(rows, GIVEN), first)


WISHES = {
    "means": lambda model, rows: model.regress(rows, [0, 1, 2, 3]),
    "deviations": lambda model, rows: model.regress(rows, [0, 1, 2, 3], return_std=True),
    "covariances": lambda model, rows: model.regress(rows, [0, 1, 2, 3], return_cov=True),
    "draws": lambda model, rows: model.sample_conditional(rows, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("wish", WISHES)
def test_little_memory_is_needed_above_the_answer(wish: str, rng: np.random.Generator) -> None:
    """The probabilities of all rows would take 16 MB."""
    rows, identity = rng.normal(size=(100_000, 4)), np.broadcast_to(np.eye(8), (20, 8, 8))
    model = GaussianMixture.from_parameters(np.full(20, 0.05), rng.normal(size=(20, 8)), identity)
    tracemalloc.start()
    try:
        answer = WISHES[wish](model, rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    answers = answer if isinstance(answer, tuple) else (answer,)
    assert peak - sum(each.nbytes for each in answers) <= 8e6


@pytest.mark.parametrize("n_draws", [0, True, 1.5])
def test_draws_are_a_whole_number(problem: Problem, n_draws: object) -> None:
    with pytest.raises(ValueError, match="'n_draws' parameter of sample_conditional must be a whole number from 1"):
        model_of(problem).sample_conditional([[0.0]], [0], n_draws=n_draws)


def test_what_cannot_be_answered_is_refused() -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag")
    with pytest.raises(ValueError, match=r"Say which features the columns of X_given are: given=\[0, 2\]"):
        model.regress([[1.0]])
    with pytest.raises(ValueError, match="given names all features"):
        model.regress([[1.0, 2.0]], [0, 1])
    with pytest.raises(ValueError, match="X has 2 features, but given is expecting 1"):
        model.regress([[1.0, 2.0]], [0])
    with pytest.raises(ValueError, match="X_given has missing values"):
        model.regress([[np.nan]], [0])
    with pytest.raises(ValueError, match="return_std and return_cov are both True"):
        model.regress([[1.0]], [0], return_std=True, return_cov=True)
