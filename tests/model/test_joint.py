"""log p(x, k) of every component, far from it too, and scikit-learn's private methods by another name."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR, CovarianceFamily
from fastgmm.kernels.backend import Backend
from tests.problems import TOLERANCE, assert_close, draw_problem, oracle_joint

PRIVATE = ("_estimate_weighted_log_prob", "_estimate_log_prob", "_estimate_log_weights", "_n_parameters")


def model_of(problem, backend: str = "auto", **options) -> GaussianMixture:
    given = problem.parameters
    return GaussianMixture.from_parameters(
        given.weights, given.means, given.covariances, given.covariance_type, backend=backend, **options
    )


def two_blobs(family: CovarianceFamily, weights: list[float], backend: str, scale: float = 1.0) -> GaussianMixture:
    """Of variance ``scale``, about (0, 0) and (60, 60)."""
    shape = family.covariance_shape(2, 2)
    covariances = scale * np.ones(shape) * (np.eye(2) if family.has_matrices else 1.0)
    return GaussianMixture.from_parameters(
        weights, [[0.0, 0.0], [60.0, 60.0]], covariances, family.name, backend=backend
    )


def test_joint_log_densities_are_those_of_the_oracle(backend: Backend, family: CovarianceFamily, dtype: str) -> None:
    problem = draw_problem(family.name, 257, 3, 4)
    joint = model_of(problem, backend.name).predict_joint_log_proba(problem.values.astype(dtype))
    assert joint.dtype == dtype
    assert_close(joint, oracle_joint(problem), TOLERANCE[dtype])


def test_their_softmax_is_predict_proba_and_their_logsumexp_score_samples(
    backend: Backend, family: CovarianceFamily, dtype: str
) -> None:
    problem = draw_problem(family.name, 257, 3, 4)
    model, rows = model_of(problem, backend.name), problem.values.astype(dtype)
    joint = model.predict_joint_log_proba(rows).astype(np.float64)
    assert_close(model.predict_proba(rows), softmax(joint, axis=1), 10 * TOLERANCE[dtype])
    assert_close(model.score_samples(rows), logsumexp(joint, axis=1), TOLERANCE[dtype])
    assert np.array_equal(model.predict(rows), joint.argmax(axis=1))


def test_a_component_sixty_deviations_away_has_its_density(
    backend: Backend, family: CovarianceFamily, dtype: str
) -> None:
    """Where its probability is 0, the logarithm of which would be −inf."""
    model, at_zero = two_blobs(family, [0.5, 0.5], backend.name), np.zeros((1, 2), dtype)
    expected = np.log(0.5) - np.log(2 * np.pi) - 0.5 * np.array([[0.0, 2 * 3600.0]])
    np.testing.assert_allclose(model.predict_joint_log_proba(at_zero), expected, rtol=10 * np.finfo(dtype).eps)
    assert model.predict_proba(at_zero)[0, 1] == 0.0


@pytest.mark.parametrize("scale", [1.0, 1e-60, 1e60])
def test_no_row_is_too_far_for_a_finite_number_that_is_the_same_on_every_backend(
    backend: Backend, family: CovarianceFamily, dtype: str, scale: float
) -> None:
    lowest = np.float32(-3e38) if dtype == "float32" else -1.7e308
    model, largest = two_blobs(family, [0.0, 1.0], backend.name, scale), 0.9 * np.finfo(dtype).max
    joint = model.predict_joint_log_proba(np.array([[0.0, 0.0], [largest, -largest]], dtype))
    assert np.isfinite(joint).all()
    assert (joint >= lowest).all()
    assert (joint[:, 0] == lowest).all()  # a weight of 0
    if scale == 1.0:
        assert joint[1, 1] == lowest


def test_rows_are_checked_as_for_every_score() -> None:
    model = model_of(draw_problem("full", 7, 2, 3))
    for method in ("predict_joint_log_proba", "_estimate_weighted_log_prob", "_estimate_log_prob"):
        with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
            getattr(model, method)(np.zeros((2, 3)))
        with pytest.raises(ValueError, match="Input X contains infinity"):
            getattr(model, method)([[0.0, np.inf]])


def test_densities_of_a_component_do_not_depend_on_its_weight_be_it_zero(
    backend: Backend, family: CovarianceFamily, dtype: str
) -> None:
    """log N(x | k), which of a weight of 0 is not the joint log-density less the logarithm of the weight."""
    rows = np.array([[0.5, -0.5], [59.0, 61.0]], dtype)
    expected = -np.log(2 * np.pi) - 0.5 * np.array([[0.5, 59.5**2 + 60.5**2], [59.0**2 + 61.0**2, 2.0]])
    for weights in ([0.0, 1.0], [0.25, 0.75]):
        densities = two_blobs(family, weights, backend.name)._estimate_log_prob(rows)
        assert densities.dtype == dtype
        np.testing.assert_allclose(densities, expected, rtol=20 * np.finfo(dtype).eps)


def test_logarithms_of_weights_are_those_of_scikit_learn_and_zero_is_no_warning() -> None:
    logarithms = two_blobs(FAMILIES["diag"], [0.0, 1.0], "auto")._estimate_log_weights()
    assert logarithms.tolist() == [-np.inf, 0.0]


@pytest.mark.parametrize("covariance_type", FOUR)
def test_scikit_learns_private_methods_give_what_they_give_there(covariance_type: str) -> None:
    pytest.importorskip("sklearn")
    problem = draw_problem(covariance_type, 100, 3, 4)
    ours, theirs = model_of(problem), model_of(problem).to_sklearn()
    for method in PRIVATE:
        arguments = [problem.values] if method.endswith("log_prob") else []
        answers = (getattr(mixture, method)(*arguments) for mixture in (ours, theirs))
        np.testing.assert_allclose(*answers, rtol=1e-11)


def test_a_warning_about_names_of_features_points_at_the_caller() -> None:
    model = model_of(draw_problem("full", 7, 2, 3))
    model.feature_names_in_ = np.array(["a", "b"], dtype=object)
    for method in ("predict_joint_log_proba", "_estimate_log_prob"):
        with pytest.warns(UserWarning, match="X does not have valid feature names") as caught:
            getattr(model, method)([[0.0, 0.0]])
        assert caught[0].filename == __file__
