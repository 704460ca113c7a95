"""The same numbers, attributes and printed lines as scikit-learn's class from the same start.

Deliberate differences: fitted arrays are float64 for float32 data; ``means_init`` alone decides the partition.
"""

import warnings
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from fastgmm.parameters import FloatArray

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

_RNG = np.random.RandomState(7)
X = np.concatenate(
    [
        _RNG.normal(size=(400, 3)) @ [[1.0, 0.5, 0], [0, 0.8, 0.3], [0, 0, 1.2]],
        _RNG.normal([2.0, 0, 1], 1.0, (300, 3)),
        _RNG.normal([-1.0, -2, 0], 0.5, (300, 3)),
    ]
)
START = {
    "weights_init": np.array([0.2, 0.3, 0.5]),
    "means_init": X[[0, 500, 900]],
}
PRECISIONS = {
    "full": np.stack([np.diag([1.0, 2, 1]), np.eye(3), np.eye(3) + 0.2]),
    "tied": np.array([[1.0, 0.3, 0], [0.3, 2, 0], [0, 0, 1]]),
    "diag": np.array([[1.0, 2, 1], [1, 1, 1], [3, 1, 2]]),
    "spherical": np.array([1.0, 2, 0.5]),
}
ATTRIBUTES = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def fit_both(data: FloatArray = X, **options: Any) -> tuple[GaussianMixture, SklearnMixture]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(3, **options).fit(data), SklearnMixture(3, **options).fit(data)


def given_start(covariance_type: str) -> dict[str, Any]:
    return START | {"covariance_type": covariance_type, "precisions_init": PRECISIONS[covariance_type]}


def assert_same_fit(ours: GaussianMixture, theirs: SklearnMixture, tolerance: float = 1e-9) -> None:
    for name in ATTRIBUTES:
        expected = getattr(theirs, name)
        assert getattr(ours, name).shape == expected.shape
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=tolerance)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=tolerance)
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_the_same_start_leads_to_the_same_parameters(covariance_type: str) -> None:
    ours, theirs = fit_both(**given_start(covariance_type), tol=0, max_iter=25)
    assert ours.n_iter_ == 25
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_the_same_start_stops_after_as_many_iterations(covariance_type: str) -> None:
    ours, theirs = fit_both(**given_start(covariance_type), tol=1e-3, max_iter=300)
    assert ours.converged_
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_random_start_takes_the_same_course_from_the_same_seed(covariance_type: str) -> None:
    options = {"covariance_type": covariance_type, "init_params": "random", "random_state": 5, "tol": 0}
    assert_same_fit(*fit_both(**options, max_iter=10))
    assert_same_fit(*fit_both(**options, max_iter=10, n_init=3))


def test_a_random_start_takes_the_same_course_on_more_rows_than_a_block_has() -> None:
    data = np.random.RandomState(1).normal(size=(9000, 2))
    data[4000:] += 4.0
    assert_same_fit(*fit_both(data, init_params="random", random_state=5, tol=0, max_iter=10))


@pytest.mark.parametrize("covariance_type", FOUR)
def test_scores_are_the_same(covariance_type: str) -> None:
    ours, theirs = fit_both(**given_start(covariance_type), tol=0, max_iter=5)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-10)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-10)
    for criterion in ("score", "aic", "bic"):
        assert getattr(ours, criterion)(X) == pytest.approx(getattr(theirs, criterion)(X), rel=1e-11)


def test_the_lower_bound_lags_one_m_step_behind() -> None:
    one, _ = fit_both(**given_start("full"), tol=0, max_iter=1)
    two, _ = fit_both(**given_start("full"), tol=0, max_iter=2)
    assert two.lower_bound_ == pytest.approx(one.score(X), rel=1e-12)
    assert len(two.lower_bounds_) == two.n_iter_ == 2
    assert two.lower_bounds_[0] == one.lower_bound_


@pytest.mark.parametrize("covariance_type", FOUR)
def test_no_iterations_keep_the_start(covariance_type: str) -> None:
    # Without a warning, and scikit-learn needs a start of its own for the covariances that it does not then use.
    ours = GaussianMixture(3, **given_start(covariance_type), max_iter=0).fit(X)
    assert np.array_equal(ours.weights_, START["weights_init"])
    assert np.array_equal(ours.means_, START["means_init"])
    np.testing.assert_allclose(ours.precisions_, PRECISIONS[covariance_type], rtol=1e-12, atol=1e-15)
    assert (ours.n_iter_, ours.converged_, ours.lower_bound_, ours.lower_bounds_) == (0, False, -np.inf, [])


@pytest.mark.parametrize("covariance_type", FOUR)
def test_no_iterations_from_random_responsibilities_are_scikit_learns(covariance_type: str) -> None:
    options = {"covariance_type": covariance_type, "init_params": "random", "random_state": 2}
    assert_same_fit(*fit_both(**options, max_iter=0))


def test_a_warm_start_goes_on_where_the_last_fit_ended() -> None:
    options = given_start("full") | {"tol": 0, "warm_start": True, "max_iter": 5}
    ours, theirs = fit_both(**options)
    for _ in range(2):
        with pytest.warns(ConvergenceWarning):
            assert_same_fit(ours.fit(X), theirs.fit(X))
    at_once, _ = fit_both(**(options | {"max_iter": 15}))
    assert np.array_equal(at_once.means_, ours.means_)


