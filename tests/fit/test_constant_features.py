"""Columns of one number, some of whose values are missing, are told of as those that have all of them."""

import re
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior
from fastgmm.data.table import Table
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning
from fastgmm.parameters import FloatArray

WITHOUT_OWN_VARIANCES = ("full", "tied", "diag")


def with_constant(holes: str, constant: float = 3.0) -> FloatArray:
    """Two clusters, and a column of one number; holes in this, in the others, in all or in none."""
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(size=(300, 2)) + 4.0 * rng.integers(2, size=(300, 1)), np.full(300, constant)])
    may_lack = {"itself": [False, False, True], "others": [True, True, False], "none": [False] * 3, "all": [True] * 3}
    values[(rng.random(values.shape) < 0.2) & may_lack[holes]] = np.nan
    return values


def words(values: FloatArray, **options: Any) -> str:
    with pytest.raises(DegenerateComponentError) as caught:
        GaussianMixture(2, random_state=0, **({"reg_covar": 0} | options)).fit(values)
    assert (caught.value.cause, caught.value.smallest_eigenvalue) == ("constant column 2", 0.0)
    return re.sub(r"[\d.]+ effective points", "some effective points", str(caught.value))


@pytest.mark.parametrize("prior", [None, "default", Prior(weight_concentration=2.0)])
@pytest.mark.parametrize("holes", ["itself", "others", "all"])
@pytest.mark.parametrize("family", WITHOUT_OWN_VARIANCES)
def test_they_are_refused_in_the_words_for_complete_rows(family: str, holes: str, prior: Any) -> None:
    if family == "diag" and prior == "default":
        pytest.skip("its scale is the mean of all variances")
    options = {"covariance_type": family, "prior": prior}
    assert words(with_constant(holes), **options) == words(with_constant("none"), **options)


@pytest.mark.parametrize("assignment", ["hard", "stochastic"])
def test_however_rows_are_assigned(assignment: str) -> None:
    words(with_constant("all"), assignment=assignment)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8 + 0.1])
def test_whatever_the_number_is(constant: float) -> None:
    words(with_constant("all", constant), reg_covar="relative")


def test_a_feature_of_which_rows_of_weight_0_have_another_number_is_constant() -> None:
    values, weights = with_constant("all"), np.ones(300)
    values[7], weights[7] = [0.0, 0.0, 99.0], 0.0
    with pytest.raises(DegenerateComponentError, match="constant column 2"):
        GaussianMixture(2, reg_covar=0).fit(values, sample_weight=weights)


@pytest.mark.parametrize("prior", [None, "default"])
@pytest.mark.parametrize("family", ["full", "tied"])
def test_where_regularization_widens_them_a_warning_names_them(family: str, prior: Any) -> None:
    with pytest.warns(DegenerateComponentWarning, match="constant column 2") as caught:
        GaussianMixture(2, covariance_type=family, prior=prior, random_state=0, max_iter=1000).fit(with_constant("all"))
    assert caught[0].message.components == (0, 1)


def test_a_warning_names_them_as_the_frame_does() -> None:
    flights = Table(with_constant("all"), ("delay", "distance", "year"))
    with pytest.warns(DegenerateComponentWarning, match=r"constant column 2 \('year'\)"):
        GaussianMixture(2, random_state=0, max_iter=1000).fit(flights)


def test_spherical_components_need_no_variance_of_every_feature() -> None:
    gm = GaussianMixture(2, covariance_type="spherical", reg_covar=0, random_state=0).fit(with_constant("all"))
    assert gm.covariances_.min() > 0.1


def test_a_variance_that_something_else_holds_may_stay() -> None:
    values = with_constant("all")
    prior = Prior(degrees_of_freedom=5.0, covariance=np.eye(3))
    assert GaussianMixture(2, reg_covar=0, prior=prior, random_state=0).fit(values).covariances_[:, 2, 2].min() > 1e-3
    held = {"precisions_init": [np.eye(3)] * 2, "fixed": ("covariances",)}
    assert np.array_equal(
        GaussianMixture(2, reg_covar=0, random_state=0, **held).fit(values).covariances_[0], np.eye(3)
    )
    held["fixed"] = {"covariances": [0]}
    with pytest.raises(DegenerateComponentError, match="Component 1 has"):
        GaussianMixture(2, reg_covar=0, random_state=0, **held).fit(values)
