"""Marginal and conditional mixtures: ratios of densities, the oracle's conditional Gaussians, and what is refused."""

import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, CovarianceFamily
from tests import naive
from tests.model.test_impute import solved
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, assert_close, draw_problem


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 40, 5, 3)


def named(model: GaussianMixture) -> GaussianMixture:
    model.feature_names_in_ = np.array(["a", "b", "c", "d", "e"], dtype=object)
    return model


def test_a_marginal_has_the_density_of_the_rows_without_the_other_features(problem: Problem) -> None:
    kept, rows = [3, 0, 1], problem.values.copy()
    model = model_of(problem)
    rows[:, [2, 4]] = np.nan
    marginal = model.marginal(kept)
    assert marginal.covariance_type == problem.family.name
    assert_close(marginal.score_samples(rows[:, kept]), model.score_samples(rows), 1e-13)
    assert_close(marginal.predict_proba(rows[:, kept]), model.predict_proba(rows), 1e-12)


def test_a_marginal_of_all_features_in_another_order_is_the_mixture(problem: Problem) -> None:
    order = [4, 2, 0, 1, 3]
    there_and_back = model_of(problem).marginal(order).marginal(np.argsort(order))
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(there_and_back, name), getattr(model_of(problem), name))


def test_a_conditional_density_is_the_ratio_of_the_joint_and_the_marginal_one(problem: Problem) -> None:
    given, others, model = [1, 3], [0, 2, 4], model_of(problem)
    among = model.marginal(given)
    for row in problem.values:
        conditional = model.condition(dict(zip(given, row[given], strict=True)))
        assert conditional.covariance_type == problem.family.name
        ratio = model.score_samples(row[np.newaxis]) - among.score_samples(row[np.newaxis, given])
        assert conditional.score_samples(row[np.newaxis, others]) == pytest.approx(ratio, abs=1e-12)


def test_conditional_components_are_those_of_the_oracle(problem: Problem) -> None:
    given, others, mixture, row = [3, 1], [0, 2, 4], problem.mixture, problem.values[7]
    conditional = model_of(problem).condition(dict(zip(given, row[given], strict=True)))
    joint = []
    for k, mean in enumerate(mixture.means):
        matrix = naive.covariance_matrix(mixture, k)
        block = [[matrix[i][j] for j in given] for i in given]
        difference = [row[j] - mean[j] for j in given]
        lines = [solved(block, [matrix[i][j] for j in given]) for i in others]
        center = [
            mean[i] + math.fsum(b * v for b, v in zip(line, difference, strict=True))
            for i, line in zip(others, lines, strict=True)
        ]
        schur = [
            [matrix[i][j] - math.fsum(b * matrix[m][j] for b, m in zip(line, given, strict=True)) for j in others]
            for i, line in zip(others, lines, strict=True)
        ]
        joint.append(
            math.log(mixture.weights[k]) + naive.log_normal(row[given], [mean[j] for j in given], naive.cholesky(block))
        )
        assert_close(conditional.means_[k], np.array(center), 1e-12)
        matrices = FAMILIES[problem.family.name].matrices(conditional.covariances_, 3, 3)
        assert_close(matrices[k], np.array(schur), 1e-12)
    shares = [math.exp(each - naive.log_sum_exp(joint)) for each in joint]
    assert_close(conditional.weights_, np.array(shares), 1e-12)


@pytest.mark.parametrize("distance", [1e3, 1e8, 1e150, -1e300])
def test_far_away_everything_is_finite(problem: Problem, distance: float) -> None:
    model = model_of(problem)
    conditional = model.condition({0: distance, 2: -distance / 2})
    assert conditional.weights_.sum() == pytest.approx(1.0, abs=1e-15)
    assert np.isfinite(conditional.means_).all()
    assert np.isfinite(conditional.score_samples(conditional.means_[[conditional.weights_.argmax()]])).all()


