"""Affine maps and products: identities of densities, and the smallest family that holds what comes out."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR, CovarianceFamily
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, assert_close, draw_problem

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
SHEAR = np.eye(4) + np.diag([0.5, 0.0, -2.0], 1)


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 40, 4, 3)


@pytest.mark.parametrize("matrix", [ROTATION, SHEAR, np.diag([1.0, -2.0, 3.0, 0.5]), -2.5 * np.eye(4)[[2, 0, 3, 1]]])
def test_densities_change_by_the_determinant_of_the_map(problem: Problem, matrix: np.ndarray) -> None:
    model, shift = model_of(problem), np.array([1.0, -2.0, 0.0, 30.0])
    after = model.transformed(matrix, shift)
    expected = model.score_samples(problem.values) - np.linalg.slogdet(matrix)[1]
    assert_close(after.score_samples(problem.values @ matrix.T + shift), expected, 1e-12)


def test_a_projection_has_the_moments_of_projected_components(problem: Problem) -> None:
    model, matrix = model_of(problem), np.array([[1.0, 2.0, 0.0, -1.0], [0.5, 0.0, 3.0, 1.0]])
    after, given = model.transformed(matrix), problem.parameters
    assert_close(after.means_, given.means @ matrix.T, 1e-14)
    matrices = FAMILIES[after.covariance_type].matrices(after.covariances_, 3, 2)
    of_model = problem.family.matrices(given.covariances, 3, 4)
    assert_close(matrices, np.broadcast_to(matrix @ of_model @ matrix.T, (3, 2, 2)), 1e-14)


def test_a_projection_onto_features_is_their_marginal(problem: Problem) -> None:
    model = model_of(problem)
    projected, marginal = model.transformed(np.eye(4)[[2, 0]]), model.marginal([2, 0])
    assert projected.covariance_type == marginal.covariance_type
    assert_close(projected.means_, marginal.means_, 1e-15)
    assert_close(projected.covariances_, marginal.covariances_, 1e-14)


FAMILIES_AFTER = {
    "scale": (2.0, ["full", "tied", "diag", "spherical"]),
    "scales": ([1.0, 2.0, 3.0, 4.0], ["full", "tied", "diag", "diag"]),
    "permutation": (np.eye(4)[[1, 0, 3, 2]], ["full", "tied", "diag", "spherical"]),
    "rotation": (ROTATION, ["full", "tied", "full", "spherical"]),
    "orthogonal rows": (ROTATION * np.array([[1.0], [2.0], [3.0], [4.0]]), ["full", "tied", "full", "diag"]),
    "sums of pairs": ([[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0]], ["full", "tied", "diag", "spherical"]),
    "shear": (SHEAR, ["full", "tied", "full", "full"]),
    "one direction": ([[1.0, 2.0, 3.0, 4.0]], ["full", "tied", "diag", "spherical"]),
}


@pytest.mark.parametrize("what", FAMILIES_AFTER)
def test_a_map_gives_the_smallest_family_that_holds_the_result(problem: Problem, what: str) -> None:
    matrix, expected = FAMILIES_AFTER[what]
    found = model_of(problem).transformed(matrix).covariance_type
    assert found == dict(zip(["full", "tied", "diag", "spherical"], expected, strict=True))[problem.family.name]


def test_a_map_and_its_inverse_leave_the_mixture(problem: Problem) -> None:
    model, scales, shift = model_of(problem), np.array([1e-9, 2.0, 1e9, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    back = model.transformed(scales, shift).transformed(1 / scales, -shift / scales)
    assert_close(back.score_samples(problem.values), model.score_samples(problem.values), 1e-6)


def test_scaled_rows_come_back_in_their_units(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(300, 2)) * [1e-6, 1e6] + [5e-6, 1.0]
    center, scale = rows.mean(axis=0), rows.std(axis=0)
    scaled = GaussianMixture(2, random_state=0, reg_covar=0, tol=0.1).fit((rows - center) / scale)
    model = scaled.transformed(scale, center)
    expected = scaled.score_samples((rows - center) / scale) - np.log(scale).sum()
    assert_close(model.score_samples(rows), expected, 1e-12)


def test_names_are_kept_where_features_are(problem: Problem) -> None:
    model = model_of(problem)
    model.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    assert model.transformed(2.0).feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert not hasattr(model.transformed(np.eye(4)), "feature_names_in_")


@pytest.mark.parametrize(
    ("A", "b", "message"),
    [
        ([[1.0, 2.0]], None, "A should be a factor, 4 factors, or a matrix with 4 columns; got shape"),
        ([1.0, 2.0], None, "A should be a factor, 4 factors"),
        (np.inf, None, "A should be finite"),
        (1.0, [1.0, 2.0], r"b should be 4 finite numbers, one for each new feature; got shape \(2,\)"),
        (1.0, np.nan, "b should be 4 finite numbers"),
        ([[1.0, 0, 0, 0], [2.0, 0, 0, 0]], None, "The 2 rows of A depend on one another"),
        (np.ones((5, 4)) + np.eye(5, 4), None, "The 5 rows of A depend on one another"),
        (0.0, None, "The 4 rows of A depend on one another"),
        (1e300, None, "beyond the range of numbers"),
    ],
)
def test_maps_that_leave_no_density_are_refused(problem: Problem, A: object, b: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(problem).transformed(A, b)


def other_problem(family: str) -> Problem:
    return draw_problem(family, 40, 4, 2, seed=1)


@pytest.mark.parametrize("family_of_other", FOUR)
def test_a_product_has_the_product_of_the_densities(problem: Problem, family_of_other: str) -> None:
    one, other = model_of(problem), model_of(other_problem(family_of_other))
    both, log_integral = one.product(other)
    rows = problem.values
    expected = one.score_samples(rows) + other.score_samples(rows) - log_integral
    assert_close(both.score_samples(rows), expected, 1e-12)
    assert both.n_components == 6
    assert both.weights_.sum() == pytest.approx(1.0, abs=1e-15)
    assert other.product(one)[1] == pytest.approx(log_integral, abs=1e-13)


def test_components_of_a_product_are_those_of_pairs_of_precisions(problem: Problem) -> None:
    """C = (A⁻¹ + B⁻¹)⁻¹ and c = C(A⁻¹a + B⁻¹b), of component 2 and 1."""
    given, others = problem.parameters, other_problem("full").parameters
    both, _ = model_of(problem).product(model_of(other_problem("full")))
    P = np.linalg.inv(problem.family.matrices(given.covariances, 3, 4)[2])
    Q = np.linalg.inv(others.covariances[1])
    C = np.linalg.inv(P + Q)
    assert both.covariance_type == "full"
    assert_close(both.covariances_[2 * 2 + 1], C, 1e-12)
    assert_close(both.means_[2 * 2 + 1], C @ (P @ given.means[2] + Q @ others.means[1]), 1e-12)


PRODUCTS = {
    ("full", "full"): "full",
    ("tied", "tied"): "tied",
    ("diag", "diag"): "diag",
    ("spherical", "spherical"): "spherical",
    ("diag", "spherical"): "diag",
    ("tied", "diag"): "full",
    ("tied", "full"): "full",
    ("spherical", "tied"): "full",
}


@pytest.mark.parametrize(("one", "other"), PRODUCTS)
def test_a_product_is_of_the_smallest_family_that_holds_it(one: str, other: str) -> None:
    models = model_of(other_problem(one)), model_of(other_problem(other))
    assert models[0].product(models[1])[0].covariance_type == PRODUCTS[one, other]
    assert models[1].product(models[0])[0].covariance_type == PRODUCTS[one, other]


def test_a_product_of_mixtures_that_are_far_apart_is_finite(problem: Problem) -> None:
    model = model_of(problem)
    both, log_integral = model.product(model.transformed(1.0, np.full(4, 1e4)))
    assert -1e10 < log_integral < -1e6
    assert np.isfinite(both.means_).all()
    with pytest.raises(ValueError, match="so far apart that the logarithm of their product is beyond all numbers"):
        model.product(model.transformed(1.0, np.full(4, 1e200)))


def test_products_of_other_features_are_refused(problem: Problem) -> None:
    one, other = model_of(problem), model_of(problem)
    with pytest.raises(ValueError, match="The other mixture has 3 features, and this one 4"):
        one.product(other.marginal([0, 1, 2]))
    with pytest.raises(TypeError, match=r"The other mixture should be a fastgmm\.GaussianMixture, .* got float"):
        one.product(2.0)
    one.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    assert one.product(other)[0].feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert other.product(one)[0].feature_names_in_.tolist() == ["a", "b", "c", "d"]
    other.feature_names_in_ = np.array(["a", "b", "d", "c"], dtype=object)
    with pytest.raises(ValueError, match="features of other names, or in another order"):
        one.product(other)
