"""Calls of the estimator's methods: what a warm start may continue."""

import copy
import pickle

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.covariance import FAMILIES

X = np.random.default_rng(0).normal(size=(60, 2))


def warm(covariance_type: str = "full") -> GaussianMixture:
    options = {"covariance_type": covariance_type, "warm_start": True, "random_state": 0, "tol": 0.1}
    return GaussianMixture(2, **options).fit(X)


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("covariance_type", FAMILIES)
def test_a_warm_start_keeps_the_number_of_components(covariance_type: str, n_components: int) -> None:
    model = warm(covariance_type).set_params(n_components=n_components)
    before = dict(vars(model))
    for fit in (model.fit, model.fit_predict):
        with pytest.raises(ValueError, match=f"continues the last one, whose n_components is 2; got .*={n_components}"):
            fit(X)
    assert vars(model) == before


@pytest.mark.parametrize("then", FAMILIES)
@pytest.mark.parametrize("first", FAMILIES)
def test_a_warm_start_keeps_the_family_also_where_shapes_would_fit(first: str, then: str) -> None:
    """Of two components in two dimensions the one matrix of tied covariances looks like the variances of diag ones."""
    model = warm(first).set_params(covariance_type=then)
    if first == then:
        assert model.fit(X).covariance_type == then
        return
    for each in (model, copy.copy(model)):
        with pytest.raises(ValueError, match=f"whose covariance_type is '{first}'; got covariance_type='{then}'"):
            each.fit(X)


def test_what_a_warm_start_refuses_a_cold_one_fits() -> None:
    model = warm().set_params(n_components=3, covariance_type="diag", warm_start=False).fit(X)
    expected = GaussianMixture(3, covariance_type="diag", random_state=0, tol=0.1).fit(X)
    assert np.array_equal(model.means_, expected.means_)


def test_a_warm_start_goes_on_from_a_pickle_and_from_given_parameters() -> None:
    model = warm()
    given = GaussianMixture.from_parameters(model.weights_, model.means_, model.covariances_, warm_start=True, tol=0.1)
    for each in (pickle.loads(pickle.dumps(model)), given):
        assert len(each.fit(X).weights_) == 2
        with pytest.raises(ValueError, match="whose n_components is 2"):
            each.set_params(n_components=4).fit(X)
