"""Unconstrained coordinates of covariances: there and back, and what their length means."""

import numpy as np
import pytest

from fastgmm.families import FAMILIES
from tests.problems import assert_close, draw_parameters

SIZES = [(1, 1), (2, 3), (5, 2)]


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_there_and_back(family, rng, n_features, n_components):
    reference, other = (draw_parameters(rng, family.name, n_features, n_components).covariances for _ in range(2))
    coordinates = family.coordinates.of(other, reference, n_features)
    assert coordinates.shape == other.shape
    assert_close(family.coordinates.covariances(coordinates, reference, n_features), other, 1e-13)
    assert_close(family.coordinates.of(reference, reference, n_features), np.zeros_like(other), 1e-13, 1.0)


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_any_coordinates_are_covariances(family, rng, n_features, n_components):
    reference = draw_parameters(rng, family.name, n_features, n_components).covariances
    # Of a matrix the coordinates are a lower triangle.
    coordinates = rng.normal(size=reference.shape)
    coordinates = np.tril(coordinates) if family.name in ("full", "tied") else coordinates
    covariances = family.coordinates.covariances(coordinates, reference, n_features)
    family.precisions_cholesky(covariances)
    assert_close(family.coordinates.of(covariances, reference, n_features), coordinates, 1e-10)


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_squares_add_up_to_the_fisher_information(family, rng, n_features):
    """½ tr((Σ⁻¹dΣ)²) of every covariance that there is."""
    n_components = 3
    reference = draw_parameters(rng, family.name, n_features, n_components).covariances
    other = draw_parameters(rng, family.name, n_features, n_components).covariances
    other = reference + 1e-6 * (other - reference)
    squares = (family.coordinates.of(other, reference, n_features) ** 2).sum()
    n_matrices = 1 if family.is_shared else n_components
    one, two = (family.matrices(each, n_components, n_features)[:n_matrices] for each in (reference, other))
    changes = np.linalg.solve(one, two - one)
    expected = 0.5 * np.trace(changes @ changes, axis1=1, axis2=2).sum()
    assert squares == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_triangular_map_of_the_features_changes_no_coordinate(name, rng):
    family, d = FAMILIES[name], 4
    reference, other = (draw_parameters(rng, name, d, 2) for _ in range(2))
    shear = np.tril(rng.normal(size=(d, d)), -1) + np.diag([1e-6, 1.0, 30.0, 1e6])
    moved = [shear @ each.covariances @ shear.T for each in (other, reference)]
    before = family.coordinates.of(other.covariances, reference.covariances, d)
    assert_close(family.coordinates.of(*moved, d), before, 1e-6)
    differences = other.means - reference.means
    whitened = family.coordinates.whiten(differences, reference.covariances)
    assert_close(family.coordinates.whiten(differences @ shear.T, moved[1]), whitened, 1e-6)


def test_whitened_differences_have_the_mahalanobis_length(family, rng):
    parameters, differences = draw_parameters(rng, family.name, 3, 2), rng.normal(size=(2, 3))
    matrices = family.matrices(parameters.covariances, 2, 3)
    expected = [delta @ np.linalg.solve(matrix, delta) for delta, matrix in zip(differences, matrices, strict=True)]
    whitened = family.coordinates.whiten(differences, parameters.covariances)
    assert_close((whitened**2).sum(axis=1), np.array(expected), 1e-12)
