"""Covariance families: parameters into what kernels read, moments into parameters."""

import dataclasses
import math

import numpy as np
import pytest

from fastgmm.families import FAMILIES, FOUR
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.fit.maximize import maximize
from fastgmm.parameters import scales_of
from tests import naive
from tests.problems import Problem, as_mixture, assert_close, draw_parameters, draw_problem, oracle_moments

SIZES = [(1, 1), (1, 3), (2, 1), (3, 2), (5, 3), (16, 2)]
# One number per variance that no covariance may have.
UNSOUND = [0.0, -1.0, math.nan, math.inf, -math.inf]


def matrices_of(family, parameters):
    """The oracle's idea of every component's covariance."""
    mixture = as_mixture(parameters)
    return np.array([naive.covariance_matrix(mixture, k) for k in range(parameters.n_components)])


def next_mixture(problem: Problem, reg_covar: float = 0.0) -> naive.Mixture:
    weights = None if problem.weights is None else problem.weights.tolist()
    return naive.em_step(problem.mixture, problem.values.tolist(), weights, reg_covar)


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_a_covariance_matrix_stands_for_every_component(family, rng, n_features, n_components):
    parameters = draw_parameters(rng, family.name, n_features, n_components)
    matrices = family.matrices(parameters.covariances, n_components, n_features)
    assert np.array_equal(matrices, matrices_of(family, parameters))


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_precisions_cholesky_is_upper_triangular_and_whitens(family, rng, n_features, n_components):
    """UᵀΣU = 1 for every component."""
    parameters = draw_parameters(rng, family.name, n_features, n_components)
    factors = family.precisions_cholesky(parameters.covariances)
    assert factors.shape == family.covariance_shape(n_components, n_features)
    if family.name in ("diag", "spherical"):
        factors = family.matrices(factors, n_components, n_features)
    factors = np.broadcast_to(factors, (n_components, n_features, n_features))
    assert np.array_equal(factors, np.triu(factors))
    whitened = np.swapaxes(factors, 1, 2) @ matrices_of(family, parameters) @ factors
    assert_close(whitened, np.broadcast_to(np.eye(n_features), whitened.shape), 1e-13)


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_log_constants_are_the_joint_densities_at_the_means(family, rng, n_features, n_components):
    parameters = draw_parameters(rng, family.name, n_features, n_components)
    prepared = family.prepare(parameters, np.float64)
    at_means = naive.joint_log_density(as_mixture(parameters), parameters.means.tolist())
    assert_close(prepared.log_constants, np.array(at_means).diagonal(), 1e-13, 1.0 + n_features)


def test_prepared_numbers_have_the_dtype_of_the_arithmetic_and_means_stay_float64(family, rng, dtype):
    prepared = family.prepare(draw_parameters(rng, family.name, 3, 2), np.dtype(dtype))
    expected = "float64" if family.name == "tied" else dtype  # the tied covariance is a difference of large numbers
    assert prepared.log_constants.dtype == scales_of(prepared).dtype == expected
    assert prepared.means.dtype == np.float64


def test_kernels_read_contiguous_arrays_however_the_parameters_lie(family, rng):
    parameters = draw_parameters(rng, family.name, 3, 2)
    turned = dataclasses.replace(
        parameters,
        means=np.asfortranarray(parameters.means),
        covariances=np.asfortranarray(parameters.covariances),
    )
    straight, prepared = (family.prepare(one, np.float64) for one in (parameters, turned))
    assert all(array.flags.c_contiguous for array in prepared)
    assert all(np.array_equal(one, other) for one, other in zip(straight, prepared, strict=True))


def test_prepared_means_are_a_copy(family, rng):
    parameters = draw_parameters(rng, family.name, 3, 2)
    assert not np.shares_memory(family.prepare(parameters, np.float64).means, parameters.means)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("shape", [(600, 1, 7), (100, 2, 3), (257, 5, 3), (100, 8, 3), (255, 3, 2)], ids=str)
