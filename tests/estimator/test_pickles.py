"""A pickle of the estimator is held to what a model file is held to."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import ModelFormatError
from fastgmm.families import FAMILIES, FOUR
from tests.problems import draw_parameters
from tests.roots import ROOTS, any_root


def make_estimator(covariance_type: str) -> GaussianMixture:
    given = draw_parameters(np.random.default_rng(1), covariance_type, 2, 3)
    return GaussianMixture.from_parameters(given.weights, given.means, given.covariances, covariance_type)


def unpickled_with(estimator: GaussianMixture, **changes: Any) -> GaussianMixture:
    """The estimator out of a pickle in which some attributes are different."""
    changed = copy.copy(estimator)
    changed.__dict__.update(changes)
    return pickle.loads(pickle.dumps(changed))


DAMAGES: dict[str, Callable[[np.ndarray], Any]] = {
    "NaN": lambda array: np.where(np.arange(array.size).reshape(array.shape) == 0, np.nan, array),
    "infinite": lambda array: np.where(np.arange(array.size).reshape(array.shape) == 0, np.inf, array),
    "too short": lambda array: array[:1],
    "flat": lambda array: array.ravel()[:, np.newaxis, np.newaxis, np.newaxis],
    "empty": lambda array: array[:0],
    "text": lambda array: array.astype(str).astype(object) + "x",
    "nothing": lambda array: None,
    "a dictionary": lambda array: {},
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["weights_", "means_", "covariances_", "precisions_cholesky_"])
@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_damaged_array_is_refused(covariance_type: str, name: str, damage: str) -> None:
    estimator = make_estimator(covariance_type)
    with pytest.raises(ModelFormatError, match="the pickle holds no sound model"):
        unpickled_with(estimator, **{name: DAMAGES[damage](getattr(estimator, name))})


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_": np.array([0.5, 0.4, 0.2])},
        {"weights_": np.array([1.5, -0.5, 0.0])},
        {"covariances_": np.array([[[1.0, 2.0], [2.0, 1.0]]] * 3)},
        {"covariances_": np.array([[[1.0, 0.5], [0.2, 1.0]]] * 3)},
        {"covariances_": -np.ones((3, 2, 2))},
        {"precisions_cholesky_": np.ones((3, 2, 2))},
        {"covariance_type": "foo"},
        {"covariance_type": ["full"]},
    ],
    ids=str,
)
def test_parameters_that_make_no_mixture_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelFormatError, match="the pickle holds no sound model"):
        unpickled_with(make_estimator("full"), **changes)


def test_a_refused_pickle_is_a_value_error_and_names_the_attribute() -> None:
    with pytest.raises(ValueError, match="'weights' should be normalized") as caught:
        unpickled_with(make_estimator("full"), weights_=np.array([0.5, 0.4, 0.2]))
    assert (caught.value.problem, caught.value.path) == ("unsound", None)


def test_a_deep_copy_of_what_was_set_by_hand_is_no_pickle() -> None:
    estimator = make_estimator("full")
    estimator.weights_ = np.array([0.5, 0.4, 0.2])
    assert np.array_equal(copy.deepcopy(estimator).weights_, estimator.weights_)
    assert copy.deepcopy([estimator, estimator])[0] is not estimator
    twice = copy.deepcopy([estimator, estimator])
    assert twice[0] is twice[1]


NEWER = ("stop_reason_", "degenerate_components_", "history_", "lower_bounds_", "accelerate", "deadline", "callbacks")


def test_a_pickle_from_before_an_attribute_there_is_now_scores_as_it_did() -> None:
    estimator = make_estimator("full")
    old = copy.copy(estimator)
    for name in NEWER:
        del old.__dict__[name]
    read = pickle.loads(pickle.dumps(old))
    assert np.array_equal(read.score_samples([[0.0, 1.0]]), estimator.score_samples([[0.0, 1.0]]))


def set_by_hand(estimator: GaussianMixture, matrices: str) -> GaussianMixture:
    """An estimator with the parameters of a fit, and nothing else of it."""
    bare = GaussianMixture(3)
    for name in ("weights_", "means_", matrices):
        setattr(bare, name, getattr(estimator, name))
    return bare


def test_what_only_scoring_needs_may_be_pickled() -> None:
    """As set by hand after scikit-learn's example, without covariances."""
    estimator = make_estimator("full")
    read = pickle.loads(pickle.dumps(set_by_hand(estimator, "precisions_cholesky_")))
    assert np.array_equal(read.score_samples([[0.0, 1.0]]), estimator.score_samples([[0.0, 1.0]]))


@pytest.mark.parametrize("kind", ROOTS)
@pytest.mark.parametrize("covariance_type", FOUR)
def test_any_root_of_a_precision_may_be_pickled(covariance_type: str, kind: str, rng: np.random.Generator) -> None:
    estimator = make_estimator(covariance_type)
    root = any_root(estimator.precisions_cholesky_, kind, FAMILIES[covariance_type], rng)
    read = unpickled_with(estimator, precisions_cholesky_=root)
    assert np.array_equal(read.precisions_cholesky_, root)
    np.testing.assert_allclose(read.score_samples([[0.0, 1.0]]), estimator.score_samples([[0.0, 1.0]]), rtol=1e-13)


def test_covariances_set_by_hand_alone_count_at_the_next_call_out_of_a_pickle_too() -> None:
    estimator = make_estimator("full")
    read = pickle.loads(pickle.dumps(set_by_hand(estimator, "covariances_")))
    read.covariances_ = np.array([4.0 * np.eye(2)] * 3)
    expected = GaussianMixture.from_parameters(estimator.weights_, estimator.means_, read.covariances_)
    assert np.array_equal(read.score_samples([[0.0, 1.0]]), expected.score_samples([[0.0, 1.0]]))


def test_an_estimator_whose_covariance_type_was_changed_since_its_fit_can_be_sent_and_fitted_again() -> None:
    estimator = pickle.loads(pickle.dumps(make_estimator("full").set_params(covariance_type="diag")))
    with pytest.raises(ValueError, match="make no mixture"):
        estimator.predict(np.zeros((1, 2)))
    assert estimator.fit(np.random.default_rng(0).normal(size=(50, 2))).covariances_.shape == (3, 2)
