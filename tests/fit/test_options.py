"""Hyper-parameters: every bad value is named, whoever asks, and nothing of an earlier fit is lost."""

import re
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES
from fastgmm.fit.options import (
    InvalidParameterError,
    check_covariances,
    check_given_start,
    check_n_samples,
    check_options,
    check_random_state,
    check_weights,
)
from tests.problems import draw_parameters

X = np.random.RandomState(0).normal(size=(60, 2))
BAD: dict[str, list[Any]] = {
    "n_components": [0, -1, 1.0, "2", None, True, np.nan],
    "tol": [-1e-9, "x", None, np.nan, np.inf, True, 10**400],
    "reg_covar": [-1e-9, "relativ", None, np.nan, np.inf, False],
    "max_iter": [-1, 1.0, None],
    "n_init": [0, 1.5],
    "verbose_interval": [0, None],
    "covariance_type": ["fulll", None, 3, ["full"]],
    "init_params": ["k-means", None, 3],
    "backend": ["gpu", None],
    "n_threads": [0, -1, 1.5, "2", True],
    "accelerate": ["SQUAREM", "", True, 1, ["squarem"]],
    "deadline": [0, -1.0, "1", np.inf, np.nan, True],
    "callbacks": [print, [3], "ab"],
    "warm_start": [1, "yes", None],
    "verbose": [-1, 1.5, None],
    "random_state": [-1, 1.5, "x", 2**32, np.random.default_rng(0)],
    "weights_init": ["ab", 1.0],
    "means_init": ["ab", 1.0],
    "precisions_init": ["ab", 1.0],
}
GOOD: dict[str, list[Any]] = {
    "n_components": [np.int64(2)],
    "tol": [0, 0.0, np.float32(1e-3), 1],
    "reg_covar": [0, 1e-3, np.float64(1e-6), "relative"],
    "max_iter": [np.int32(50)],
    "n_threads": [1, np.int64(2), None],
    "accelerate": [None, "squarem"],
    "deadline": [None, 1, 0.5, np.float32(2.0)],
    "callbacks": [None, [], (print,), [print]],
    "warm_start": [np.True_],
    "verbose": [False, np.False_, 0],
    "random_state": [None, 0, np.int64(3), np.random.RandomState(0), 2**32 - 1],
    "init_params": [lambda X, k, rng: X[:k]],
    "means_init": [[[0, 0]], ((0, 0),), np.zeros((1, 2))],
}


def cases(table: dict[str, list[Any]]) -> Any:
    pairs = [(name, value) for name, values in table.items() for value in values]
    ids = [re.sub(r" at 0x.*", "", f"{name}={value!r}")[:40] for name, value in pairs]  # the same in every process
    return pytest.mark.parametrize(("name", "value"), pairs, ids=ids)


@cases(BAD)
def test_a_bad_value_is_named_with_what_it_must_be(name: str, value: Any) -> None:
    with pytest.raises(InvalidParameterError, match=f"^The '{name}' parameter of GaussianMixture must be ") as caught:
        check_options(GaussianMixture(**{name: value}).get_params(), "GaussianMixture")
    assert str(caught.value).endswith(f"Got {value!r} instead.")
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)


@cases(GOOD)
def test_a_good_value_passes(name: str, value: Any) -> None:
    check_options(GaussianMixture(**{name: value}).get_params(), "GaussianMixture")


@pytest.mark.parametrize("family", FAMILIES)
def test_only_fit_looks_at_options_and_keeps_what_was_fitted(family: str) -> None:
    estimator = GaussianMixture(2, covariance_type=family, random_state=0).fit(X)
    before = {name: np.copy(value) for name, value in vars(estimator).items() if name.endswith("_")}
    with pytest.raises(InvalidParameterError):
        estimator.set_params(tol=-1).fit(X)
    assert all(np.array_equal(before[name], getattr(estimator, name)) for name in before)


