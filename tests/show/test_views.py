"""What a picture is of: which rows are left, and in which directions many features are seen."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.show.views import classified, discriminants, view_of_discriminants, view_of_features

NAMES = np.array(["a", "b", "c"], np.object_)


def mixture(covariance_type: str = "full") -> GaussianMixture:
    means = np.array([[0.0, 0.0, 0.0], [5.0, 0.0, 1.0], [0.0, 5.0, 2.0]])
    covariances = {
        "full": np.array([np.eye(3) * size for size in (1.0, 2.0, 0.5)]),
        "tied": np.eye(3),
        "diag": np.ones((3, 3)),
        "spherical": np.array([1.0, 2.0, 0.5]),
    }
    return GaussianMixture.from_parameters([0.2, 0.3, 0.5], means, covariances[covariance_type], covariance_type)


def between_and_within(parameters: Parameters, direction: FloatArray) -> tuple[float, float]:
    projected = parameters.means @ direction
    center = parameters.weights @ projected
    within = np.einsum("k,kij,i,j->", parameters.weights, parameters.covariances, direction, direction)
    return float(parameters.weights @ (projected - center) ** 2), float(within)


def random_parameters(n_components: int, n_features: int, seed: int = 0) -> Parameters:
    rng = np.random.RandomState(seed)
    roots = rng.normal(size=(n_components, n_features, n_features + 2))
    covariances = roots @ roots.transpose(0, 2, 1) / n_features
    weights = rng.dirichlet(np.full(n_components, 5.0))
    return Parameters("full", weights, 3.0 * rng.normal(size=(n_components, n_features)), covariances)


def test_rows_without_a_value_that_is_shown_or_without_weight_are_left_out() -> None:
    X = np.array([[0.0, 0.0, 0.0], [np.nan, 1.0, 1.0], [1.0, 1.0, np.nan], [5.0, 0.0, 0.0]])
    rows = classified(mixture(), X, [1.0, 1.0, 1.0, 0.0], with_uncertainty=False)
    view = view_of_features(mixture(), np.array([0, 1]), NAMES, rows)
    assert view.rows is not None
    assert view.rows.values.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert view.rows.weights is not None
    assert view.rows.weights.tolist() == [1.0, 1.0]
    assert view.n_left_out == 1


def test_a_row_is_labelled_by_all_that_is_known_of_it() -> None:
    X = np.array([[5.0, 0.0, 1.0], [np.nan, 5.0, 2.0]])
    rows = classified(mixture(), X, None, with_uncertainty=True)
    assert rows.labels.tolist() == [1, 2]
    assert rows.uncertainty == pytest.approx(1.0 - mixture().predict_proba(X).max(axis=1))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_view_of_features_is_their_marginal_distribution(covariance_type: str) -> None:
    view = view_of_features(mixture(covariance_type), np.array([2, 0]), NAMES, None)
    assert view.names == ("c", "a")
    assert view.parameters.means.tolist() == [[0.0, 0.0], [1.0, 5.0], [2.0, 0.0]]


def test_discriminants_are_the_generalized_eigenvectors_of_the_scatter_between_and_within() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    parameters = random_parameters(4, 6)
    center = parameters.weights @ parameters.means
    between = np.cov(parameters.means.T, aweights=parameters.weights, ddof=0)
    assert between @ center == pytest.approx(between @ center)
    within = np.einsum("k,kij->ij", parameters.weights, parameters.covariances)
    expected = linalg.eigh(between, within)[1][:, ::-1][:, :2].T
    for direction, other in zip(discriminants(parameters), expected, strict=True):
        assert direction * np.sign(direction @ within @ other) == pytest.approx(other)


def test_no_direction_separates_better_than_the_first_discriminant() -> None:
    parameters = random_parameters(3, 5)
    between, within = between_and_within(parameters, discriminants(parameters)[0])
    assert within == pytest.approx(1.0)
    for direction in np.random.RandomState(1).normal(size=(1000, 5)):
        other, scale = between_and_within(parameters, direction)
        assert other / scale <= between + 1e-12


def test_discriminants_do_not_depend_on_units() -> None:
    parameters = random_parameters(4, 3)
    units = np.array([1e-9, 1.0, 1e12])
    scaled = Parameters(
        "full", parameters.weights, parameters.means * units, parameters.covariances * np.outer(units, units)
    )
    assert discriminants(scaled) * units == pytest.approx(discriminants(parameters))


def test_where_means_differ_in_one_direction_the_second_is_that_in_which_covariances_do() -> None:
    means = np.array([[-3.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    covariances = np.array([np.diag([1.0, 1.0, 9.0, 1.0]), np.diag([1.0, 1.0, 0.1, 1.0])])
    first, second = discriminants(Parameters("full", np.array([0.5, 0.5]), means, covariances))
    assert np.abs(first).argmax() == 0
    assert np.abs(second).argmax() == 2
    assert np.count_nonzero(np.abs(second) > 1e-12) == 1


def test_one_component_is_seen_in_two_directions_as_well() -> None:
    directions = discriminants(Parameters("full", np.ones(1), np.zeros((1, 7)), np.eye(7)[np.newaxis]))
    assert directions @ directions.T == pytest.approx(np.eye(2))


def test_rows_are_projected_as_the_mixture_is_missing_values_left_out() -> None:
    gm = GaussianMixture.from_parameters([0.5, 0.5], np.eye(8)[:2] * 9.0, np.ones(2), "spherical")
    X = np.vstack([gm.means_, np.full((1, 8), np.nan)]).astype(np.float32)
    X[2, 0] = 1.0
    view = view_of_discriminants(gm, classified(gm, X, None, with_uncertainty=False))
    assert view.rows is not None
    assert view.rows.values == pytest.approx(view.parameters.means)
    assert view.n_left_out == 1
