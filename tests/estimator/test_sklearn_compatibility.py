"""Code that was written for scikit-learn's class works after its import line was changed."""

import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR
from fastgmm.parameters import FloatArray
from tests.problems import draw_parameters
from tests.roots import ROOTS, any_root

pytest.importorskip("sklearn")

import pandas as pd
import sklearn
from sklearn.base import clone, is_clusterer
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted


@pytest.fixture
def blobs(rng: np.random.Generator) -> FloatArray:
    return np.concatenate([rng.normal(size=(120, 3)), rng.normal([6.0, 0.0, 3.0], 0.5, (80, 3))])


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.filterwarnings("ignore")  # what the checks provoke is their own business
def test_check_estimator_passes_with_no_expected_failure(covariance_type: str) -> None:
    results = check_estimator(GaussianMixture(covariance_type=covariance_type), on_skip=None, on_fail=None)
    unexpected = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not unexpected
    assert not any(result["expected_to_fail"] for result in results)
    assert sum(result["status"] == "passed" for result in results) > 30


def test_the_constructor_has_the_same_parameters_and_defaults_but_for_a_start_that_depends_on_units() -> None:
    ours = inspect.signature(GaussianMixture).parameters
    theirs = inspect.signature(SklearnMixture).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert [ours[name].kind for name in theirs] == [parameter.kind for parameter in theirs.values()]
    other = {name for name in theirs if ours[name].default != theirs[name].default}
    assert other == {"init_params"}


def test_every_method_is_there() -> None:
    public = {name for name in dir(SklearnMixture) if not name.startswith("_")}
    assert not {name for name in public if not hasattr(GaussianMixture, name)}


@pytest.mark.parametrize("method", ["fit", "fit_predict", "predict", "predict_proba", "score", "score_samples", "bic"])
def test_methods_take_the_same_arguments(method: str) -> None:
    ours = list(inspect.signature(getattr(GaussianMixture, method)).parameters)
    theirs = list(inspect.signature(getattr(SklearnMixture, method)).parameters)
    assert ours[: len(theirs)] == theirs


def test_clone_gives_an_unfitted_twin(blobs: FloatArray) -> None:
    fitted = GaussianMixture(2, tol=1e-2, means_init=blobs[[0, 199]], n_threads=1).fit(blobs)
    twin = clone(fitted)
    assert repr(twin.get_params()) == repr(fitted.get_params())
    with pytest.raises(NotFittedError):
        check_is_fitted(twin)
    check_is_fitted(fitted)


def test_a_pipeline_fits_scores_and_shows_itself(blobs: FloatArray) -> None:
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    labels = pipeline.fit_predict(blobs)
    scaled = StandardScaler().fit_transform(blobs)
    assert np.array_equal(labels, GaussianMixture(2, random_state=0).fit_predict(scaled))
    assert np.array_equal(labels, pipeline.predict(blobs))
    assert np.isfinite(pipeline.score(blobs))
    assert "GaussianMixture(n_components=2, random_state=0)" in repr(pipeline)
    assert "GaussianMixture" in pipeline._repr_html_()


def test_a_notebook_shows_the_html_of_scikit_learn(blobs: FloatArray) -> None:
    estimator = GaussianMixture(2, random_state=0)
    unfitted, fitted = estimator._repr_html_(), estimator.fit(blobs)._repr_html_()
    assert "<span>Not fitted</span>" in unfitted
    assert "<span>Fitted</span>" in fitted
    for shown in (estimator, make_pipeline(StandardScaler(), estimator), GridSearchCV(estimator, {"tol": [0.1]})):
        assert "<pre>GaussianMixture(n_components=2, random_state=0)</pre>" in shown._repr_html_()


def test_a_notebook_shows_text_where_scikit_learn_is_told_to() -> None:
    with sklearn.config_context(display="text"):
        assert not hasattr(GaussianMixture(2), "_repr_html_")
    assert hasattr(GaussianMixture(2), "_repr_html_")


