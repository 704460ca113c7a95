"""Distribution functions, quantiles and decision points: SciPy, numerical integration, and labels on a grid."""

import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, assert_close, draw_problem

stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 40, 3, 4)


def of_one_feature(weights, means, deviations) -> GaussianMixture:
    variances = np.square(np.asarray(deviations, float))
    return GaussianMixture.from_parameters(weights, np.reshape(means, (-1, 1)), variances, "spherical")


def test_the_distribution_function_is_the_integral_of_the_marginal_density(problem: Problem) -> None:
    model = model_of(problem)
    density = model.marginal(1)
    for x in (-3.0, -0.5, 0.0, 1.25, 4.0):
        area, _ = integrate.quad(
            lambda t: math.exp(density.score_samples([[t]])[0]), -30, x, epsabs=1e-14, epsrel=1e-13, limit=500
        )
        assert model.cdf(x, feature=1) == pytest.approx(area, abs=1e-12)


def test_the_distribution_function_is_a_sum_of_those_of_scipy(problem: Problem) -> None:
    model, given = model_of(problem), problem.parameters
    matrices = problem.family.matrices(given.covariances, 4, 3)
    points = np.linspace(-40, 10, 60).reshape(3, 20)
    expected = sum(
        weight * stats.norm.cdf(points, mean[2], np.sqrt(matrix[2, 2]))
        for weight, mean, matrix in zip(given.weights, given.means, matrices, strict=True)
    )
    found = model.cdf(points, 2)
    assert found.shape == (3, 20)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
    assert model.cdf([-np.inf, np.inf], 2).tolist() == [0.0, 1.0]


def test_quantiles_are_the_inverse_of_the_distribution_function(problem: Problem) -> None:
    model = model_of(problem)
    q = np.concatenate([np.logspace(-300, -1, 40), np.linspace(0.1, 0.9, 33), 1 - np.logspace(-1, -15, 20)])
    x = model.quantile(q, feature=0)
    assert (np.diff(x[np.argsort(q)]) >= 0).all()
    lower = q <= 0.5
    # 37 deviations out, where q is 1e-300, it changes by 1400 times as much as x.
    np.testing.assert_allclose(model.cdf(x[lower], 0), q[lower], rtol=1e-11, atol=0)
    mirrored = GaussianMixture.from_parameters(
        model.weights_, -model.means_, model.covariances_, problem.family.name
    ).cdf(-x[~lower], 0)
    np.testing.assert_allclose(mirrored, 1 - q[~lower], rtol=1e-12, atol=0)


def test_quantiles_of_a_single_gaussian_are_those_of_scipy() -> None:
    q = np.array([1e-200, 1e-12, 0.01, 0.5, 0.99, 1 - 1e-12])
    found = of_one_feature([1.0], [5.0], [3.0]).quantile(q)
    np.testing.assert_allclose(found, stats.norm.ppf(q, 5.0, 3.0), rtol=1e-13)


@pytest.mark.parametrize("gap", [1e2, 1e6, 1e12])
def test_quantiles_are_found_where_components_are_far_apart(gap: float) -> None:
    """Between them the distribution function is flat, where Newton's steps lead nowhere."""
    model = of_one_feature([0.25, 0.5, 0.25], [0.0, gap, 2 * gap], [1.0, 1e-3, 10.0])
    q = np.array([0.1, 0.25 + 1e-9, 0.3, 0.5, 0.75 - 1e-9, 0.9])
    np.testing.assert_allclose(model.cdf(model.quantile(q)), q, rtol=0, atol=max(1e-12, 1e-13 * gap))
    assert model.quantile(0.1) == pytest.approx(stats.norm.ppf(0.4), rel=1e-10)
    assert model.quantile(0.5) == pytest.approx(gap, rel=1e-12)


@pytest.mark.parametrize("unit", [1e-100, 1e100])
def test_units_do_not_matter(unit: float) -> None:
    model = of_one_feature([0.5, 0.5], [0.0, 8.0 * unit], [unit, 2 * unit])
    here = of_one_feature([0.5, 0.5], [0.0, 8.0], [1.0, 2.0])
    q = np.array([1e-9, 0.3, 0.5, 0.9])
    np.testing.assert_allclose(model.quantile(q) / unit, here.quantile(q), rtol=1e-12)
    np.testing.assert_allclose(model.cdf(unit * q), here.cdf(q), rtol=1e-12)


def test_the_ends_are_infinite_and_components_without_weight_do_not_count() -> None:
    model = of_one_feature([0.0, 1.0], [-1e6, 1.0], [1.0, 1.0])
    assert model.quantile([0.0, 0.5, 1.0]).tolist() == [-np.inf, 1.0, np.inf]
    assert model.quantile([]).shape == (0,)


def test_what_is_no_probability_or_names_no_feature_is_refused(problem: Problem) -> None:
    model = model_of(problem)
    for q in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="q should hold probabilities"):
            model.quantile(q, 0)
    with pytest.raises(ValueError, match="Say which of the 3 features is meant"):
        model.cdf(0.0)
    with pytest.raises(ValueError, match="feature names feature 3, but there are 3"):
        model.cdf(0.0, 3)
    with pytest.raises(ValueError, match="x holds NaN"):
        model.cdf(np.nan, 0)


def test_labels_change_at_decision_points_and_nowhere_else(family: CovarianceFamily) -> None:
    for seed in range(20):
        model = model_of(draw_problem(family.name, 10, 1, 6, seed=seed))
        points, components = model.decision_points()
        grid = np.linspace(-8, 8, 20_001)
        away = np.abs(grid[:, np.newaxis] - points).min(axis=1, initial=np.inf) > 1e-9
        expected = components[np.searchsorted(points, grid)]
        assert np.array_equal(model.predict(grid[away, np.newaxis]), expected[away])
        assert (components[1:] != components[:-1]).all()
        joint = np.sort(model.predict_joint_log_proba(points[:, np.newaxis]), axis=1)
        assert_close(joint[:, -1], joint[:, -2], 1e-12)


def test_a_narrow_component_inside_a_wide_one_has_two_borders() -> None:
    """log(0.5/1) − x²/2 = log(0.5/2) − x²/8, so that x² = 8/3·log 2."""
    points, components = of_one_feature([0.5, 0.5], [0.0, 0.0], [1.0, 2.0]).decision_points()
    border = math.sqrt(8 / 3 * math.log(2))
    assert points == pytest.approx([-border, border], rel=1e-14)
    assert components.tolist() == [1, 0, 1]


def test_a_component_that_is_nowhere_the_most_probable_has_no_border() -> None:
    model = of_one_feature([0.98, 0.02], [0.0, 0.0], [1.0, 1.0])
    points, components = model.decision_points()
    assert not len(points)
    assert components.tolist() == [0]
    assert [len(each) for each in of_one_feature([1.0], [0.0], [1.0]).decision_points()] == [0, 1]


@pytest.mark.parametrize("far", [1e9, -1e9])
def test_decision_points_far_from_zero_keep_their_digits(far: float) -> None:
    points, _ = of_one_feature([0.5, 0.5], [far, far + 4.0], [1.0, 1.0]).decision_points()
    assert points == pytest.approx([far + 2.0], abs=1e-6)


def test_more_features_than_one_have_no_decision_points(problem: Problem) -> None:
    with pytest.raises(ValueError, match=r"this one has 3\. marginal"):
        model_of(problem).decision_points()
