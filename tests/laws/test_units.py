"""Families that are closed under scaling of features fit the same mixture in any units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES

laws = settings(max_examples=8, deadline=None, derandomize=True)
CLOSED = [name for name, family in FAMILIES.items() if family.is_closed_under_scaling]
# Draws means near the data whatever their units.
STARTS = ["auto", "k-means++", "random", "random_from_data", lambda X, k, random_state: X[:: len(X) // k][:k]]


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("init_params", STARTS, ids=lambda start: start if isinstance(start, str) else "callable")
@pytest.mark.parametrize("covariance_type", CLOSED)
@laws
@given(
    seed=st.integers(0, 2**32 - 1),
    exponents=st.lists(st.floats(-6, 6), min_size=3, max_size=3),
    n_rows=st.sampled_from([60, 300, 3000]),
)
def test_a_fit_in_other_units_has_the_same_labels_and_a_likelihood_shifted_by_their_logarithms(
    covariance_type, init_params, seed, exponents, n_rows
):
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 3, (3, 3))
    X = centers[rng.integers(3, size=n_rows)] + rng.normal(size=(n_rows, 3))
    units = 10.0 ** np.array(exponents)
    options = {"covariance_type": covariance_type, "init_params": init_params, "random_state": seed, "tol": 0.01}
    before = GaussianMixture(3, reg_covar="relative", **options).fit(X)
    after = GaussianMixture(3, reg_covar="relative", **options).fit(X * units)
    np.testing.assert_allclose(after.score(X * units) + np.log(units).sum(), before.score(X), atol=1e-6)
    assert np.mean(after.predict(X * units) == before.predict(X)) > 0.999


def test_scikit_learns_k_means_in_the_units_of_the_data_stays_within_reach():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal([4, 0], 1, (100, 2))]) * [1.0, 100.0]
    raw = GaussianMixture(2, init_params="kmeans", max_iter=0, random_state=0).fit(X)
    scaled = GaussianMixture(2, max_iter=0, random_state=0).fit(X)
    assert np.ptp(raw.means_[:, 1]) > 100 > 50 > np.ptp(scaled.means_[:, 1])
    assert np.ptp(scaled.means_[:, 0]) > 3.5
