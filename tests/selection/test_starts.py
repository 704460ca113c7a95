"""What candidates take from each other."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR
from fastgmm.families.component import component_matrices
from fastgmm.model.attributes import parameters_of
from fastgmm.parameters import Parameters
from fastgmm.selection.starts import fewer_components, in_family, with_heaviest_split, without


def some_mixture(covariance_type="full", n_components=4):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3)) + 6 * rng.integers(n_components, size=(400, 1))
    gm = GaussianMixture(n_components, covariance_type=covariance_type, random_state=0, max_iter=2, tol=1e9).fit(rows)
    return rows, parameters_of(vars(gm))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.ConvergenceWarning")
@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical"])
def test_covariances_of_the_full_family_are_averaged_to_the_m_step_of_another(covariance_type):
    """The M-step of one family and of another from the same responsibilities, those of a start that both are given."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3)) + 4 * rng.integers(3, size=(300, 1))
    start = {"weights_init": np.full(3, 1 / 3), "means_init": rows[:3], "reg_covar": 0.0, "max_iter": 1, "tol": 1e9}
    of = {}
    for family in ("full", covariance_type):
        precisions = GaussianMixture.from_parameters(
            np.full(3, 1 / 3), rows[:3], in_family(unit_full(rows[:3]), family).covariances, family
        ).precisions_
        of[family] = GaussianMixture(3, covariance_type=family, precisions_init=precisions, **start).fit(rows)
    averaged = in_family(parameters_of(vars(of["full"])), covariance_type)
    np.testing.assert_allclose(averaged.covariances, of[covariance_type].covariances_, rtol=1e-12)


def unit_full(means):
    return Parameters("full", np.full(3, 1 / 3), means, np.tile(np.eye(3), (3, 1, 1)))


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_merger_keeps_family_weight_and_mean(covariance_type):
    _, parameters = some_mixture(covariance_type)
    merged = fewer_components(parameters)
    assert (merged.n_components, merged.covariance_type) == (3, covariance_type)
    assert merged.covariances.shape == FAMILIES[covariance_type].covariance_shape(3, 3)
    assert merged.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(merged.weights @ merged.means, parameters.weights @ parameters.means)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_split_keeps_family_weight_and_mean(covariance_type):
    _, parameters = some_mixture(covariance_type)
    split = with_heaviest_split(parameters)
    assert (split.n_components, split.covariance_type) == (5, covariance_type)
    assert split.covariances.shape == FAMILIES[covariance_type].covariance_shape(5, 3)
    np.testing.assert_allclose(split.weights @ split.means, parameters.weights @ parameters.means)


def test_a_split_is_along_the_longest_axis():
    covariance = np.array([[[4.0, 0.0], [0.0, 1.0]]])
    split = with_heaviest_split(Parameters("full", np.ones(1), np.zeros((1, 2)), covariance))
    assert np.abs(split.means).tolist() == [[1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("covariance_type", FOUR)
def test_the_others_are_left_with_weights_that_sum_to_1(covariance_type):
    _, parameters = some_mixture(covariance_type)
    left = without(parameters, (1, 3))
    np.testing.assert_array_equal(left.means, parameters.means[[0, 2]])
    np.testing.assert_array_equal(component_matrices(left), component_matrices(parameters)[[0, 2]])
    assert left.weights.sum() == pytest.approx(1.0)
