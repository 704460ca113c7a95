"""Hyper-parameters: every bad value is named, whoever asks, and nothing of an earlier fit is lost."""

import re
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior
from fastgmm.families import FOUR
from fastgmm.fit.options import InvalidParameterError, check_n_samples, check_options, check_random_state

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
    "prior": ["mclust", 1.0, {"mean_precision": 1.0}],
    "fixed": ["means", None, 3],
    "assignment": ["HARD", "", None, True, 1, ["soft"]],
    "annealing": [0, 0.0, -0.5, 1.5, "0.5", np.inf, np.nan, True],
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
    "prior": [None, "default", Prior()],
    "fixed": [(), ["means"], {"weights"}, {"means": [0]}],
    "assignment": ["soft", "hard", "stochastic"],
    "annealing": [None, 1, 0.5, np.float32(0.5)],
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


@pytest.mark.parametrize("family", FOUR)
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


def test_a_random_state_is_used_as_it_is_and_an_int_seeds_a_new_one() -> None:
    state = np.random.RandomState(3)
    assert check_random_state(state) is state
    assert check_random_state(3).uniform() == np.random.RandomState(3).uniform()
    assert check_random_state(None) is np.random.mtrand._rand


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