def test_a_pipeline_passes_sample_weight(blobs: FloatArray) -> None:
    weights = np.repeat([1.0, 0.0], [120, 80])
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(1))
    pipeline.fit(blobs, gaussianmixture__sample_weight=weights)
    scaled = StandardScaler().fit_transform(blobs)
    np.testing.assert_allclose(pipeline[-1].means_[0], scaled[:120].mean(axis=0), atol=1e-12)


def test_weights_of_a_series_in_the_place_of_y_are_answered_with_their_name(blobs: FloatArray) -> None:
    weights = pd.Series(np.linspace(0.1, 2.0, 200), index=range(1000, 1200))
    with pytest.warns(UserWarning, match=r"y is ignored.*sample_weight="):
        GaussianMixture().fit(blobs, weights)
    GaussianMixture().fit(blobs, pd.Series(["a", "b"] * 100, dtype="category"))
    GaussianMixture().fit(blobs, pd.Series([0.5, None] * 100, dtype="Float64"))


def test_a_grid_search_finds_the_number_of_components(blobs: FloatArray) -> None:
    search = GridSearchCV(GaussianMixture(random_state=0), {"n_components": [1, 2], "covariance_type": list(FOUR)})
    search.fit(blobs[np.random.RandomState(0).permutation(len(blobs))])
    assert search.best_params_["n_components"] == 2
    assert search.best_estimator_.means_.shape == (2, 3)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_grid_search_by_bic_works_as_in_the_scikit_learn_gallery(blobs: FloatArray) -> None:
    def negative_bic(estimator: GaussianMixture, X: FloatArray) -> float:
        return -estimator.bic(X)

    search = GridSearchCV(GaussianMixture(random_state=0), {"n_components": [1, 2, 3]}, scoring=negative_bic)
    search.fit(blobs[np.random.RandomState(0).permutation(len(blobs))])
    assert search.best_params_ == {"n_components": 2}


def test_joblib_workers_give_the_same_scores(blobs: FloatArray) -> None:
    estimator = GaussianMixture(2, random_state=0, n_threads=1)
    alone = cross_val_score(estimator, blobs, cv=2)
    together = cross_val_score(estimator, blobs, cv=2, n_jobs=2)
    assert np.array_equal(alone, together)


def test_a_data_frame_leaves_its_column_names(blobs: FloatArray) -> None:
    frame = pd.DataFrame(blobs, columns=["a", "b", "c"])
    estimator = GaussianMixture(2, random_state=0).fit(frame)
    assert list(estimator.feature_names_in_) == ["a", "b", "c"]
    assert estimator.feature_names_in_.dtype == object
    assert np.array_equal(estimator.predict(frame), GaussianMixture(2, random_state=0).fit_predict(blobs))
    estimator.fit(blobs)
    assert not hasattr(estimator, "feature_names_in_")


def test_pickle_keeps_everything(blobs: FloatArray) -> None:
    estimator = GaussianMixture(2, random_state=0).fit(blobs)
    copy = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(copy.predict_proba(blobs), estimator.predict_proba(blobs))
    assert copy.n_iter_ == estimator.n_iter_
    assert copy.lower_bounds_ == estimator.lower_bounds_
    assert repr(copy) == repr(estimator)


def test_it_is_a_density_estimator_as_in_scikit_learn_but_for_missing_values() -> None:
    ours, theirs = GaussianMixture().__sklearn_tags__(), SklearnMixture().__sklearn_tags__()
    assert ours.estimator_type == theirs.estimator_type
    assert ours.input_tags == replace(theirs.input_tags, allow_nan=True)
    assert ours.target_tags == theirs.target_tags
    assert is_clusterer(GaussianMixture()) == is_clusterer(SklearnMixture())


@pytest.mark.parametrize("covariance_type", FOUR)
def test_to_sklearn_predicts_the_same(blobs: FloatArray, covariance_type: str) -> None:
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=500).fit(blobs)
    theirs = ours.to_sklearn()
    assert type(theirs) is SklearnMixture
    assert np.array_equal(theirs.predict(blobs), ours.predict(blobs))
    np.testing.assert_allclose(theirs.score_samples(blobs), ours.score_samples(blobs), rtol=1e-10)
    options = {name: ours.get_params()[name] for name in theirs.get_params()}
    assert theirs.get_params() == options | {"init_params": "kmeans"}


