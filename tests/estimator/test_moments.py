"""``moments`` and ``maximized``: an iteration of EM in two halves, of rows that may lie in several places."""

import functools
import warnings
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, Moments
from fastgmm.errors import DegenerateComponentError, NotFittedError
from fastgmm.families import FAMILIES, FOUR
from tests import naive
from tests.conftest import BACKENDS
from tests.problems import assert_close, assert_close_moments, draw_problem, oracle_moments, same_bits

FAR = 2.0**27  # standard deviations from zero, some 1e8


@pytest.fixture(params=FOUR)
def covariance_type(request: pytest.FixtureRequest) -> str:
    return request.param


def problem_of(covariance_type: str, **how: Any):
    return draw_problem(covariance_type, 300, 3, 4, **how)


def estimator_of(problem, shift: float = 0.0, **options: Any) -> GaussianMixture:
    p = problem.parameters
    arrays = p.weights, p.means + shift, p.covariances
    return GaussianMixture.from_parameters(*arrays, p.covariance_type, **options)


def one_iteration(gm: GaussianMixture, X: Any, sample_weight: Any = None, labels: Any = None) -> GaussianMixture:
    """What ``fit`` makes of the same start in one iteration."""
    start = {"weights_init": gm.weights_, "means_init": gm.means_, "precisions_init": gm.precisions_}
    options = gm.get_params() | start | {"max_iter": 1, "warm_start": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(**options).fit(X, sample_weight=sample_weight, labels=labels)


def assert_close_models(one: GaussianMixture, other: GaussianMixture, tolerance: float) -> None:
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        assert_close(getattr(one, name), getattr(other, name), tolerance)
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, rel=tolerance)


# --- moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [*BACKENDS, "auto"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_they_are_those_of_the_oracle(covariance_type: str, backend: str, weighted: bool) -> None:
    problem = problem_of(covariance_type, weighted=weighted)
    moments = estimator_of(problem, backend=backend).moments(problem.values, problem.weights)
    assert_close_moments(moments, oracle_moments(problem), 1e-12)
    assert type(moments) is Moments
    assert (moments.n_rows, moments.covariance_type, moments.extra.shape) == (300, covariance_type, (4, 0))