def test_a_thousand_deviations_away_the_wider_component_has_all_the_weight() -> None:
    """The logarithms of the densities are -500,000 and -125,000, beyond what numbers hold of the densities."""
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [4.0, 1.0]], "diag")
    assert model.condition({0: 1000.0}).weights_.tolist() == [0.0, 1.0]
    assert model.condition({0: -1000.0}).means_.tolist() == [[1.0], [2.0]]


def test_a_nearly_singular_covariance_leaves_a_positive_variance() -> None:
    """x₂ is x₀ + x₁ but for 1e-6."""
    factor = np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 1e-6]])
    model = GaussianMixture.from_parameters([1.0], np.zeros((1, 3)), [factor @ factor.T])
    rest = model.condition({0: 1.0, 1: 2.0})
    assert rest.means_[0, 0] == pytest.approx(3.0, rel=1e-9)
    assert rest.covariances_[0, 0, 0] == pytest.approx(1e-12, rel=1e-3)


def test_names_are_followed_and_rows_with_holes_say_the_same_as_mappings(problem: Problem) -> None:
    model = named(model_of(problem))
    assert model.marginal(["d", "a"]).feature_names_in_.tolist() == ["d", "a"]
    assert model.marginal("e").feature_names_in_.tolist() == ["e"]
    by_name = model.condition({"b": 0.5, "d": -1.0})
    by_number = model.condition({-2: -1.0, 1: 0.5})
    by_row = model.condition([np.nan, 0.5, np.nan, -1.0, np.nan])
    for other in (by_number, by_row):
        assert_close(other.weights_, by_name.weights_, 1e-14)
        assert_close(other.means_, by_name.means_, 1e-14)
        assert other.feature_names_in_.tolist() == ["a", "c", "e"]


def test_what_is_made_is_an_estimator_like_the_one_it_is_made_of(problem: Problem) -> None:
    class Mixture(GaussianMixture):
        pass

    given = problem.parameters
    model = Mixture.from_parameters(
        given.weights, given.means, given.covariances, given.covariance_type, random_state=3, n_threads=1, tol=0.5
    )
    part = model.condition({0: 1.0}).marginal([1, 0])
    assert type(part) is Mixture
    assert part.get_params() == model.get_params() | {"tol": 1e-3}
    assert part.n_features_in_ == 2
    assert not part.means_.flags.writeable
    assert not part.converged_
    assert part.sample(3)[0].shape == (3, 2)


def test_weights_that_were_set_by_hand_are_made_to_sum_to_1() -> None:
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], [1.0, 1.0], "spherical")
    model.weights_ = np.array([1.0, 3.0])
    assert model.marginal(0).weights_.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (5, ValueError, "features names feature 5, but there are 5, counted from 0"),
        (-6, ValueError, "features names feature -6"),
        ([0, -5], ValueError, "features names feature 0 twice"),
        ([], ValueError, "features is empty"),
        ("a", ValueError, "names 'a', but the mixture was fitted without feature names"),
        ([True], TypeError, "should hold numbers of features, counted from 0, or their names; got True"),
        (1.5, TypeError, "got 1.5"),
    ],
)
def test_features_that_are_not_there_are_refused(features: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model_of(draw_problem("full", 40, 5, 3)).marginal(features)


def test_names_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="names 'f', which is none of the features: 'a', 'b', 'c', 'd', 'e'"):
        named(model_of(draw_problem("full", 40, 5, 3))).condition({"f": 1.0})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "given holds no value|given is empty"),
        ([np.nan, np.nan], "given holds no value"),
        ({0: np.inf}, "given holds a value that is not finite"),
        ({0: np.nan}, "given holds a value that is not finite"),
        ([1.0, 2.0], "given holds the values of all features"),
        ([[1.0, np.nan]], "one row of 2 values"),
        ([1.0], "one row of 2 values"),
    ],
)
def test_values_that_say_nothing_or_too_much_are_refused(given: object, message: str) -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag")
    with pytest.raises(ValueError, match=message):
        model.condition(given)


def test_an_estimator_without_a_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture().marginal([0])