@pytest.mark.parametrize("covariance_type", FOUR)
def test_from_sklearn_predicts_the_same(blobs: FloatArray, covariance_type: str) -> None:
    theirs = SklearnMixture(3, covariance_type=covariance_type, random_state=0, max_iter=500).fit(blobs)
    ours = GaussianMixture.from_sklearn(theirs, n_threads=1)
    assert ours.n_threads == 1
    assert np.array_equal(ours.predict(blobs), theirs.predict(blobs))
    np.testing.assert_allclose(ours.score_samples(blobs), theirs.score_samples(blobs), rtol=1e-10)
    assert (ours.n_iter_, ours.converged_, ours.lower_bound_) == (
        theirs.n_iter_,
        theirs.converged_,
        theirs.lower_bound_,
    )
    assert ours.bic(blobs) == pytest.approx(theirs.bic(blobs))


def test_the_round_trip_is_exact_and_copies(blobs: FloatArray) -> None:
    ours = GaussianMixture(2, random_state=0).fit(pd.DataFrame(blobs, columns=["a", "b", "c"]))
    back = GaussianMixture.from_sklearn(ours.to_sklearn())
    assert np.array_equal(back.score_samples(blobs_of(ours, blobs)), ours.score_samples(blobs_of(ours, blobs)))
    assert list(back.feature_names_in_) == ["a", "b", "c"]
    assert not np.shares_memory(back.means_, ours.means_)


def blobs_of(estimator: GaussianMixture, values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=estimator.feature_names_in_)


def test_an_unfitted_estimator_crosses_over_unfitted() -> None:
    assert not hasattr(GaussianMixture.from_sklearn(SklearnMixture(3)), "means_")
    assert GaussianMixture.from_sklearn(SklearnMixture(3)).n_components == 3
    assert GaussianMixture(4, tol=0.1).to_sklearn().get_params()["tol"] == 0.1


@pytest.mark.parametrize("options", [{"reg_covar": "relative"}, {"init_params": lambda X, k, rng: X[:k]}])
def test_what_scikit_learn_does_not_know_cannot_cross(options: dict) -> None:
    with pytest.raises(ValueError, match="scikit-learn knows neither"):
        GaussianMixture(**options).to_sklearn()


def test_a_single_precision_model_of_scikit_learn_becomes_float64(blobs: FloatArray, tmp_path) -> None:
    theirs = SklearnMixture(2, random_state=0).fit(blobs.astype(np.float32))
    ours = GaussianMixture.from_sklearn(theirs)
    assert {getattr(ours, name).dtype for name in ("weights_", "means_", "covariances_")} == {np.dtype(np.float64)}
    ours.save(tmp_path / "model.npz")


def test_a_fitted_estimator_keeps_its_family_on_the_way(blobs: FloatArray) -> None:
    theirs = SklearnMixture(2, random_state=0).fit(blobs)
    with pytest.raises(ValueError, match="keeps its covariance_type"):
        GaussianMixture.from_sklearn(theirs, covariance_type="diag")
    with pytest.raises(ValueError, match="keeps its n_components"):
        GaussianMixture.from_sklearn(theirs, n_components=3)


def by_hand(mixture: type, covariance_type: str, root: FloatArray | None, dtype: type = np.float64) -> object:
    """A mixture of either library, of which only what scikit-learn reads is set: with a root, or with covariances."""
    given = draw_parameters(np.random.default_rng(1), covariance_type, 3, 2)
    estimator = mixture(2, covariance_type=covariance_type)
    estimator.weights_, estimator.means_ = given.weights.astype(dtype), given.means.astype(dtype)
    if root is None:
        estimator.covariances_ = given.covariances.astype(dtype)
    else:
        estimator.precisions_cholesky_ = root.astype(dtype)
    return estimator


