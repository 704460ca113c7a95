"""Calls of the estimator's methods: weights in the place of ``y``, and what a warm start may continue."""

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning
from fastgmm.families import FOUR

X = np.random.default_rng(0).normal(size=(60, 2))


WEIGHTS = np.random.default_rng(1).uniform(0.1, 2.0, 60)
# The second argument of each is y.
TAKE_Y = ["fit", "fit_predict", "score"]
WEIGHTS_IN_ANY_FORM: dict[str, Any] = {
    "float64": WEIGHTS,
    "float32": WEIGHTS.astype(np.float32),
    "a view": np.repeat(WEIGHTS, 2)[::2],
    "a list": [1, *WEIGHTS[1:].tolist()],
    "a tuple": tuple(WEIGHTS),
    "some of them 0": np.where(WEIGHTS > 1, WEIGHTS, 0.0),
    "one fraction": np.r_[np.ones(59), 0.5],
}
NO_WEIGHTS: dict[str, Any] = {
    "no y": None,
    "labels": np.arange(60) % 3,
    "labels in a list": [0, 1, 2] * 20,
    "labels as floats": (np.arange(60) % 3).astype(float),
    "signs": np.where(WEIGHTS > 1, 1.0, -1.0),
    "targets around 0": WEIGHTS - 1.0,
    "targets with a gap": np.r_[WEIGHTS[:59], np.nan],
    "targets without end": np.r_[WEIGHTS[:59], np.inf],
    "several targets": np.c_[WEIGHTS, WEIGHTS],
    "targets of other rows": WEIGHTS[:30],
    "names": ["a", "b"] * 30,
    "names in an array": np.array(["a", "b"] * 30),
    "objects": np.array([0.5, None] * 30, dtype=object),
    "rows of unequal lengths": [0.5, [1.0, 2.0], "a"] * 20,
    "nothing": [],
    "a word": "weights",
    "a number": 0.5,
}


@pytest.mark.parametrize("method", TAKE_Y)
@pytest.mark.parametrize("weights", WEIGHTS_IN_ANY_FORM.values(), ids=WEIGHTS_IN_ANY_FORM)
def test_weights_in_the_place_of_y_are_answered_with_their_name(method: str, weights: Any) -> None:
    model = GaussianMixture(random_state=0).fit(X)
    with pytest.warns(UserWarning, match=r"y is ignored.*sample_weight=") as caught:
        getattr(model, method)(X, weights)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("method", TAKE_Y)
@pytest.mark.parametrize("y", NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_labels_and_what_else_stands_for_y_is_ignored_in_silence(method: str, y: Any) -> None:
    model, expected = (GaussianMixture(random_state=0).fit(X) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = getattr(model, method)(X, y)
    assert np.array_equal(model.means_, expected.means_)
    assert method == "fit" or np.array_equal(answer, getattr(expected, method)(X))


def test_weights_in_the_place_of_y_are_answered_before_the_fit_and_its_own_warning() -> None:
    started: list[Any] = []
    model = GaussianMixture(2, random_state=0, tol=0, max_iter=2, callbacks=[started.append])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="y is ignored"):
            model.fit(X, WEIGHTS)
    assert not started
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, WEIGHTS)
    of_the_call, of_the_fit = (warning.message for warning in caught)
    assert "y is ignored" in str(of_the_call)
    assert isinstance(of_the_fit, ConvergenceWarning)


@pytest.mark.parametrize("method", TAKE_Y)
def test_who_gives_weights_by_name_may_give_any_y(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(GaussianMixture().fit(X), method)(X, WEIGHTS, sample_weight=WEIGHTS)


def test_criteria_take_weights_in_the_second_place() -> None:
    model = GaussianMixture().fit(X)
    assert model.bic(X, WEIGHTS) == model.bic(X, sample_weight=WEIGHTS)
    assert model.aic(X, WEIGHTS) == model.aic(X, sample_weight=WEIGHTS)


def test_a_piece_of_no_weights_is_found_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 80)
    for row in (0, 9, 10, 59):
        y = WEIGHTS.copy()
        y[row] = -1.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            GaussianMixture().fit(X, y)
        y = np.ones(60)
        y[row] = 0.5
        with pytest.warns(UserWarning, match="y is ignored"):
            GaussianMixture().fit(X, y)


def warm(covariance_type: str = "full") -> GaussianMixture:
    options = {"covariance_type": covariance_type, "warm_start": True, "random_state": 0, "tol": 0.1}
    return GaussianMixture(2, **options).fit(X)


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_warm_start_keeps_the_number_of_components(covariance_type: str, n_components: int) -> None:
    model = warm(covariance_type).set_params(n_components=n_components)
    before = dict(vars(model))
    for fit in (model.fit, model.fit_predict):
        with pytest.raises(ValueError, match=f"continues the last one, whose n_components is 2; got .*={n_components}"):
            fit(X)
    assert vars(model) == before


@pytest.mark.parametrize("then", FOUR)
@pytest.mark.parametrize("first", FOUR)
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
