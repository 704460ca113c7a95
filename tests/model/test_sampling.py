"""Random points from a mixture."""

import numpy as np
import pytest

from fastgmm.families import FAMILIES, FOUR
from fastgmm.model.sampling import sample
from tests.problems import draw_parameters


@pytest.mark.parametrize("name", FOUR)
def test_points_have_the_weights_means_and_covariances_of_their_components(rng, name):
    parameters = draw_parameters(rng, name, 3, 2)
    points, labels = sample(parameters, 200_000, np.random.RandomState(0))
    matrices = FAMILIES[name].matrices(parameters.covariances, 2, 3)
    assert (np.diff(labels) >= 0).all()
    for k in range(2):
        own = points[labels == k]
        assert len(own) / 200_000 == pytest.approx(parameters.weights[k], abs=0.01)
        spread = np.sqrt(np.diagonal(matrices[k]))
        np.testing.assert_allclose(own.mean(axis=0), parameters.means[k], atol=0.03 * spread.max())
        np.testing.assert_allclose(np.cov(own.T), matrices[k], atol=0.04 * spread.max() ** 2)
