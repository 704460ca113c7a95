"""Any root of a precision, and the one that kernels read."""

import numpy as np
import pytest

from fastgmm.families import FAMILIES
from tests.problems import assert_close, draw_parameters
from tests.roots import ROOTS, any_root

SIZES = [(1, 1), (1, 3), (2, 1), (3, 2), (16, 2), (130, 1)]
by_size = pytest.mark.parametrize(("n_features", "n_components"), SIZES)
UNSOUND = "precisions_cholesky_ should be finite and of full rank"


def with_units(matrices, units, family):
    """Precisions or roots of features measured in other units."""
    if family.name == "spherical":
        return matrices
    return matrices * (units[:, np.newaxis] if family.has_matrices else units)


@pytest.mark.parametrize("kind", ROOTS)
@by_size
def test_every_root_of_a_precision_becomes_the_one_of_a_fit(family, rng, kind, n_features, n_components):
    covariances = draw_parameters(rng, family.name, n_features, n_components).covariances
    fitted = family.precisions_cholesky(covariances)
    assert_close(family.upper_root(any_root(fitted, kind, family, rng)), fitted, 1e-13)


@by_size
def test_the_root_of_a_fit_is_left_as_it_is(family, rng, n_features, n_components):
    fitted = family.precisions_cholesky(draw_parameters(rng, family.name, n_features, n_components).covariances)
    assert np.array_equal(family.upper_root(fitted), fitted)
    if family.name == "full":
        assert family.upper_root(fitted) is fitted


@pytest.mark.parametrize("name", ["full", "tied"])
@pytest.mark.parametrize("kind", ["rotated", "lower"])
def test_units_of_features_take_no_digit_from_a_root(name, kind, rng):
    """Digit by digit: every row is as exact as its own unit."""
    family, units = FAMILIES[name], np.geomspace(1e-100, 1e100, 5)
    fitted = family.precisions_cholesky(draw_parameters(rng, name, 5, 2).covariances)
    root = with_units(any_root(fitted, kind, family, rng), units, family)
    assert_close(with_units(family.upper_root(root), 1.0 / units, family), fitted, 1e-13)


def test_the_condition_of_a_root_is_not_squared(rng):
    """The precision would be [1 1; 1 1], of which nothing is left."""
    upper = np.array([[[1e-10, 1.0], [0.0, 1.0]]])
    rotated = any_root(upper, "rotated", FAMILIES["full"], rng)
    assert_close(FAMILIES["full"].upper_root(rotated), upper, 1e-15)


@by_size
def test_covariances_of_roots_are_those_of_the_fit(family, rng, n_features, n_components):
    covariances = draw_parameters(rng, family.name, n_features, n_components).covariances
    found = family.covariances_of_root(family.precisions_cholesky(covariances))
    assert_close(found, covariances, 1e-12)
    if family.has_matrices:
        assert np.array_equal(found, np.swapaxes(found, -1, -2))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_root_that_is_not_finite_is_refused(family, rng, wrong, where):
    root = np.array(family.precisions_cholesky(draw_parameters(rng, family.name, 3, 2).covariances))
    root[(0 if where == "first" else -1,) * root.ndim] = wrong
    with pytest.raises(ValueError, match=UNSOUND):
        family.upper_root(root)


@pytest.mark.parametrize("n_features", [1, 2, 5, 40])
def test_a_singular_root_is_refused_also_where_rounding_hides_it(family, rng, n_features):
    root = np.array(family.precisions_cholesky(draw_parameters(rng, family.name, n_features, 2).covariances))
    if family.has_matrices and n_features > 1:
        root = rng.normal(size=(*root.shape[:-1], n_features - 1)) @ rng.normal(size=(n_features - 1, n_features))
    else:
        root[..., -1] = 0.0
    with pytest.raises(ValueError, match=UNSOUND):
        family.upper_root(root)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_triangular_root_with_a_zero_on_its_diagonal_is_refused(name):
    root = np.array([[1.0, 2.0], [0.0, 0.0]])
    for singular in (root, root.T):
        with pytest.raises(ValueError, match=UNSOUND):
            FAMILIES[name].upper_root(singular if name == "tied" else singular[np.newaxis])
