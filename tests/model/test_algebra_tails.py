"""Outliers and regions of the highest density: χ² of one component, own samples, and integration of one feature."""

import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, draw_problem

stats = pytest.importorskip("scipy.stats")


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 60, 4, 3)


def test_p_values_of_one_component_are_those_of_chi_squared(family: CovarianceFamily, dtype: str) -> None:
    model = model_of(draw_problem(family.name, 60, 4, 1))
    rows = np.concatenate([draw_problem(family.name, 60, 4, 1).values, np.full((1, 4), 1e3)]).astype(dtype)
    expected = stats.chi2.sf(model.mahalanobis(rows.astype(np.float64))[:, 0], 4)
    found = model.outlier_p_values(rows)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_p_values_of_rows_of_the_mixture_are_uniform(problem: Problem) -> None:
    model = model_of(problem).set_params(random_state=1)
    p_values = model.outlier_p_values(model.sample(5000)[0], random_state=2)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_p_values_of_one_feature_are_those_of_integration() -> None:
    """Densities of two components, and the share of the area where they are no larger than at x."""
    model = GaussianMixture.from_parameters([0.3, 0.7], [[0.0], [3.0]], [1.0, 4.0], "spherical")
    grid = np.linspace(-12, 20, 400_001)
    density = np.exp(model.score_samples(grid[:, np.newaxis]))
    points = np.array([[-3.0], [0.0], [1.2], [3.0], [9.0]])
    expected = [density[density <= limit].sum() * (grid[1] - grid[0]) for limit in np.exp(model.score_samples(points))]
    found = model.outlier_p_values(points, n_samples=200_000, random_state=0)
    error = np.sqrt(np.multiply(expected, 1 - np.array(expected)) / 200_000)
    assert (np.abs(found - expected) <= 5 * error + 2 / 200_000).all()


def test_the_smallest_p_value_is_one_of_all_draws_and_one(problem: Problem) -> None:
    assert model_of(problem).outlier_p_values([[1e9] * 4], n_samples=999).tolist() == [1 / 1000]


def test_p_values_are_those_of_the_seed(problem: Problem) -> None:
    model = model_of(problem)
    first, again = (model.outlier_p_values(problem.values, n_samples=1000, random_state=3) for _ in range(2))
    assert np.array_equal(first, again)
    by_model = model.set_params(random_state=3).outlier_p_values(problem.values, n_samples=1000)
    assert np.array_equal(by_model, first)


@pytest.mark.parametrize("n_samples", [0, 1.5, True])
def test_draws_are_a_whole_number(problem: Problem, n_samples: object) -> None:
    for call in (
        lambda: model_of(problem).outlier_p_values(problem.values, n_samples=n_samples),
        lambda: model_of(problem).density_region(0.5, n_samples=n_samples),
    ):
        with pytest.raises(ValueError, match=r"'n_samples' parameter of .* must be a whole number from 1"):
            call()


def test_rows_with_holes_have_no_p_values(problem: Problem) -> None:
    with pytest.raises(ValueError, match="outlier_p_values does not take rows with missing values"):
        model_of(problem).outlier_p_values([[np.nan, 0.0, 0.0, 0.0]])


def test_a_region_of_one_component_is_bounded_by_an_ellipsoid(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 60, 4, 1)
    model, levels = model_of(problem), np.array([0.0, 0.5, 0.95, 0.999])
    at_mean = model.score_samples(model.means_)[0]
    expected = at_mean - stats.chi2.ppf(levels, 4) / 2
    np.testing.assert_allclose(model.density_region(levels), expected, rtol=1e-12)
    inside = model.score_samples(problem.values) >= model.density_region(0.5)
    assert np.array_equal(inside, model.outlier_p_values(problem.values) >= 0.5)


def test_regions_hold_their_share_of_other_rows(problem: Problem) -> None:
    model = model_of(problem).set_params(random_state=5)
    borders = model.density_region([0.5, 0.9, 0.99], random_state=6)
    densities = model.score_samples(model.sample(50_000)[0])
    for level, border in zip([0.5, 0.9, 0.99], borders, strict=True):
        share = (densities >= border).mean()
        assert abs(share - level) < 5 * math.sqrt(level * (1 - level) * (1 / 50_000 + 1 / 100_000))


def test_a_level_is_a_probability(problem: Problem) -> None:
    for level in (-0.1, 1.1, np.nan, [0.5, 2.0]):
        with pytest.raises(ValueError, match="level should be a probability, a number from 0 to 1"):
            model_of(problem).density_region(level)
    assert model_of(problem).density_region([[0.5]], n_samples=10).shape == (1, 1)