def test_maximize_makes_the_parameters_of_the_oracle(family, shape, weighted):
    problem = draw_problem(family.name, *shape, weighted=weighted)
    parameters = maximize(family, oracle_moments(problem), np.zeros(shape[1]))
    expected = next_mixture(problem)
    assert_close(parameters.weights, np.array(expected.weights), 1e-13)
    assert_close(parameters.means, np.array(expected.means), 1e-13)
    assert_close(parameters.covariances, np.array(expected.covariances), 1e-12)
    assert parameters.covariance_type == family.name


def test_regularization_is_added_to_the_diagonals(family):
    problem = draw_problem(family.name, 100, 2, 3)
    parameters = maximize(family, oracle_moments(problem), np.full(2, 0.25))
    assert_close(parameters.covariances, np.array(next_mixture(problem, 0.25).covariances), 1e-12)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_covariance_matrices_are_symmetric_to_the_last_bit(name):
    problem = draw_problem(name, 257, 5, 3)
    parameters = maximize(problem.family, oracle_moments(problem), np.full(5, 1e-6))
    assert np.array_equal(parameters.covariances, np.swapaxes(parameters.covariances, -1, -2))


def test_weights_of_components_sum_to_one(family):
    problem = draw_problem(family.name, 100, 2, 3, weighted=True)
    parameters = maximize(family, oracle_moments(problem), np.zeros(2))
    assert parameters.weights.sum() == pytest.approx(1.0, abs=1e-15)
    assert (parameters.weights > 0).all()


def test_scaling_all_moments_changes_no_parameter(family):
    """Twice the weight of every row; a power of two, so that no bit may change."""
    problem = draw_problem(family.name, 100, 2, 3)
    once = oracle_moments(problem)
    twice = once + once
    one, other = (maximize(family, m, np.zeros(2)) for m in (once, twice))
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.means, other.means)
    assert np.array_equal(one.covariances, other.covariances)


def test_a_component_that_lost_all_rows_keeps_its_mean_and_a_trace_of_weight(family):
    problem = draw_problem(family.name, 100, 2, 3)
    kept = np.array([1.0, 0.0, 1.0])
    moments = oracle_moments(problem)
    second = moments.second
    if family.name != "tied":
        second = second * kept.reshape(3, *[1] * (second.ndim - 1))
    lost = dataclasses.replace(
        moments, counts=moments.counts * kept, first=moments.first * kept[:, np.newaxis], second=second
    )
    parameters = maximize(family, lost, np.full(2, 1e-6))
    assert np.array_equal(parameters.means[1], problem.parameters.means[1])
    assert 0.0 < parameters.weights[1] < 1e-14
    assert np.isfinite(parameters.covariances).all()


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_covariances_of_precisions_undo_the_inverse(family, rng, n_features, n_components):
    covariances = draw_parameters(rng, family.name, n_features, n_components).covariances
    precisions = np.linalg.inv(covariances) if family.name in ("full", "tied") else 1.0 / covariances
    assert_close(family.covariances_of_precisions(precisions), covariances, 1e-12)


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_free_parameters_are_counted(n_features, n_components):
    """A symmetric matrix has d(d + 1)/2 numbers of its own."""
    triangle = n_features * (n_features + 1) // 2
    counted = {name: FAMILIES[name].n_covariance_parameters(n_components, n_features) for name in FOUR}
    assert counted == {
        "full": n_components * triangle,
        "tied": triangle,
        "diag": n_components * n_features,
        "spherical": n_components,
    }


def spoil(family, covariances, unsound):
    """The last variance of the last component replaced."""
    spoiled = covariances.copy()
    spoiled[(-1,) * spoiled.ndim] = unsound
    return spoiled