def test_the_name_of_a_subclass_is_said() -> None:
    class Mixture(GaussianMixture):
        pass

    with pytest.raises(ValueError, match="parameter of Mixture must be"):
        Mixture(0).fit(X)
    with pytest.raises(ValueError, match="Mixture does not accept missing values"):
        Mixture().fit([[np.nan], [1.0]])


def test_a_random_state_is_used_as_it_is_and_an_int_seeds_a_new_one() -> None:
    state = np.random.RandomState(3)
    assert check_random_state(state) is state
    assert check_random_state(3).uniform() == np.random.RandomState(3).uniform()
    assert check_random_state(None) is np.random.mtrand._rand


@pytest.mark.parametrize("weights", [[0.5, 0.5], [1, 0], np.float32([0.1, 0.9])])
def test_weights_sum_to_one(weights: Any) -> None:
    checked = check_weights(weights, 2)
    assert checked.dtype == np.float64
    assert checked.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("n_samples", [5, 5.0, np.int32(5), np.uint8(5), np.float64(5), np.float16(5), np.array(5.0)])
def test_a_number_of_samples_is_whole_in_any_type(n_samples: Any) -> None:
    assert check_n_samples(n_samples) == 5
    assert type(check_n_samples(n_samples)) is int
    one, other = (GaussianMixture(random_state=0).fit(X).sample(number)[0] for number in (5, n_samples))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("n_samples", [2.5, np.float32(1.5), True, np.True_, np.nan, np.inf, 2**63, 1e20, 10**400])
def test_a_number_of_samples_that_is_none_is_refused_by_name(n_samples: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"'n_samples' parameter of sample must be a whole number"):
        GaussianMixture().fit(X).sample(n_samples)


@pytest.mark.parametrize("n_samples", [0, -1, 0.5, -np.inf, False])
def test_fewer_samples_than_one_are_refused(n_samples: Any) -> None:
    with pytest.raises(ValueError, match="requires at least one sample"):
        GaussianMixture().fit(X).sample(n_samples)


@pytest.mark.parametrize("n_samples", ["5", None, [5], 5j])
def test_samples_are_counted_by_numbers(n_samples: Any) -> None:
    with pytest.raises(TypeError):
        GaussianMixture().fit(X).sample(n_samples)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_covariances_and_precisions_are_accepted_at_any_scale(family: Any, scale: float) -> None:
    covariances = draw_parameters(np.random.default_rng(0), family.name, 3, 2).covariances * scale
    assert np.array_equal(check_covariances(family, covariances, 2, 3), covariances)
    precisions = family.precisions(family.precisions_cholesky(covariances))
    given = check_given_start(family, None, None, precisions, 2, 3).covariances
    np.testing.assert_allclose(given, covariances, rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_given_parameters_are_copied(family: Any) -> None:
    parameters = draw_parameters(np.random.default_rng(0), family.name, 3, 2)
    given = check_given_start(family, parameters.weights, parameters.means, parameters.covariances, 2, 3)
    assert not np.shares_memory(given.weights, parameters.weights)
    assert not np.shares_memory(given.means, parameters.means)


def test_a_matrix_may_be_as_far_from_symmetric_as_rounding_leaves_it() -> None:
    covariance = np.array([[1e8, 1e-9], [-1e-9, 1e8]])
    assert np.array_equal(check_covariances(FAMILIES["tied"], covariance, 2, 2), covariance)
    with pytest.raises(ValueError, match="'tied covariance' should be symmetric, positive-definite"):
        check_covariances(FAMILIES["tied"], [[1.0, 0.1], [0.2, 1.0]], 2, 2)


def test_a_family_of_variances_builds_no_matrices() -> None:
    n_features = 40_000  # of which one matrix would take 12 GB
    variances = np.ones((1, n_features))
    assert check_covariances(FAMILIES["diag"], variances, 1, n_features).shape == variances.shape
