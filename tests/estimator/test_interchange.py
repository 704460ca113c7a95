"""Parameters from arrays, and models to files and back: nothing changes on the way."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from fastgmm.families import FAMILIES, FOUR
from tests.problems import draw_parameters
from tests.roots import ROOTS, any_root

X = np.random.RandomState(0).normal(size=(300, 3)) * [1.0, 10.0, 0.1]
X[150:] += [3.0, 0.0, 1.0]


@pytest.fixture(params=FOUR)
def covariance_type(request: pytest.FixtureRequest) -> str:
    return request.param


def with_feature_names(estimator: GaussianMixture) -> GaussianMixture:
    estimator.feature_names_in_ = np.array(["a", "b", "π"], dtype=object)
    return estimator


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_model_predicts_the_same_bits(tmp_path: Path, covariance_type: str, dtype: type) -> None:
    data = X.astype(dtype)
    saved = GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=1000).fit(data)
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    assert np.array_equal(loaded.predict_proba(data), saved.predict_proba(data))
    assert np.array_equal(loaded.score_samples(data), saved.score_samples(data))
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "lower_bounds_"):
        assert np.array_equal(getattr(loaded, name), getattr(saved, name))
    for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(saved, name)
        assert type(getattr(loaded, name)) is type(getattr(saved, name))


def test_a_saved_model_keeps_its_options_and_names(tmp_path: Path) -> None:
    options = {"tol": 1e-2, "reg_covar": "relative", "max_iter": np.int64(300), "random_state": 4, "warm_start": True}
    saved = with_feature_names(GaussianMixture(2, **options).fit(X))
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    assert {name: loaded.get_params()[name] for name in options} == options
    assert list(loaded.feature_names_in_) == ["a", "b", "π"]
    assert loaded.feature_names_in_.dtype == object
    assert np.array_equal(loaded.sample(5)[0], saved.sample(5)[0])


def test_a_loaded_model_goes_on_fitting_where_it_was(tmp_path: Path) -> None:
    saved = GaussianMixture(2, random_state=0, warm_start=True, tol=1e-9, max_iter=1000).fit(X)
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz").fit(X)
    assert np.array_equal(loaded.means_, saved.fit(X).means_)
    assert loaded.n_iter_ == saved.n_iter_ == 1


def test_arrays_callables_and_random_states_stay_behind(tmp_path: Path) -> None:
    options = {
        "init_params": lambda data, n_components, random_state: data[:n_components],
        "random_state": np.random.RandomState(0),
        "callbacks": [lambda step: None],
    }
    GaussianMixture(2, **options).fit(X).save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    assert loaded.get_params() == GaussianMixture(2).get_params()


@pytest.mark.parametrize("scales", [[1e-9, 1.0, 1e9], [1e8, 1e8, 1e-3]])
def test_every_model_that_was_fitted_can_be_loaded(tmp_path: Path, covariance_type: str, scales: list[float]) -> None:
    options = {"covariance_type": covariance_type, "reg_covar": "relative", "random_state": 0, "max_iter": 1000}
    saved = GaussianMixture(2, **options).fit(X * scales)
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    assert np.array_equal(loaded.score_samples(X * scales), saved.score_samples(X * scales))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
def test_a_collapsed_model_can_be_loaded_too(tmp_path: Path, covariance_type: str) -> None:
    data = np.column_stack([X, X[:, 0], np.ones(300)])
    saved = GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=1000).fit(data)
    saved.save(tmp_path / "model.npz")
    assert np.array_equal(fastgmm.load(tmp_path / "model.npz").predict_proba(data), saved.predict_proba(data))


def test_attributes_set_by_hand_that_do_not_agree_are_not_saved(tmp_path: Path) -> None:
    estimator = GaussianMixture(2, random_state=0).fit(X)
    estimator.weights_ = np.array([0.5, 0.6])
    with pytest.raises(ValueError, match="'weights' should be normalized"):
        estimator.save(tmp_path / "model.npz")
    estimator.weights_ = np.array([0.5, 0.5])
    estimator.covariance_type = "diag"
    with pytest.raises(ValueError, match="make no mixture with covariance_type='diag'"):
        estimator.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_an_unfitted_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(fastgmm.errors.NotFittedError):
        GaussianMixture().save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_given_parameters_make_a_fitted_estimator(covariance_type: str) -> None:
    given = draw_parameters(np.random.default_rng(1), covariance_type, 3, 2)
    estimator = GaussianMixture.from_parameters(
        given.weights.tolist(), given.means.tolist(), given.covariances.tolist(), covariance_type, random_state=0
    )
    assert np.array_equal(estimator.covariances_, given.covariances)
    matrices = FAMILIES[covariance_type].matrices(given.covariances, 2, 3)
    differences = X[:, np.newaxis] - given.means
    distances = np.einsum("nki,kij,nkj->nk", differences, np.linalg.inv(matrices), differences)
    joint = np.log(given.weights) - 0.5 * (distances + np.linalg.slogdet(2 * np.pi * matrices)[1])
    np.testing.assert_allclose(estimator.score_samples(X), np.logaddexp(*joint.T), rtol=1e-10)
    assert np.array_equal(estimator.predict(X), joint.argmax(axis=1))
    assert estimator.n_components == 2
    assert (estimator.n_iter_, estimator.converged_, estimator.lower_bounds_) == (0, False, [])


def test_given_parameters_are_copied(covariance_type: str) -> None:
    given = draw_parameters(np.random.default_rng(1), covariance_type, 3, 2)
    estimator = GaussianMixture.from_parameters(given.weights, given.means, given.covariances, covariance_type)
    assert not np.shares_memory(estimator.means_, given.means)
    assert not np.shares_memory(estimator.covariances_, given.covariances)


def test_sampling_given_parameters_and_fitting_brings_them_back(covariance_type: str) -> None:
    given = draw_parameters(np.random.default_rng(1), covariance_type, 2, 1)
    estimator = GaussianMixture.from_parameters(
        given.weights, given.means, given.covariances, covariance_type, random_state=0
    )
    points, _ = estimator.sample(200_000)
    fitted = GaussianMixture(1, covariance_type=covariance_type).fit(points)
    np.testing.assert_allclose(fitted.means_, given.means, atol=0.02)
    np.testing.assert_allclose(fitted.covariances_, given.covariances, rtol=0.02, atol=0.01)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "another family": ({"covariance_type": "diagonal"}, "covariance_type must be one of 'full'"),
    "weights of 90 %": ({"weights": [0.4, 0.5]}, "'weights' should be normalized"),
    "a negative weight": ({"weights": [-0.5, 1.5]}, r"'weights' should be in the range \[0, 1\]"),
    "three weights": ({"weights": [0.2, 0.3, 0.5]}, r"'weights' should have the shape of \(2,\), but got \(3,\)"),
    "one mean": ({"means": [[0.0, 0.0]]}, r"'covariances' should have the shape of \(1, 2, 2\), but got \(2, 2, 2\)"),
    "flat means": ({"means": [0.0, 0.0]}, r"means must be a finite array of shape \(n_components, n_features\)"),
    "no means": ({"means": np.empty((0, 2))}, "means must be a finite array"),
    "a mean that is NaN": ({"means": [[np.nan, 0], [0, 0]]}, "means must be a finite array"),
    "an asymmetric matrix": ({"covariances": [[[1, 0.5], [0.4, 1]]] * 2}, "should be symmetric, positive-definite"),
    "an indefinite matrix": ({"covariances": [[[1, 2], [2, 1]]] * 2}, "should be symmetric, positive-definite"),
    "a singular matrix": ({"covariances": [[[1, 1], [1, 1]]] * 2}, "should be symmetric, positive-definite"),
    "an infinite variance": ({"covariances": [[[np.inf, 0], [0, 1]]] * 2}, "contains infinity.*'covariances'"),
    "variance zero": ({"covariance_type": "spherical", "covariances": [1, 0]}, "should be positive"),
}


@pytest.mark.parametrize(("change", "words"), MISTAKES.values(), ids=MISTAKES)
def test_parameters_that_make_no_mixture_are_refused(change: dict[str, Any], words: str) -> None:
    arguments = {"weights": [0.5, 0.5], "means": [[0.0, 0.0], [1.0, 1.0]], "covariances": [np.eye(2)] * 2} | change
    with pytest.raises(ValueError, match=words):
        GaussianMixture.from_parameters(**arguments)


@pytest.mark.parametrize(("fitted", "then"), [("full", "diag"), ("full", "spherical"), ("tied", "full")])
@pytest.mark.parametrize("method", ["predict", "score_samples", "sample", "fit"])
def test_a_family_changed_after_the_fit_is_an_error(fitted: str, then: str, method: str) -> None:
    estimator = GaussianMixture(2, covariance_type=fitted, random_state=0, warm_start=True).fit(X)
    estimator.set_params(covariance_type=then)
    with pytest.raises(ValueError, match=r"covariances_|precisions_cholesky_|whose covariance_type is"):
        getattr(estimator, method)(*([] if method == "sample" else [X]))


@pytest.mark.parametrize("name", ["weights_", "means_", "precisions_cholesky_"])
def test_attributes_set_by_hand_to_another_shape_are_an_error(covariance_type: str, name: str) -> None:
    estimator = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    setattr(estimator, name, np.atleast_1d(getattr(estimator, name))[:1])
    with pytest.raises(ValueError, match=name):
        estimator.predict(X)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
def test_a_loaded_model_still_knows_its_degenerate_components(tmp_path: Path) -> None:
    flat = np.column_stack([X, np.zeros(len(X))])
    estimator = GaussianMixture(2, random_state=0).fit(flat)
    assert estimator.degenerate_components_ == (0, 1)
    estimator.save(tmp_path / "model.npz")
    assert fastgmm.load(tmp_path / "model.npz").degenerate_components_ == (0, 1)


@pytest.mark.parametrize("kind", ROOTS)
def test_a_model_of_any_root_of_the_precisions_is_saved(
    tmp_path: Path, covariance_type: str, kind: str, rng: np.random.Generator
) -> None:
    """With the covariances that belong to it, which were never set."""
    given = draw_parameters(rng, covariance_type, 3, 2)
    family, saved = FAMILIES[covariance_type], GaussianMixture(2, covariance_type=covariance_type)
    saved.weights_, saved.means_ = given.weights, given.means
    saved.precisions_cholesky_ = any_root(family.precisions_cholesky(given.covariances), kind, family, rng)
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    np.testing.assert_allclose(loaded.covariances_, given.covariances, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(loaded.score_samples(X), saved.score_samples(X), rtol=1e-11)
    assert (loaded.converged_, loaded.stop_reason_, loaded.n_iter_, loaded.lower_bound_) == (False, None, 0, -np.inf)


def test_a_model_set_by_hand_is_shown_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    estimator = GaussianMixture(1)
    estimator.weights_, estimator.means_, estimator.covariances_ = [1.0], [[5.0, 7.0]], [np.eye(2)]
    estimator.save(tmp_path / "model.npz")
    assert main(["info", str(tmp_path / "model.npz"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["means"] == [[5.0, 7.0]]
    assert not facts["fit"]["converged"]


def test_a_pickle_from_before_an_option_there_is_now_can_be_saved(tmp_path: Path) -> None:
    estimator = GaussianMixture(2, random_state=0).fit(X)
    for name in ("accelerate", "deadline", "stop_reason_", "degenerate_components_", "lower_bounds_"):
        del estimator.__dict__[name]
    estimator.save(tmp_path / "model.npz")
    assert np.array_equal(fastgmm.load(tmp_path / "model.npz").score_samples(X), estimator.score_samples(X))


def test_the_default_start_goes_to_scikit_learn_as_the_nearest_that_it_has() -> None:
    pytest.importorskip("sklearn")
    assert GaussianMixture(2).to_sklearn().init_params == "kmeans"
    assert GaussianMixture(2, init_params="random").to_sklearn().init_params == "random"
