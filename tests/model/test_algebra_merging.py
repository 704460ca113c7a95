"""Fewer components: moments are kept, and each merger is the cheapest that the oracle finds."""

import itertools
import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, CovarianceFamily
from tests.model.test_algebra_regression import moments
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, assert_close, draw_problem


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 40, 3, 6)


@pytest.mark.parametrize("far", [0.0, 2.0**20])
def test_the_mean_and_the_covariance_of_the_mixture_stay(problem: Problem, far: float) -> None:
    model = model_of(problem).transformed(1.0, np.full(3, far))
    expected = moments(model)
    for after in (model.merged([[4, 1], [0, 2, 5]]), model.reduced(2), model.reduced(1)):
        mean, covariance = moments(after)
        assert_close(mean, expected[0], 1e-13)
        assert_close(covariance, expected[1], 1e-12 + 1e-16 * far)


def test_a_group_has_its_moments_and_the_others_stay(problem: Problem) -> None:
    given, after = problem.parameters, model_of(problem).merged([[4, 1]])
    matrices = problem.family.matrices(given.covariances, 6, 3)
    shares = given.weights[[4, 1]] / given.weights[[4, 1]].sum()
    mean = shares @ given.means[[4, 1]]
    covariance = sum(
        share * (matrices[k] + np.outer(given.means[k] - mean, given.means[k] - mean))
        for share, k in zip(shares, (4, 1), strict=True)
    )
    assert after.covariance_type == "full"
    assert_close(after.means_[0], mean, 1e-14)
    assert_close(after.covariances_[0], covariance, 1e-14)
    assert_close(after.weights_, np.r_[given.weights[[4, 1]].sum(), given.weights[[0, 2, 3, 5]]], 1e-15)
    assert_close(after.covariances_[1:], matrices[[0, 2, 3, 5]], 1e-15)


def test_groups_of_one_are_another_order(problem: Problem) -> None:
    after = model_of(problem).merged([[5], [0]])
    assert after.covariance_type == problem.family.name
    assert_close(after.means_, problem.parameters.means[[5, 0, 1, 2, 3, 4]], 0.0)
    assert_close(after.score_samples(problem.values), model_of(problem).score_samples(problem.values), 1e-13)


def test_one_feature_stays_in_its_family_unless_variances_are_shared(family: CovarianceFamily) -> None:
    after = model_of(draw_problem(family.name, 40, 1, 3)).merged([[0, 1]])
    assert after.covariance_type == ("full" if family.name == "tied" else family.name)


def oracle_cost(weights, means, matrices, i: int, j: int) -> float:
    """Runnalls' bound, by determinants."""
    total = weights[i] + weights[j]
    mean = (weights[i] * means[i] + weights[j] * means[j]) / total
    both = sum(weights[k] / total * (matrices[k] + np.outer(means[k] - mean, means[k] - mean)) for k in (i, j))
    logs = [math.log(np.linalg.det(each)) for each in (both, matrices[i], matrices[j])]
    return 0.5 * (total * logs[0] - weights[i] * logs[1] - weights[j] * logs[2])


def test_each_merger_is_the_cheapest_of_all_pairs(problem: Problem) -> None:
    model = model_of(problem)
    for n_left in range(5, 0, -1):
        matrices = FAMILIES[model.covariance_type].matrices(model.covariances_, *model.means_.shape)
        pairs = itertools.combinations(range(n_left + 1), 2)
        how = model.weights_, model.means_, matrices
        pair = min(pairs, key=lambda pair: oracle_cost(*how, *pair))
        cheapest, found = model.merged([pair]), model.reduced(n_left)
        order = np.lexsort(cheapest.means_.T), np.lexsort(found.means_.T)
        assert_close(found.means_[order[1]], cheapest.means_[order[0]], 1e-13)
        assert_close(found.weights_[order[1]], cheapest.weights_[order[0]], 1e-13)
        at_once = model_of(problem).reduced(n_left)
        assert_close(np.sort(at_once.weights_), np.sort(found.weights_), 1e-13)
        model = found


def test_clusters_of_components_become_one_each(rng: np.random.Generator) -> None:
    centers = 50.0 * np.eye(4)
    means = np.concatenate([centers + rng.normal(size=(4, 4)) for _ in range(5)])
    model = GaussianMixture.from_parameters(np.full(20, 0.05), means, np.ones(20), "spherical")
    after = model.reduced(4)
    assert_close(after.weights_, np.full(4, 0.25), 1e-14)
    assert_close(after.means_, means.reshape(5, 4, 4).mean(axis=0), 1e-13)


def test_as_many_components_as_there_are_stay_as_they_are(problem: Problem) -> None:
    after = model_of(problem).reduced(6)
    assert after.covariance_type == problem.family.name
    assert np.array_equal(after.means_, problem.parameters.means)


def test_components_without_weight_are_merged_first() -> None:
    model = GaussianMixture.from_parameters([0.0, 0.5, 0.5, 0.0], [[0.0], [1.0], [9.0], [5.0]], np.ones(4), "spherical")
    assert_close(np.sort(model.reduced(2).weights_), np.array([0.5, 0.5]), 0.0)
    assert model.merged([[0, 3]]).means_[0, 0] == 2.5


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[0, 6]], "groups should hold numbers of components, from 0 to 5; got 6"),
        ([[-1]], "got -1"),
        ([[True]], "got True"),
        ([[0, 1], [1]], "Component 1 is in groups twice"),
        ([[0], []], "Group 1 of groups is empty"),
    ],
)
def test_groups_that_make_no_partition_are_refused(problem: Problem, groups: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(problem).merged(groups)


def test_numbers_of_components_that_cannot_be_left_are_refused(problem: Problem) -> None:
    with pytest.raises(ValueError, match="n_components=7 is more than this mixture has, 6"):
        model_of(problem).reduced(7)
    with pytest.raises(ValueError, match="'n_components' parameter of reduced must be a whole number from 1"):
        model_of(problem).reduced(0)
