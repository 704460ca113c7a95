"""Arrays that were handed in: those that make a mixture are copied, others are refused."""

from typing import Any

import numpy as np
import pytest

from fastgmm.families import FAMILIES, FOUR
from fastgmm.families.check import check_covariances, check_given_start, check_weights
from tests.problems import draw_parameters


@pytest.mark.parametrize("weights", [[0.5, 0.5], [1, 0], np.float32([0.1, 0.9])])
def test_weights_sum_to_one(weights: Any) -> None:
    checked = check_weights(weights, 2)
    assert checked.dtype == np.float64
    assert checked.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("family", [FAMILIES[name] for name in FOUR], ids=FOUR)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_covariances_and_precisions_are_accepted_at_any_scale(family: Any, scale: float) -> None:
    covariances = draw_parameters(np.random.default_rng(0), family.name, 3, 2).covariances * scale
    assert np.array_equal(check_covariances(family, covariances, 2, 3), covariances)
    precisions = family.precisions(family.precisions_cholesky(covariances))
    *_, given = check_given_start(family, None, None, precisions, 2, 3)
    np.testing.assert_allclose(given, covariances, rtol=1e-9)


@pytest.mark.parametrize("family", [FAMILIES[name] for name in FOUR], ids=FOUR)
def test_given_parameters_are_copied(family: Any) -> None:
    parameters = draw_parameters(np.random.default_rng(0), family.name, 3, 2)
    weights, means, _ = check_given_start(family, parameters.weights, parameters.means, parameters.covariances, 2, 3)
    assert not np.shares_memory(weights, parameters.weights)
    assert not np.shares_memory(means, parameters.means)


def test_a_matrix_may_be_as_far_from_symmetric_as_rounding_leaves_it() -> None:
    covariance = np.array([[1e8, 1e-9], [-1e-9, 1e8]])
    assert np.array_equal(check_covariances(FAMILIES["tied"], covariance, 2, 2), covariance)
    with pytest.raises(ValueError, match="'tied covariance' should be symmetric, positive-definite"):
        check_covariances(FAMILIES["tied"], [[1.0, 0.1], [0.2, 1.0]], 2, 2)


def test_a_family_of_variances_builds_no_matrices() -> None:
    n_features = 40_000  # of which one matrix would take 12 GB
    variances = np.ones((1, n_features))
    assert check_covariances(FAMILIES["diag"], variances, 1, n_features).shape == variances.shape