def test_a_warm_start_remembers_the_bound_and_stops_at_once_when_settled() -> None:
    options = given_start("full") | {"warm_start": True, "max_iter": 300}
    ours, theirs = fit_both(**options)
    assert ours.n_iter_ > 1
    assert_same_fit(ours.fit(X), theirs.fit(X))
    assert ours.n_iter_ == 1


@pytest.mark.parametrize("max_iter", [0, 1, 7])
@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data"])
@pytest.mark.filterwarnings("ignore:Best performing")
def test_labels_of_fit_predict_are_those_of_predict(max_iter: int, init_params: str) -> None:
    ours = GaussianMixture(3, max_iter=max_iter, init_params=init_params, random_state=1)
    labels = ours.fit_predict(X)
    assert labels.dtype == np.int64
    assert np.array_equal(labels, ours.predict(X))


@pytest.mark.parametrize("covariance_type", FOUR)
def test_cholesky_factors_of_precisions_are_upper_triangular(covariance_type: str) -> None:
    ours, _ = fit_both(**given_start(covariance_type), tol=0, max_iter=3)
    factors = ours.precisions_cholesky_
    if covariance_type in ("full", "tied"):
        assert np.array_equal(factors, np.triu(factors))
        factors = factors @ np.swapaxes(factors, -1, -2)
        np.testing.assert_allclose(np.linalg.inv(ours.precisions_), ours.covariances_, rtol=1e-9, atol=1e-12)
    else:
        factors = factors**2
        np.testing.assert_allclose(1 / ours.precisions_, ours.covariances_, rtol=1e-12)
    np.testing.assert_allclose(factors, ours.precisions_, rtol=1e-12)


def test_fitted_attributes_have_scikit_learns_types() -> None:
    ours, theirs = fit_both(random_state=0)
    assert {name for name in vars(theirs) if name.endswith("_")} <= set(vars(ours))
    assert type(ours.converged_) is bool
    assert type(ours.n_iter_) is int
    assert isinstance(ours.lower_bound_, float)
    assert isinstance(ours.lower_bounds_, list)
    assert ours.n_features_in_ == theirs.n_features_in_ == 3


@pytest.mark.parametrize("options", [{"max_iter": 30}, {"tol": 1e-2, "n_init": 2}, {"verbose_interval": 3}])
def test_verbose_prints_scikit_learns_lines(options: dict[str, Any], capsys: pytest.CaptureFixture) -> None:
    options = {"init_params": "random", "random_state": 0, "tol": 0, "max_iter": 25} | options
    printed = []
    for estimator in (GaussianMixture, SklearnMixture):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator(3, verbose=1, **options).fit(X)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


def test_verbose_2_adds_times_and_changes(capsys: pytest.CaptureFixture) -> None:
    def shapes_of_lines(estimator: type) -> list[str]:
        estimator(3, verbose=2, verbose_interval=1, max_iter=50, tol=1e-2, **given_start("full")).fit(X)
        lines = capsys.readouterr().out.replace("time lapse", "s").split("\n")
        # Everything but the seconds.
        return ["s".join(part for i, part in enumerate(line.split("s")) if i != 1) for line in lines]

    ours, theirs = shapes_of_lines(GaussianMixture), shapes_of_lines(SklearnMixture)
    assert len(ours) == len(theirs) > 3
    assert ours[1].split("\t")[-1] == theirs[1].split("\t")[-1]
    assert ours[-2].split("\t")[-1] == theirs[-2].split("\t")[-1]


@pytest.mark.parametrize("covariance_type", FOUR)
def test_samples_are_ordered_by_component_and_seeded(covariance_type: str) -> None:
    ours, theirs = fit_both(**given_start(covariance_type), tol=0, max_iter=3, random_state=4)
    (points, labels), (_, their_labels) = ours.sample(500), theirs.sample(500)
    assert points.shape == (500, 3)
    assert points.dtype == np.float64
    assert np.array_equal(labels, their_labels)
    assert np.array_equal(points, ours.sample(500)[0])


def test_attributes_set_by_hand_count_as_in_scikit_learn() -> None:
    ours, theirs = fit_both(**given_start("full"), tol=0, max_iter=3)
    for each in (ours, theirs):
        each.weights_ = np.array([0.98, 0.01, 0.01])
        each.means_ = each.means_ + 1.0
        each.precisions_cholesky_ = 2.0 * each.precisions_cholesky_
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-10)


def test_float32_data_give_scores_in_float32_and_parameters_in_float64() -> None:
    ours = GaussianMixture(3, random_state=0).fit(X.astype(np.float32))
    assert {getattr(ours, name).dtype for name in ATTRIBUTES} == {np.dtype(np.float64)}
    assert ours.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert ours.score_samples(X.astype(np.float32)).dtype == np.float32
    assert ours.score_samples(X).dtype == np.float64


def test_weights_and_precisions_alone_replace_those_of_the_start() -> None:
    options = {"weights_init": [0.1, 0.1, 0.8], "precisions_init": PRECISIONS["diag"], "covariance_type": "diag"}
    assert_same_fit(*fit_both(**options, init_params="random", random_state=0, tol=0, max_iter=5))


def test_given_means_alone_decide_the_partition() -> None:
    ours = GaussianMixture(3, means_init=START["means_init"], max_iter=0, random_state=0).fit(X)
    distances = np.square((X[:, np.newaxis] - START["means_init"]) / X.std(axis=0)).sum(axis=2)
    shares = np.bincount(distances.argmin(axis=1)) / len(X)
    assert np.array_equal(ours.means_, START["means_init"])
    np.testing.assert_allclose(ours.weights_, shares, rtol=1e-9)
