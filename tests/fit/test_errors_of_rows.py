"""Starts of rows of known errors, and components that are flat."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.errors_of_rows import less_errors, mean_errors
from fastgmm.fit.fitting import sweep_over
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from tests.problems import assert_close


def test_mean_errors_are_those_of_the_rows_that_have_the_features():
    values = np.array([[10.0, 20.0], [np.nan, 10.0], [30.0, 40.0]])
    errors = np.array([[[1.0, 0.5], [0.5, 2.0]], [[0.0, 0.0], [0.0, 5.0]], [[3.0, 0.1], [0.1, 2.0]]])
    rows = Rows(values, np.array([1.0, 1.0, 3.0]), has_missing=True, errors=errors)
    assert_close(mean_errors(Facts(rows)), np.array([[2.5, 0.2], [0.2, 13.0 / 5.0]]), 1e-15)
    only = Rows(values, has_missing=True, errors=np.array([[1.0, 2.0], [0.0, 5.0], [3.0, 2.0]]))
    assert_close(mean_errors(Facts(only)), np.diag([2.0, 3.0]), 1e-15)


def test_errors_count_no_further_than_what_was_measured_varies():
    values = np.array([[0.0, 0.0], [2.0, 4.0]])
    variances = Rows(values, errors=np.array([[0.5, 1e9], [1e9, 1.0]]))
    assert_close(mean_errors(Facts(variances)), np.diag([0.75, 2.5]), 1e-15)
    matrices = Rows(values, errors=np.array([np.diag([1e9, 1e9]), np.diag([0.5, 2.0])]))
    assert_close(mean_errors(Facts(matrices)), np.diag([0.75, 1.5]), 1e-15)


def started(name, covariances, errors):
    rows = Rows(np.random.default_rng(0).normal(size=(50, 2)), errors=np.tile(errors, (50, 1, 1)))
    sweep = sweep_over(Facts(rows), name, 2, "numpy", 1)
    start = Parameters(name, np.array([0.5, 0.5]), np.zeros((2, 2)), np.asarray(covariances, float))
    return less_errors(sweep, start).covariances


def test_a_start_is_less_the_errors_where_that_is_well_above_0():
    S = np.array([[0.5, 0.2], [0.2, 0.3]])
    full = np.array([[[2.0, 0.3], [0.3, 1.0]], [[3.0, 0.0], [0.0, 2.0]]])
    assert_close(started("full", full, S), full - S, 1e-14)
    assert_close(started("tied", full[0], S), full[0] - S, 1e-14)
    assert_close(started("diag", [[2.0, 1.0], [3.0, 2.0]], S), np.array([[1.5, 0.7], [2.5, 1.7]]), 1e-14)
    assert_close(started("spherical", [2.0, 1.0], S), np.array([1.6, 0.6]), 1e-14)
    assert_close(started("EEI", [[2.0, 1.0], [2.0, 1.0]], S), np.array([[1.5, 0.7]] * 2), 1e-14)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_start_is_positive_definite_also_where_a_single_row_has_named_it(name):
    S = np.array([[0.5, 0.2], [0.2, 0.3]])
    found = started(name, np.zeros(FAMILIES[name].covariance_shape(2, 2)), S)
    assert_close(found, 0.1 * np.broadcast_to(S, found.shape), 1e-14)


def test_components_are_flat_without_fault_where_every_row_has_an_error():
    rng = np.random.default_rng(0)
    X = np.repeat([[0.0, 0.0], [5.0, 5.0]], [300, 4], axis=0) + rng.normal(size=(304, 2))
    mixture = GaussianMixture(2, means_init=[[0.0, 0.0], [5.0, 5.0]], tol=1e-7, max_iter=2000)
    mixture.fit(X, errors=np.ones(X.shape))
    assert mixture.covariances_[0].max() < 0.3
    assert mixture.degenerate_components_ == ()


@pytest.mark.filterwarnings("ignore::fastgmm.errors.ConvergenceWarning")
def test_components_that_collapse_on_rows_without_errors_are_named():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(300, 2)), np.full((3, 2), 5.0)])
    errors = np.concatenate([np.ones((300, 2)), np.zeros((3, 2))])
    mixture = GaussianMixture(2, means_init=[[0.0, 0.0], [5.0, 5.0]])
    with pytest.warns(UserWarning, match="collapsed onto few distinct points"):
        mixture.fit(X, errors=errors)
    assert mixture.degenerate_components_ == (1,)
