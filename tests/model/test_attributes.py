"""Mixtures set by hand, as recipes have them: attributes that no fit has seen, and of which some may be missing."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError, NotFittedError
from fastgmm.families import FOUR
from tests.conftest import BACKENDS
from tests.problems import draw_parameters

WEIGHTS = np.array([0.6, 0.4])
MEANS = np.array([[0.0, 0.0], [3.0, 3.0]])
COVARIANCES = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.5], [0.5, 1.0]]])
ROWS = np.array([[1.5, 1.5], [0.0, 2.0]])
LOG_DENSITIES = np.log(
    sum(
        weight * multivariate_normal(mean, covariance).pdf(ROWS)
        for weight, mean, covariance in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    )
)
SETTINGS: dict[str, dict[str, Any]] = {
    "the lower factor of the precision": {"precisions_cholesky_": np.linalg.cholesky(np.linalg.inv(COVARIANCES))},
    "the transposed inverse of a factor": {
        "precisions_cholesky_": np.swapaxes(np.linalg.inv(np.linalg.cholesky(COVARIANCES)), 1, 2)
    },
    "covariances": {"covariances_": COVARIANCES},
    "lists": {"weights_": WEIGHTS.tolist(), "means_": MEANS.tolist(), "covariances_": COVARIANCES.tolist()},
}


def by_hand(covariance_type: str = "full", n_components: int = 2, **attributes: Any) -> GaussianMixture:
    estimator = GaussianMixture(n_components, covariance_type=covariance_type, random_state=0)
    for name, value in ({"weights_": WEIGHTS, "means_": MEANS} | attributes).items():
        setattr(estimator, name, value)
    return estimator


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("how", SETTINGS)
def test_a_mixture_set_by_hand_scores_as_scipy_has_it(how: str, backend: str) -> None:
    estimator = by_hand(**SETTINGS[how]).set_params(backend=backend)
    np.testing.assert_allclose(estimator.score_samples(ROWS), LOG_DENSITIES, rtol=1e-14)
    np.testing.assert_allclose(LOG_DENSITIES, [-3.75634954, -4.02755517], rtol=1e-8)
    assert estimator.predict_proba(ROWS)[0, 0] == pytest.approx(0.430696, abs=1e-6)


@pytest.mark.parametrize("how", SETTINGS)
def test_points_are_drawn_from_a_mixture_set_by_hand(how: str) -> None:
    estimator = by_hand(**SETTINGS[how])
    points, _ = estimator.sample(50)
    expected, _ = GaussianMixture.from_parameters(WEIGHTS, MEANS, COVARIANCES, random_state=0).sample(50)
    np.testing.assert_allclose(points, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("how", SETTINGS)
def test_a_warm_start_goes_on_from_a_mixture_set_by_hand(how: str) -> None:
    rows, _ = GaussianMixture.from_parameters(WEIGHTS, MEANS, COVARIANCES, random_state=1).sample(400)
    options = {"warm_start": True, "tol": 1e-2}
    estimator = by_hand(**SETTINGS[how]).set_params(**options).fit(rows)
    expected = GaussianMixture.from_parameters(WEIGHTS, MEANS, COVARIANCES, **options).fit(rows)
    np.testing.assert_allclose(estimator.means_, expected.means_, rtol=1e-10)
    assert estimator.n_iter_ == expected.n_iter_
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
        by_hand(**SETTINGS[how]).set_params(**options).fit(np.zeros((9, 3)))


def test_a_fit_without_a_warm_start_asks_nothing_of_what_was_set_by_hand() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 2))
    estimator = by_hand().fit(rows)  # without any matrices
    assert np.array_equal(estimator.means_, GaussianMixture(2, random_state=0).fit(rows).means_)


def test_a_warm_start_from_half_a_mixture_says_what_is_missing() -> None:
    with pytest.raises(NotFittedError, match="has no covariances_ or precisions_cholesky_"):
        by_hand().set_params(warm_start=True).fit(ROWS)


def test_what_is_missing_is_named_with_the_remedy() -> None:
    class Mixture(GaussianMixture):
        pass

    estimator = Mixture(2)
    with pytest.raises(NotFittedError, match=r"^This Mixture instance is not fitted yet\. Call 'fit'"):
        estimator.predict(ROWS)
    estimator.covariances_ = COVARIANCES
    remedy = r"Make a mixture of known parameters by Mixture\.from_parameters\(weights, means, covariances\)\."
    with pytest.raises(NotFittedError, match=rf"has no weights_, and no means_, though .*\. {remedy}$") as caught:
        estimator.predict(ROWS)
    assert caught.value.missing == ("weights_", "means_")


UNSOUND: dict[str, tuple[dict[str, Any], str]] = {
    "a negative weight": ({"weights_": [1.5, -0.5]}, "weights_ should be finite and not negative"),
    "a weight that is NaN": ({"weights_": [np.nan, 0.5]}, "weights_ should be finite"),
    "an infinite weight": ({"weights_": [np.inf, 0.5]}, "weights_ should be finite"),
    "no weight": ({"weights_": [0.0, 0.0]}, "weights_ should be finite and not negative, and one of them"),
    "a mean that is NaN": ({"means_": [[np.nan, 0.0], [3.0, 3.0]]}, "means_ should be finite"),
    "an infinite mean": ({"means_": [[np.inf, 0.0], [3.0, 3.0]]}, "means_ should be finite"),
    "a singular root": ({"precisions_cholesky_": np.ones((2, 2, 2))}, "precisions_cholesky_ should be finite and of"),
    "a root that is NaN": ({"precisions_cholesky_": np.full((2, 2, 2), np.nan)}, "precisions_cholesky_ should be"),
    "no components": (
        {"weights_": [], "means_": np.empty((0, 2)), "covariances_": np.empty((0, 2, 2))},
        "make no mixture",
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("change", "words"), UNSOUND.values(), ids=UNSOUND)
def test_what_makes_no_mixture_is_one_error_on_every_backend(change: dict[str, Any], words: str, backend: str) -> None:
    """Kernels would leave out the component, or not, without a word."""
    attributes = change if "precisions_cholesky_" in change else {"covariances_": COVARIANCES} | change
    for method in ("score_samples", "predict", "predict_proba", "predict_joint_log_proba"):
        with pytest.raises(ValueError, match=words):
            getattr(by_hand(**attributes).set_params(backend=backend), method)(ROWS)


@pytest.mark.parametrize(
    "covariances", [[[[1, 0.5], [0.4, 1]]] * 2, [[[1, 2], [2, 1]]] * 2], ids=["skew", "indefinite"]
)
def test_covariances_set_by_hand_alone_must_be_sound(covariances: Any) -> None:
    with pytest.raises(ValueError, match="'full covariance' should be symmetric, positive-definite"):
        by_hand(covariances_=covariances).score_samples(ROWS)


def test_a_warm_start_from_covariances_that_are_none_is_explained() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(DegenerateComponentError):
        by_hand(covariances_=-COVARIANCES).set_params(warm_start=True).fit(rows)


def test_scores_follow_the_factors_and_draws_the_covariances_where_both_are_set() -> None:
    """As in scikit-learn."""
    estimator = by_hand(covariances_=1e-12 * COVARIANCES, **SETTINGS["the lower factor of the precision"])
    np.testing.assert_allclose(estimator.score_samples(ROWS), LOG_DENSITIES, rtol=1e-14)
    points, labels = estimator.sample(10)
    assert np.abs(points - MEANS[labels]).max() < 1e-5


@pytest.mark.parametrize("covariance_type", FOUR)
def test_scores_by_covariances_are_those_of_given_parameters_to_the_bit(covariance_type: str) -> None:
    given = draw_parameters(np.random.default_rng(1), covariance_type, 2, 3)
    expected = GaussianMixture.from_parameters(given.weights, given.means, given.covariances, covariance_type)
    estimator = by_hand(covariance_type, 3, weights_=given.weights, means_=given.means, covariances_=given.covariances)
    assert np.array_equal(estimator.score_samples(ROWS), expected.score_samples(ROWS))
    assert (estimator.bic(ROWS), estimator.aic(ROWS)) == (expected.bic(ROWS), expected.aic(ROWS))
