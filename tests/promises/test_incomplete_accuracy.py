"""Rows with holes: accuracy against sixty digits, wherever the data lie."""

import numpy as np
import pytest

mpmath = pytest.importorskip("mpmath")

from fastgmm import GaussianMixture  # noqa: E402
from fastgmm.errors import ConvergenceWarning  # noqa: E402
from tests import many_digits, many_digits_of_observed  # noqa: E402
from tests.conftest import BACKENDS  # noqa: E402
from tests.promises.test_accuracy import ERRORS, UNITS, draw_case, largest_error  # noqa: E402

CASES = [
    (family, condition, offset)
    for family in ("full", "tied", "diag", "spherical")
    for condition in (tuple(ERRORS)[1:] if family in ("full", "tied") else (1.0,))
    for offset in (0.0, 1e8)
]


@pytest.mark.parametrize(("family", "condition", "offset"), CASES)
def test_a_step_with_holes_has_the_digits_that_the_condition_leaves(family, condition, offset):
    weights, means, covariances, rows = draw_case(family, condition, offset, UNITS["one"])
    is_missing = np.random.default_rng(2).random(rows.shape) < 0.3
    is_missing[:, 0] &= ~is_missing.all(axis=1)
    rows = np.where(is_missing, np.nan, rows)
    joint = many_digits_of_observed.joint_log_density(family, weights, means, covariances, rows)
    true, shares = many_digits.log_density(joint), many_digits.responsibilities(joint)
    step = many_digits_of_observed.em_step(family, weights, means, covariances, rows, shares)
    for backend in BACKENDS:
        model = GaussianMixture.from_parameters(weights, means, covariances, family).set_params(backend=backend)
        assert largest_error(model.score_samples(rows), true) <= ERRORS[condition]
        model.set_params(warm_start=True, max_iter=1, tol=0.0, reg_covar=0.0)
        with pytest.warns(ConvergenceWarning):
            model.fit(rows)
        found = model.weights_, model.means_, model.covariances_
        spacing = np.spacing(np.abs(model.means_).max())
        for actual, expected, more in zip(found, step, (0.0, spacing, 0.0), strict=True):
            assert largest_error(actual, expected) <= ERRORS[condition] + more