def given_root(covariance_type: str, kind: str) -> FloatArray:
    family, rng = FAMILIES[covariance_type], np.random.default_rng(1)
    fitted = family.precisions_cholesky(draw_parameters(rng, covariance_type, 3, 2).covariances)
    return any_root(fitted, kind, family, rng)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ROOTS)
@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_mixture_set_by_hand_crosses_over(blobs: FloatArray, covariance_type: str, kind: str, dtype: type) -> None:
    """From scikit-learn and back, where it scores as well: it reads a root's diagonal, which must be the right one."""
    theirs = by_hand(SklearnMixture, covariance_type, given_root(covariance_type, kind), dtype)
    ours = GaussianMixture.from_sklearn(theirs)
    given = draw_parameters(np.random.default_rng(1), covariance_type, 3, 2)
    expected = GaussianMixture.from_parameters(given.weights, given.means, given.covariances, covariance_type)
    tolerance = 1e-11 if dtype is np.float64 else 1e-5
    for mixture in (ours, ours.to_sklearn(), GaussianMixture.from_sklearn(ours.to_sklearn())):
        np.testing.assert_allclose(mixture.score_samples(blobs), expected.score_samples(blobs), rtol=tolerance)
        np.testing.assert_allclose(mixture.covariances_, given.covariances, rtol=tolerance, atol=tolerance)
    assert (ours.converged_, ours.stop_reason_, ours.n_iter_, ours.history_) == (False, None, 0, ())
    assert ours.n_features_in_ == 3


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_mixture_set_by_hand_becomes_one_of_scikit_learn(blobs: FloatArray, covariance_type: str) -> None:
    for root in (None, given_root(covariance_type, "rotated"), given_root(covariance_type, "negative")):
        ours = by_hand(GaussianMixture, covariance_type, root)
        np.testing.assert_allclose(ours.to_sklearn().score_samples(blobs), ours.score_samples(blobs), rtol=1e-11)
        ours.to_sklearn().sample(3)


def test_covariances_alone_are_enough_for_from_sklearn(blobs: FloatArray) -> None:
    ours = GaussianMixture.from_sklearn(by_hand(SklearnMixture, "full", None))
    assert np.array_equal(ours.score_samples(blobs), by_hand(GaussianMixture, "full", None).score_samples(blobs))


def test_lists_set_by_hand_cross_over_too(blobs: FloatArray) -> None:
    theirs = by_hand(SklearnMixture, "full", None)
    expected = GaussianMixture.from_sklearn(theirs).score_samples(blobs)
    for name in ("weights_", "means_", "covariances_"):
        setattr(theirs, name, getattr(theirs, name).tolist())
    assert np.array_equal(GaussianMixture.from_sklearn(theirs).score_samples(blobs), expected)


def test_half_a_mixture_crosses_neither_way() -> None:
    for cross in (GaussianMixture.from_sklearn, GaussianMixture.to_sklearn):
        half = by_hand(SklearnMixture if cross == GaussianMixture.from_sklearn else GaussianMixture, "full", None)
        del half.covariances_
        with pytest.raises(NotFittedError, match=r"has no covariances_ or precisions_cholesky_.*from_parameters\("):
            cross(half)


def test_another_mixture_of_scikit_learn_is_refused_with_the_way_to_go(blobs: FloatArray) -> None:
    theirs = BayesianGaussianMixture(n_components=2, random_state=0, max_iter=500).fit(blobs)
    with pytest.raises(TypeError, match=r"BayesianGaussianMixture has no 'weights_init'\. .*from_parameters\(weights"):
        GaussianMixture.from_sklearn(theirs)
    ours = GaussianMixture.from_parameters(theirs.weights_, theirs.means_, theirs.covariances_)
    assert np.array_equal(ours.predict(blobs), theirs.predict(blobs))


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_a_seed_gives_the_same_fit_twice(blobs: FloatArray, init_params: str) -> None:
    def fitted() -> GaussianMixture:
        options = {"max_iter": 1000, "tol": 1e-2}
        return GaussianMixture(2, init_params=init_params, random_state=3, **options).fit(blobs)

    assert np.array_equal(fitted().means_, fitted().means_)
