"""Weights and labels reach ``fit`` and ``score`` through scikit-learn, where they were asked for."""

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.parameters import FloatArray

pytest.importorskip("sklearn")

import sklearn
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_RNG = np.random.default_rng(3)
X = _RNG.normal(size=(90, 2)) * [1.0, 3.0]
WEIGHTS = _RNG.uniform(0.1, 3.0, 90)
FOLDS = list(KFold(3).split(X))


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def mixture(n_components: int = 2) -> GaussianMixture:
    return GaussianMixture(n_components, random_state=0, tol=1e-2)


def asking(fit: Any = True, score: Any = True) -> GaussianMixture:
    return mixture().set_fit_request(sample_weight=fit).set_score_request(sample_weight=score)


def requests(estimator: GaussianMixture) -> dict[str, Any]:
    routing = estimator.get_metadata_routing()
    return {method: getattr(routing, method).requests["sample_weight"] for method in ("fit", "score")}


def scores_by_hand(n_components: int, fit: FloatArray | None, score: FloatArray | None) -> list[float]:
    def of(weights: FloatArray | None, part: Any) -> FloatArray | None:
        return None if weights is None else weights[part]

    return [
        mixture(n_components).fit(X[train], sample_weight=of(fit, train)).score(X[test], sample_weight=of(score, test))
        for train, test in FOLDS
    ]


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(("fit", "score"), [(True, True), (True, False), (False, True)])
def test_cross_validation_hands_weights_to_what_asks_for_them(fit: bool, score: bool) -> None:
    expected = scores_by_hand(2, WEIGHTS if fit else None, WEIGHTS if score else None)
    assert list(cross_val_score(asking(fit, score), X, cv=FOLDS, params={"sample_weight": WEIGHTS})) == expected


@pytest.mark.usefixtures("routing")
def test_weights_may_come_under_a_name_of_their_own() -> None:
    estimator = asking("exposure", "importance")
    given = {"exposure": WEIGHTS, "importance": WEIGHTS[::-1]}
    expected = scores_by_hand(2, WEIGHTS, WEIGHTS[::-1])
    assert list(cross_val_score(estimator, X, cv=FOLDS, params=given)) == expected


@pytest.mark.usefixtures("routing")
def test_a_grid_search_fits_scores_and_refits_with_weights() -> None:
    search = GridSearchCV(asking(), {"n_components": [1, 2]}, cv=FOLDS).fit(X, sample_weight=WEIGHTS)
    expected = [np.mean(scores_by_hand(n_components, WEIGHTS, WEIGHTS)) for n_components in (1, 2)]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-14)
    refitted = mixture(search.best_params_["n_components"]).fit(X, sample_weight=WEIGHTS)
    assert np.array_equal(search.best_estimator_.means_, refitted.means_)


def test_without_routing_a_grid_search_hands_weights_on_as_it_always_did() -> None:
    search = GridSearchCV(mixture(), {"n_components": [1, 2]}, cv=FOLDS).fit(X, sample_weight=WEIGHTS)
    refitted = mixture(search.best_params_["n_components"]).fit(X, sample_weight=WEIGHTS)
    assert np.array_equal(search.best_estimator_.means_, refitted.means_)


@pytest.mark.usefixtures("routing")
def test_a_pipeline_hands_weights_to_every_call_that_takes_them() -> None:
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asking())
    scaled, expected = StandardScaler().fit_transform(X), mixture()
    labels = pipeline.fit_predict(X, sample_weight=WEIGHTS)
    assert np.array_equal(labels, expected.fit_predict(scaled, sample_weight=WEIGHTS))
    pipeline.fit(X, sample_weight=WEIGHTS)
    assert np.array_equal(pipeline[-1].means_, expected.means_)
    assert pipeline.score(X, sample_weight=WEIGHTS) == expected.score(scaled, sample_weight=WEIGHTS)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    ("estimator", "method"),
    [(mixture, "fit"), (lambda: mixture().set_fit_request(sample_weight=True), "score")],
)
def test_weights_that_nobody_spoke_of_are_an_error_that_says_what_to_call(
    estimator: Callable[[], GaussianMixture], method: str
) -> None:
    with pytest.raises(UnsetMetadataPassedError, match=rf"GaussianMixture\.{method}.*set_{method}_request"):
        cross_val_score(estimator(), X, cv=FOLDS, params={"sample_weight": WEIGHTS})