@pytest.mark.parametrize("unsound", UNSOUND)
@pytest.mark.parametrize("n_features", [1, 3])
def test_an_unsound_variance_is_detected_and_its_component_named(family, rng, n_features, unsound):
    parameters = draw_parameters(rng, family.name, n_features, 3)
    spoiled = dataclasses.replace(parameters, covariances=spoil(family, parameters.covariances, unsound))
    with pytest.raises(NotPositiveDefiniteError) as caught:
        family.prepare(spoiled, np.float64)
    assert caught.value.component == (-1 if family.name == "tied" else 2)
    with pytest.raises(NotPositiveDefiniteError):
        family.precisions_cholesky(spoiled.covariances)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_a_variance_that_float32_cannot_divide_by_is_detected_and_its_component_named(name, rng):
    parameters = draw_parameters(rng, name, 3, 3)
    covariances = parameters.covariances.copy()
    covariances[-1] *= 1e-80
    spoiled = dataclasses.replace(parameters, covariances=covariances)
    with pytest.raises(NotPositiveDefiniteError) as caught, np.errstate(over="ignore"):
        FAMILIES[name].prepare(spoiled, np.dtype(np.float32))
    assert caught.value.component == 2
    assert np.isfinite(scales_of(FAMILIES[name].prepare(spoiled, np.dtype(np.float64)))).all()


@pytest.mark.parametrize("name", ["full", "tied"])
@pytest.mark.parametrize("factor", [-2.0, 0.0, 1.0, 4.0])
def test_a_feature_that_says_what_another_one_says_is_detected(name, rng, factor):
    """The last pivot is 0 but for rounding; with a factor of 0 the feature is constant."""
    family = FAMILIES[name]
    repeat = np.vstack([np.eye(4), [0.0, factor, 0.0, 0.0]])
    singular = repeat @ draw_parameters(rng, name, 4, 2).covariances @ repeat.T
    with pytest.raises(NotPositiveDefiniteError):
        family.precisions_cholesky(singular)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e200])
def test_the_units_of_the_data_do_not_make_a_covariance_unsound(family, rng, scale):
    parameters = draw_parameters(rng, family.name, 3, 2)
    assert np.isfinite(family.precisions_cholesky(scale * parameters.covariances)).all()


@pytest.mark.parametrize("name", ["full", "tied", "diag"])
def test_features_in_very_different_units_are_sound(name, rng):
    family = FAMILIES[name]
    units = np.array([1e-9, 1.0, 1e9])
    covariances = draw_parameters(rng, name, 3, 2).covariances
    squares = units**2 if name == "diag" else np.outer(units, units)
    assert np.isfinite(family.precisions_cholesky(covariances * squares)).all()


@pytest.mark.parametrize("name", ["full", "tied"])
@pytest.mark.parametrize("seed", range(20))
def test_a_covariance_that_is_singular_but_for_rounding_is_refused(name, seed):
    rng = np.random.default_rng(seed)
    collinear = rng.standard_normal((500, 2)) @ rng.standard_normal((2, 3)) + rng.standard_normal(3)
    covariance = np.cov(collinear.T)
    with pytest.raises(NotPositiveDefiniteError):
        FAMILIES[name].precisions_cholesky(covariance[np.newaxis] if name == "full" else covariance)


def test_a_condition_of_1e12_is_accepted(rng):
    directions, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    covariance = directions * np.geomspace(1e-12, 1.0, 8) @ directions.T
    assert np.isfinite(FAMILIES["full"].precisions_cholesky(covariance[np.newaxis])).all()


@pytest.mark.parametrize(("n_features", "n_components"), SIZES)
def test_small_variances_are_those_whose_smallest_eigenvalue_is_small(family, rng, n_features, n_components):
    """Without eigenvalues, and with a limit just above and just below each of them, be the roots known or not."""
    covariances = draw_parameters(rng, family.name, n_features, n_components).covariances
    units, roots = rng.uniform(0.5, 2.0, n_features), family.precisions_cholesky(covariances)
    smallest = family.smallest_variances(covariances, units)
    for limit in (0.0, *(smallest * (1 - 1e-9)), *(smallest * (1 + 1e-9)), 100.0):
        for known in (None, roots):
            assert np.array_equal(family.have_smaller_variances(covariances, known, units, limit), smallest <= limit)
