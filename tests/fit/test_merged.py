"""Which components are the same but for their weights."""

import numpy as np
import pytest

from fastgmm.families import FAMILIES, FOUR
from fastgmm.fit.merged import merged_components
from fastgmm.parameters import Parameters

N_FEATURES = 3


def groups(family, means, covariances):
    """Of components whose covariances are given as matrices."""
    means, matrices = np.asarray(means, float), np.asarray(covariances, float)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    of_family = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances[:, 0]}[family]
    parameters = Parameters(family, np.full(len(means), 1 / len(means)), means, of_family)
    return merged_components(parameters, FAMILIES[family].precisions_cholesky(of_family))


def matrix(correlation):
    return 4.0 * (np.eye(N_FEATURES) * (1.0 - correlation) + correlation)


@pytest.mark.parametrize("family", FOUR)
def test_components_are_grouped_by_the_first_that_they_are_as(family):
    places = np.array([0.0, 9.0, 0.1, 5.0, 9.1, -0.1])[:, np.newaxis] * np.ones(N_FEATURES)
    assert groups(family, places, [matrix(0.0)] * 6) == ((0, 2, 5), (1, 4))
    assert groups(family, places[[0, 1, 3]], [matrix(0.0)] * 3) == ()


@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
def test_one_within_another_is_another_one(family):
    assert groups(family, np.zeros((2, N_FEATURES)), [matrix(0.0), 1.5 * matrix(0.0)]) == ()
    assert groups(family, np.zeros((2, N_FEATURES)), [matrix(0.0), 1.1 * matrix(0.0)]) == ((0, 1),)


def test_correlations_tell_components_apart():
    assert groups("full", np.zeros((2, N_FEATURES)), [matrix(0.4), matrix(-0.4)]) == ()


def test_what_is_near_in_every_feature_may_be_far_across_a_thin_direction():
    means = [[0.0, 0.0, 0.0], [0.1, -0.1, 0.0]]
    assert groups("full", means, [matrix(0.999)] * 2) == groups("tied", means, [matrix(0.999)] * 2) == ()
    assert groups("full", means, [matrix(0.0)] * 2) == ((0, 1),)