@pytest.mark.usefixtures("routing")
def test_what_was_asked_stays_with_clones_copies_pickles_and_fits() -> None:
    estimator, asked = asking(True, "importance"), {"fit": True, "score": "importance"}
    assert requests(estimator) == asked
    assert requests(clone(estimator)) == asked
    assert requests(clone(make_pipeline(estimator))[-1]) == asked
    assert requests(copy.deepcopy(estimator)) == asked
    assert requests(pickle.loads(pickle.dumps(estimator))) == asked
    assert requests(pickle.loads(pickle.dumps(estimator.fit(X)))) == asked
    assert requests(estimator.set_fit_request()) == asked
    assert requests(mixture()) == requests(clone(mixture())) == {"fit": None, "score": None}
    assert vars(asking(None, None)) == vars(clone(mixture())) == vars(mixture())


@pytest.mark.usefixtures("routing")
def test_a_copy_asks_for_itself() -> None:
    estimator = asking()
    for other in (copy.copy(estimator), clone(estimator)):
        assert requests(other.set_fit_request(sample_weight=False)) == {"fit": False, "score": True}
    assert requests(estimator) == {"fit": True, "score": True}


@pytest.mark.usefixtures("routing")
def test_a_pickle_of_what_was_asked_needs_no_scikit_learn() -> None:
    assert b"sklearn" not in pickle.dumps(clone(asking(True, "importance")))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("value", [3, "two words", 1.5, []])
def test_what_cannot_be_asked_is_refused_and_changes_nothing(value: object) -> None:
    estimator = asking()
    with pytest.raises((ValueError, TypeError)):
        estimator.set_fit_request(sample_weight=value)  # type: ignore[arg-type]
    assert requests(estimator) == {"fit": True, "score": True}


def test_nothing_is_asked_where_routing_is_off() -> None:
    for ask in (mixture().set_fit_request, mixture().set_partial_fit_request, mixture().set_score_request):
        with pytest.raises(RuntimeError, match="only available when metadata routing is enabled"):
            ask(sample_weight=True)


@pytest.mark.usefixtures("routing")
def test_a_pipeline_hands_labels_on_to_what_asks_for_them() -> None:
    labels = np.where(np.arange(90) % 3 == 0, X[:, 0] > 0, -1)
    pipeline = make_pipeline(StandardScaler(), mixture().set_fit_request(labels=True))
    found = pipeline.fit(X, labels=labels)[-1].means_
    assert np.array_equal(found, mixture().fit(StandardScaler().fit_transform(X), labels=labels).means_)
    with pytest.raises(UnsetMetadataPassedError):
        make_pipeline(mixture()).fit(X, labels=labels)


@pytest.mark.usefixtures("routing")
def test_what_was_asked_of_labels_goes_along_with_an_estimator_beside_what_was_asked_of_weights() -> None:
    estimator = mixture().set_fit_request(labels="known").set_fit_request(sample_weight=True)
    for other in (estimator, clone(estimator), pickle.loads(pickle.dumps(estimator))):
        assert other.get_metadata_routing().fit.requests == {"sample_weight": True, "labels": "known", "errors": None}


@pytest.mark.usefixtures("routing")
def test_partial_fit_is_asked_for_itself() -> None:
    estimator = mixture().set_partial_fit_request(sample_weight="exposure").set_fit_request(sample_weight=True)
    for other in (estimator, clone(estimator), pickle.loads(pickle.dumps(estimator))):
        asked = other.get_metadata_routing()
        assert asked.partial_fit.requests == {"sample_weight": "exposure"}
        assert asked.fit.requests == {"sample_weight": True, "labels": None, "errors": None}


def test_errors_of_measurements_reach_fits_and_scores(routing: None) -> None:
    """So that cross-validation chooses among mixtures of true values."""
    errors = _RNG.uniform(0.0, 1.0, X.shape)
    estimator = mixture().set_fit_request(errors=True).set_score_request(errors=True)
    found = cross_val_score(estimator, X, cv=FOLDS, params={"errors": errors})
    expected = [mixture().fit(X[a], errors=errors[a]).score(X[b], errors=errors[b]) for a, b in FOLDS]
    np.testing.assert_array_equal(found, expected)
    assert clone(estimator).get_metadata_routing().score.requests["errors"] is True
