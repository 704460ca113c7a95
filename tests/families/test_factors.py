"""Triangular factors of large matrices, which are put together from blocks."""

import numpy as np
import pytest
import scipy.linalg

from fastgmm.families.factors import have_smaller_eigenvalues, inverse_cholesky
from fastgmm.families.family import NotPositiveDefiniteError
from tests.problems import assert_close

SIZES = [1, 63, 64, 65, 127, 130, 300, 520]


def draw_covariance(rng, n_features, smallest=0.1):
    """A random rotation of variances from ``smallest`` to 1, and the rotation."""
    axes, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    variances = np.linspace(1.0, smallest, n_features) if n_features > 1 else np.array([smallest])
    return (axes * variances) @ axes.T, axes


@pytest.mark.parametrize("n_features", SIZES)
def test_the_inverse_factor_is_lower_triangular_and_whitens(n_features, rng):
    covariance, _ = draw_covariance(rng, n_features)
    inverse = inverse_cholesky(covariance[np.newaxis])[0]
    assert np.array_equal(inverse, np.tril(inverse))
    assert np.all(np.diagonal(inverse) > 0)
    assert_close(inverse @ covariance @ inverse.T, np.eye(n_features), 1e-13)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long doubles have no more digits here")
@pytest.mark.parametrize("noise", [1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("n_features", [65, 130, 200])
def test_distances_of_smooth_curves_are_as_exact_as_those_of_lapack(n_features, noise, rng):
    """Neighboring features of spectra or time series nearly agree, so that the corner is nearly singular itself."""
    times = np.linspace(0.0, 1.0, n_features)
    covariance = np.exp(-((times[:, np.newaxis] - times) ** 2) / 0.02) + noise * np.eye(n_features)
    factor = scipy.linalg.cholesky(covariance, lower=True)
    rows = factor @ rng.normal(size=(n_features, 50))
    exact = exact_squared_distances(covariance, rows)
    ours = np.square(inverse_cholesky(covariance[np.newaxis])[0] @ rows).sum(axis=0)
    lapacks = np.square(scipy.linalg.solve_triangular(factor, np.eye(n_features), lower=True) @ rows).sum(axis=0)
    assert np.abs(ours - exact).max() <= 4 * np.abs(lapacks - exact).max()


def exact_squared_distances(covariance, rows):
    """‖L⁻¹x‖² in long doubles."""
    covariance, d = covariance.astype(np.longdouble), len(covariance)
    factor = np.zeros_like(covariance)
    for j in range(d):
        column = covariance[j:, j] - factor[j:, :j] @ factor[j, :j]
        factor[j:, j] = column / np.sqrt(column[0])
    y = np.zeros(rows.shape, np.longdouble)
    for i in range(d):
        y[i] = (rows[i] - factor[i, :i] @ y[:i]) / factor[i, i]
    return np.square(y).sum(axis=0)


@pytest.mark.parametrize("n_features", SIZES)
def test_only_the_lower_triangle_is_read(n_features, rng):
    covariance, _ = draw_covariance(rng, n_features)
    whole = covariance[np.newaxis]
    assert np.array_equal(inverse_cholesky(np.tril(whole)), inverse_cholesky(whole))


@pytest.mark.parametrize("n_features", SIZES)
@pytest.mark.parametrize("variance", [0.0, -1e-3, np.nan, np.inf])
def test_a_component_without_a_factor_is_named_wherever_the_fault_lies(n_features, variance):
    for feature in {0, n_features // 2, n_features - 1}:
        covariance = np.eye(n_features)
        covariance[feature, feature] = variance
        with pytest.raises(NotPositiveDefiniteError) as caught:
            inverse_cholesky(np.stack([np.eye(n_features), covariance]))
        assert caught.value.component == 1


@pytest.mark.parametrize("n_features", SIZES)
def test_eigenvalues_are_compared_with_the_limit_in_units_of_the_features(n_features, rng):
    covariance, _ = draw_covariance(rng, n_features, smallest=0.1)
    units = rng.uniform(0.5, 2.0, n_features)
    matrices = np.array([covariance, 3.0 * covariance]) * np.outer(units, units)
    assert have_smaller_eigenvalues(matrices, None, units, 0.09).tolist() == [False, False]
    assert have_smaller_eigenvalues(matrices, None, units, 0.11).tolist() == [True, False]
    assert have_smaller_eigenvalues(matrices, None, units, 0.31).tolist() == [True, True]