def test_they_are_about_the_means_of_the_model_and_have_both_triangles(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    moments = gm.moments(problem.values)
    assert np.array_equal(moments.about, gm.means_)
    assert not np.shares_memory(moments.about, gm.means_)
    if FAMILIES[covariance_type].has_matrices:
        assert_close(moments.second, np.swapaxes(moments.second, -1, -2), 1e-15)


def test_of_float32_rows_they_are_float64(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    moments = estimator_of(problem).moments(problem.values.astype(np.float32))
    assert_close_moments(moments, oracle_moments(problem), 2e-5)
    arrays = moments.counts, moments.first, moments.second, moments.about, moments.extra
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_float32_rows_in_absurd_units_are_computed_in_float64(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    unit = 2.0**-90
    p = problem.parameters
    gm = GaussianMixture.from_parameters(p.weights, p.means * unit, p.covariances * unit**2, covariance_type)
    moments = gm.moments((problem.values * unit).astype(np.float32))
    expected = oracle_moments(problem)
    assert_close(moments.counts, expected.counts, 1e-12)
    assert_close(moments.second / unit**2, expected.second, 1e-12)


def test_far_from_zero_they_are_what_they_are_here(covariance_type: str) -> None:
    problem = problem_of(covariance_type, weighted=True)
    values = np.round(problem.values * 2**20) / 2**20  # so that they have room for the shift
    p = problem.parameters
    means = np.round(p.means * 2**20) / 2**20
    here = GaussianMixture.from_parameters(p.weights, means, p.covariances, covariance_type)
    there = GaussianMixture.from_parameters(p.weights, means + FAR, p.covariances, covariance_type)
    one, other = here.moments(values, problem.weights), there.moments(values + FAR, problem.weights)
    assert_close_moments(other, one, 1e-13)
    assert np.array_equal(other.about, means + FAR)


@pytest.mark.parametrize("cuts", [[1], [150], [7, 100, 250]], ids=str)
def test_those_of_parts_add_up_to_those_of_the_whole(covariance_type: str, cuts: list[int]) -> None:
    problem = problem_of(covariance_type, weighted=True)
    gm = estimator_of(problem)
    parts = zip(np.split(problem.values, cuts), np.split(problem.weights, cuts), strict=True)
    total = functools.reduce(Moments.__add__, (gm.moments(*part) for part in parts))
    whole = gm.moments(problem.values, problem.weights)
    assert_close_moments(total, whole, 1e-12)
    assert total.n_rows == whole.n_rows


def test_parts_add_up_whose_weights_are_far_apart(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    moments = gm.moments(problem.values, np.full(300, 2.0**200))
    assert_close_moments(moments, gm.moments(problem.values).scaled(2.0**200), 1e-12)


def test_a_weight_of_zero_is_the_row_removed_and_a_whole_weight_the_row_repeated(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    weights = np.arange(300) % 3
    moments = gm.moments(problem.values, weights)
    assert_close_moments(moments, gm.moments(np.repeat(problem.values, weights, axis=0)), 1e-12)
    assert moments.n_rows == 200


def test_they_have_the_same_bits_on_any_number_of_threads(covariance_type: str) -> None:
    problem = draw_problem(covariance_type, 5000, 3, 4)
    one, many = (estimator_of(problem, n_threads=n).moments(problem.values) for n in (1, 3))
    assert same_bits(one, many)


def test_a_model_set_by_hand_has_them_too(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    p = problem.parameters
    gm = GaussianMixture(4, covariance_type=covariance_type)
    gm.weights_, gm.means_, gm.covariances_ = p.weights, p.means, p.covariances
    assert_close_moments(gm.moments(problem.values), oracle_moments(problem), 1e-12)
    after = one_iteration(estimator_of(problem), problem.values)
    assert_close_models(gm.maximized(gm.moments(problem.values)), after, 1e-12)


def test_rows_and_weights_are_checked_as_in_scores_and_fits(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    with pytest.raises(NotFittedError):
        GaussianMixture().moments(problem.values)
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 3"):
        gm.moments(problem.values[:, :2])
    with pytest.raises(ValueError, match="contains infinity"):
        gm.moments([[np.inf, 0.0, 0.0]])
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        gm.moments(problem.values, -np.ones(300))
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(2,\)"):
        gm.moments(problem.values, [1.0, 2.0])


def test_sums_beyond_the_range_of_numbers_are_refused_without_a_warning(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    with pytest.raises(ValueError, match="of moments must be"):
        estimator_of(problem).moments(problem.values, np.full(300, 1e307))


# --- labels ----------------------------------------------------------------------------------------------------------


def some_labels(kind: str) -> Any:
    """Of 300 rows and 4 components, of which nothing is known of every other row."""
    rng = np.random.default_rng(5)
    if kind == "numbers":
        return np.where(np.arange(300) % 2, rng.integers(4, size=300), -1)
    beliefs = rng.uniform(0.1, 1.0, (300, 4)) if kind == "beliefs" else rng.random((300, 4)) < 0.7
    beliefs[::2] = 1
    beliefs[:, 3] = 1
    return beliefs


@pytest.mark.parametrize("kind", ["numbers", "allowed", "beliefs"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("has_holes", [False, True], ids=["complete", "holes"])
def test_of_labelled_parts_what_follows_is_an_iteration_of_a_labelled_fit(
    covariance_type: str, kind: str, weighted: bool, has_holes: bool
) -> None:
    problem, labels = problem_of(covariance_type, weighted=weighted), some_labels(kind)
    X, weights = problem.values.copy(), problem.weights
    if has_holes:
        X[np.arange(300) % 3 == 0, np.arange(300)[::3] % 3] = np.nan
    gm = estimator_of(problem, reg_covar=1e-3)
    first, second = (
        gm.moments(X[part], None if weights is None else weights[part], labels=labels[part])
        for part in (slice(99), slice(99, None))
    )
    assert_close_models(gm.maximized(first + second), one_iteration(gm, X, weights, labels), 1e-12)


def test_a_part_may_name_one_component_alone(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    moments = estimator_of(problem).moments(problem.values, labels=np.full(300, 2))
    assert moments.counts.tolist() == [0.0, 0.0, 300.0, 0.0]


def test_labels_are_checked_as_in_a_fit() -> None:
    problem = problem_of("diag")
    gm = estimator_of(problem)
    with pytest.raises(ValueError, match="labels has 2 rows, X has 300"):
        gm.moments(problem.values, labels=[0, 1])
    with pytest.raises(ValueError, match=r"labels\[0\] is 4, but with n_components=4"):
        gm.moments(problem.values, labels=np.full(300, 4))
    gm.weights_ = np.array([0.5, 0.5, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"labels\[1\] allows components of weight 0 only"):
        gm.moments(problem.values, labels=np.arange(300) % 2 * 2)


# --- maximized -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, FAR], ids=["here", "far"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_of_moments_of_two_parts_it_is_an_iteration_of_a_fit_of_all_rows(
    covariance_type: str, weighted: bool, shift: float
) -> None:
    problem = problem_of(covariance_type, weighted=weighted)
    X, weights = problem.values + shift, problem.weights
    gm = estimator_of(problem, shift, reg_covar=1e-3)
    first, second = (
        gm.moments(X[part], None if weights is None else weights[part]) for part in (slice(99), slice(99, None))
    )
    assert_close_models(gm.maximized(first + second), one_iteration(gm, X, weights), 1e-12)


def test_of_float32_rows_it_is_an_iteration_of_their_fit(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    X, gm = problem.values.astype(np.float32), estimator_of(problem)
    assert_close_models(gm.maximized(gm.moments(X)), one_iteration(gm, X), 1e-5)


def test_it_is_the_step_of_the_oracle(covariance_type: str) -> None:
    problem = problem_of(covariance_type, weighted=True)
    after = estimator_of(problem, reg_covar=0.01).maximized(
        estimator_of(problem).moments(problem.values, problem.weights)
    )
    expected = naive.em_step(problem.mixture, problem.values.tolist(), problem.weights.tolist(), 0.01)
    for name in ("weights", "means", "covariances"):
        assert_close(getattr(after, f"{name}_"), np.array(getattr(expected, name)), 1e-12)


def test_iterations_of_parts_end_where_a_fit_ends(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    whole = GaussianMixture(
        4, covariance_type=covariance_type, max_iter=20, tol=0.0, warm_start=True, weights_init=gm.weights_
    )
    for name in ("weights_", "means_", "covariances_"):
        setattr(whole, name, getattr(gm, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.fit(problem.values)
    for _ in range(20):
        gm = gm.maximized(gm.moments(problem.values[:100]) + gm.moments(problem.values[100:]))
    assert_close_models(gm, whole, 1e-9)


def test_it_says_what_it_knows_of_its_fit(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    moments = gm.moments(problem.values)
    after = gm.maximized(moments)
    assert (
        after.lower_bound_ == moments.log_likelihood / moments.total_weight == pytest.approx(gm.score(problem.values))
    )
    assert (after.n_iter_, after.converged_, after.stop_reason_, after.history_) == (1, False, None, ())
    assert after.lower_bounds_ == [after.lower_bound_]
    assert after.degenerate_components_ == ()
    assert after.n_features_in_ == 3
    assert not after.means_.flags.writeable


def test_it_is_another_estimator_with_the_same_parameters_and_names() -> None:
    class Mixture(GaussianMixture):
        pass

    problem = problem_of("full")
    p = problem.parameters
    gm = Mixture.from_parameters(p.weights, p.means, p.covariances, tol=0.5, reg_covar=0.1, random_state=3)
    gm.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
    before = gm.means_.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        after = gm.maximized(gm.moments(problem.values))
    assert type(after) is Mixture
    assert after.get_params() == gm.get_params()
    assert list(after.feature_names_in_) == ["a", "b", "c"]
    assert np.array_equal(gm.means_, before)


def test_moments_that_traveled_make_the_same_model(covariance_type: str, tmp_path: Any) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    moments = gm.moments(problem.values)
    fastgmm.save_moments(tmp_path / "moments.npz", moments)
    one, other = gm.maximized(moments), gm.maximized(fastgmm.load_moments(tmp_path / "moments.npz"))
    assert np.array_equal(one.covariances_, other.covariances_)
    assert np.array_equal(one.means_, other.means_)


def test_moments_about_other_means_are_refused_and_recentred_they_are_not(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    moments = gm.moments(problem.values)
    elsewhere = moments.recentred(gm.means_ + 1.0)
    with pytest.raises(ValueError, match=r"about other means.*moments.recentred\(gm.means_\)"):
        gm.maximized(elsewhere)
    assert_close_models(gm.maximized(elsewhere.recentred(gm.means_)), gm.maximized(moments), 1e-12)


def test_moments_of_another_family_or_shape_are_refused(covariance_type: str) -> None:
    gm = estimator_of(problem_of(covariance_type))
    other = problem_of("diag" if covariance_type == "full" else "full")
    with pytest.raises(ValueError, match=f"the model is '{covariance_type}'"):
        gm.maximized(estimator_of(other).moments(other.values))
    smaller = draw_problem(covariance_type, 50, 3, 2)
    with pytest.raises(ValueError, match=r"of means of shape \(2, 3\), not \(4, 3\)"):
        gm.maximized(estimator_of(smaller).moments(smaller.values))


def test_what_is_no_moments_is_refused(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem)
    with pytest.raises(TypeError, match=r"maximized takes fastgmm\.Moments; got ndarray"):
        gm.maximized(problem.values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of no weight"):
        gm.maximized(gm.moments(problem.values).scaled(0.0))
    with pytest.raises(NotFittedError):
        GaussianMixture(4, covariance_type=covariance_type).maximized(gm.moments(problem.values))


def test_a_relative_regularization_asks_for_a_number(covariance_type: str) -> None:
    problem = problem_of(covariance_type)
    gm = estimator_of(problem, reg_covar="relative")
    with pytest.raises(ValueError, match=r"give a number, for example set_params\(reg_covar=1e-6\)"):
        gm.maximized(gm.moments(problem.values))


def test_a_covariance_without_a_factor_is_named() -> None:
    gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [100.0]], [1.0, 1.0], "spherical", reg_covar=0.0)
    words = "Component 1 has 1 effective points and a smallest eigenvalue of 0; probable cause: the rows that it holds"
    with pytest.raises(DegenerateComponentError, match=words) as caught:
        gm.maximized(gm.moments([[0.0], [1.0], [100.0]]))
    assert caught.value.component == 1
    assert caught.value.effective_points == pytest.approx(1.0)


def test_names_of_features_are_compared_as_in_a_score() -> None:
    problem = problem_of("full")
    gm = estimator_of(problem)
    gm.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
    with pytest.warns(UserWarning, match="X does not have valid feature names") as caught:
        gm.moments(problem.values)
    assert caught[0].filename == __file__


def test_a_subclass_may_leave_parameters_out_of_its_constructor() -> None:
    class Pair(GaussianMixture):
        def __init__(self, random_state: int = 0) -> None:
            super().__init__(2, random_state=random_state, reg_covar=1e-3)

    X = np.random.RandomState(0).normal(size=(50, 2))
    pair, plain = Pair().fit(X), GaussianMixture(2, random_state=0, reg_covar=1e-3).fit(X)
    assert same_bits(pair.maximized(pair.moments(X)).covariances_, plain.maximized(plain.moments(X)).covariances_)
