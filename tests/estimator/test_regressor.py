"""The regressor predicts what its mixture says of targets, and is a regressor as scikit-learn's are."""

import pickle
import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture, MixtureRegressor
from fastgmm.errors import NotFittedError
from fastgmm.estimator.regressor import _r_squared
from fastgmm.families import FOUR
from fastgmm.parameters import FloatArray
from tests.problems import assert_close

NAN = np.nan


@pytest.fixture
def rows(rng: np.random.Generator) -> FloatArray:
    """Two features and two targets, of two clusters with lines of their own."""
    kind = np.repeat([0, 1], [120, 80])
    X = rng.normal(size=(200, 2)) + 6.0 * kind[:, np.newaxis]
    lines = np.where(kind, 3 * X[:, 0] - X[:, 1], X[:, 1] - 2 * X[:, 0])
    return np.column_stack([X, lines + 0.1 * rng.normal(size=200), X[:, 0] * X[:, 1]])


def two_components(**options: object) -> MixtureRegressor:
    return MixtureRegressor(2, random_state=0, **options)


def test_one_component_is_least_squares(rows: FloatArray) -> None:
    X, Y = rows[:, :2], rows[:, 2:]
    design = np.column_stack([X, np.ones(200)])
    expected = design @ np.linalg.lstsq(design, Y, rcond=None)[0]
    assert_close(MixtureRegressor(reg_covar=0).fit(X, Y).predict(X), expected, 1e-12)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_predictions_are_those_of_a_mixture_of_features_and_targets(rows: FloatArray, covariance_type: str) -> None:
    regressor = two_components(covariance_type=covariance_type).fit(rows[:, :2], rows[:, 2:])
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(rows)
    assert np.array_equal(regressor.mixture_.means_, mixture.means_)
    mean, std = regressor.predict(rows[:9, :2], return_std=True)
    expected = mixture.regress(rows[:9, :2], [0, 1], return_std=True)
    assert np.array_equal(mean, expected[0])
    assert np.array_equal(std, expected[1])
    assert np.array_equal(regressor.predict(rows[:9, :2]), mixture.regress(rows[:9, :2], [0, 1]))


def test_all_parameters_are_those_of_the_mixture(rows: FloatArray) -> None:
    options = MixtureRegressor().get_params()
    assert options.items() <= GaussianMixture().get_params().items()
    regressor = MixtureRegressor(3, reg_covar="relative", tol=0.1, n_init=2, random_state=1).fit(
        rows[:, :2], rows[:, 2]
    )
    assert regressor.mixture_.get_params().items() >= regressor.get_params().items()
    assert regressor.n_iter_ == regressor.mixture_.n_iter_


def test_targets_have_the_shape_that_they_had_in_the_fit(rows: FloatArray) -> None:
    X = rows[:, :2]
    for y, shape in ((rows[:, 2], (200,)), (rows[:, 2:3], (200, 1)), (rows[:, 2:], (200, 2))):
        regressor = two_components().fit(X, y)
        mean, std = regressor.predict(X, return_std=True)
        assert regressor.predict(X).shape == mean.shape == std.shape == shape
        assert regressor.sample_y(X, 3).shape == (*shape, 3)
        assert regressor.n_outputs_ == (shape[1] if len(shape) == 2 else 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_features(rows: FloatArray, dtype: type) -> None:
    X = rows[:, :2].astype(dtype)
    regressor = two_components().fit(X, rows[:, 2].astype(dtype))
    assert regressor.predict(X).dtype == regressor.sample_y(X).dtype == dtype
    X[0, 0] = NAN
    assert regressor.predict(X).dtype == dtype


# --- what is not known -----------------------------------------------------------------------------------------------


def test_an_unknown_feature_is_left_out_of_what_is_given(rows: FloatArray) -> None:
    regressor, X = two_components().fit(rows[:, :2], rows[:, 2:]), rows[:6, :2].copy()
    X[1, 0] = X[4, 1] = X[5, 0] = X[5, 1] = NAN
    mean, std = regressor.predict(X, return_std=True)
    mixture = regressor.mixture_
    expected = mixture.impute(np.column_stack([X, np.full((6, 2), NAN)]), return_std=True)
    assert_close(mean, expected[0][:, 2:], 1e-13)
    assert_close(std, expected[1][:, 2:], 1e-12)
    assert_close(mean[[1]], mixture.marginal([1, 2, 3]).regress(X[[1], 1:], [0]), 1e-12)
    assert_close(mean[5], mixture.weights_ @ mixture.means_[:, 2:], 1e-13)
    assert_close(mean[[0, 2, 3]], regressor.predict(X[[0, 2, 3]]), 1e-13)
    assert_close(regressor.predict(X[[5]]), mean[[5]], 1e-13)


def test_a_fit_takes_features_with_holes(rows: FloatArray) -> None:
    X, y = rows[:, :2].copy(), rows[:, 2]
    X[::5, 0] = NAN
    regressor = two_components().fit(X, y)
    expected = GaussianMixture(2, random_state=0).fit(np.column_stack([X, y]))
    assert np.array_equal(regressor.mixture_.means_, expected.means_)
    assert regressor.score(rows[:, :2], y) > 0.99


def test_unknown_targets_are_refused(rows: FloatArray) -> None:
    y = rows[:, 2].copy()
    y[7] = NAN
    with pytest.raises(ValueError, match=r"Input y contains NaN\. The first is at row 7"):
        two_components().fit(rows[:, :2], y)


# --- draws -----------------------------------------------------------------------------------------------------------


def test_draws_spread_as_the_predictions_say_and_are_those_of_the_seed(rows: FloatArray) -> None:
    regressor, X = two_components().fit(rows[:, :2], rows[:, 2:]), np.array([[0.0, 1.0], [6.0, NAN], [3.0, 3.0]])
    draws = regressor.sample_y(X, 20_000, random_state=1)
    mean, std = regressor.predict(X, return_std=True)
    assert (np.abs(draws.mean(axis=-1) - mean) < 5 * std / np.sqrt(20_000)).all()
    np.testing.assert_allclose(draws.std(axis=-1), std, rtol=0.05)
    assert np.array_equal(draws, regressor.sample_y(X, 20_000, random_state=1))
    assert np.array_equal(regressor.sample_y(X, 4), regressor.sample_y(X, 4, random_state=0))
    assert not np.array_equal(regressor.sample_y(X, 4), regressor.sample_y(X, 4, random_state=2))


@pytest.mark.parametrize("options", [{"n_samples": 0}, {"n_samples": 1.5}, {"random_state": -1}])
def test_what_draws_are_refused(rows: FloatArray, options: dict) -> None:
    with pytest.raises(ValueError, match=f"The '{next(iter(options))}' parameter of sample_y must be"):
        two_components().fit(rows[:, :2], rows[:, 2]).sample_y(rows[:, :2], **options)


# --- score and weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_score_is_that_of_scikit_learn(rows: FloatArray, weighted: bool) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    weights = np.random.default_rng(0).uniform(size=200) if weighted else None
    for y in (rows[:, 2], rows[:, 2:]):
        regressor = two_components().fit(rows[:, :2], y)
        expected = metrics.r2_score(y, regressor.predict(rows[:, :2]), sample_weight=weights)
        assert regressor.score(rows[:, :2], y, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


def test_the_score_of_a_constant_target_is_1_where_it_is_met() -> None:
    constant = np.ones((3, 1))
    assert _r_squared(constant, constant, None) == 1.0
    assert _r_squared(constant, np.array([[1.0], [1.0], [2.0]]), None) == 0.0


def test_a_score_needs_the_targets_of_the_fit(rows: FloatArray) -> None:
    regressor = two_components().fit(rows[:, :2], rows[:, 2])
    with pytest.raises(ValueError, match="y has 2 targets, but there were 1 in the fit"):
        regressor.score(rows[:, :2], rows[:, 2:])


def test_a_whole_weight_is_the_row_repeated(rows: FloatArray) -> None:
    X, y, counts = rows[:, :2], rows[:, 2], np.random.default_rng(0).integers(0, 4, 200)
    weighted = MixtureRegressor().fit(X, y, sample_weight=counts)
    repeated = MixtureRegressor().fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_close(weighted.predict(X), repeated.predict(X), 1e-11)


# --- names -----------------------------------------------------------------------------------------------------------


def test_names_of_features_and_targets_are_those_of_the_mixture(rows: FloatArray) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["a", "b", "c", "d"])
    X = frame[["a", "b"]]
    for y, names in (
        (frame["c"], ["a", "b", "c"]),
        (frame[["d", "c"]], ["a", "b", "d", "c"]),
        (rows[:, 2], ["a", "b", "y"]),
        (rows[:, 2:], ["a", "b", "y0", "y1"]),
    ):
        regressor = two_components().fit(X, y)
        assert regressor.mixture_.feature_names_in_.tolist() == names
        assert regressor.feature_names_in_.tolist() == ["a", "b"]
        holes = X.assign(a=X["a"].where(X.index > 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            regressor.predict(X), regressor.predict(holes), regressor.sample_y(holes)
    assert not hasattr(two_components().fit(X, frame["c"].rename("a")).mixture_, "feature_names_in_")
    assert not hasattr(regressor.fit(rows[:, :2], frame["c"]), "feature_names_in_")


def test_the_names_of_predictions_are_compared_with_those_of_the_fit(rows: FloatArray) -> None:
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rows[:, :2], columns=["a", "b"])
    regressor = two_components().fit(X, rows[:, 2])
    with pytest.raises(ValueError, match="feature names should match"):
        regressor.predict(X[["b", "a"]])
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but MixtureRegressor was fitted"
    ) as caught:
        regressor.predict(rows[:, :2])
    assert caught[0].filename == __file__


# --- an estimator ----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # what the checks provoke is their own business
def test_check_estimator_passes_with_no_expected_failure() -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    results = checks.check_estimator(MixtureRegressor(), on_skip=None, on_fail=None)
    unexpected = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not unexpected
    assert not any(result["expected_to_fail"] for result in results)
    assert sum(result["status"] == "passed" for result in results) > 50


def test_a_search_finds_how_many_components_curves_need(rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import is_regressor
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = rng.uniform(0, 6, (600, 1))
    pipeline = make_pipeline(StandardScaler(), MixtureRegressor(random_state=0))
    search = GridSearchCV(pipeline, {"mixtureregressor__n_components": [1, 6]}, cv=2)
    search.fit(x, np.sin(x[:, 0]) + 0.1 * rng.normal(size=600))
    assert is_regressor(pipeline)
    assert search.best_params_ == {"mixtureregressor__n_components": 6}
    assert search.best_score_ > 0.95


def test_weights_are_handed_on_where_it_asks_for_them(rows: FloatArray) -> None:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.pipeline import make_pipeline

    weights = np.repeat([0.0, 1.0], 100)
    with sklearn.config_context(enable_metadata_routing=True):
        regressor = MixtureRegressor().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(regressor).fit(rows[:, :2], rows[:, 2], sample_weight=weights)
        pipeline.score(rows[:, :2], rows[:, 2], sample_weight=weights)
    expected = MixtureRegressor().fit(rows[:, :2], rows[:, 2], sample_weight=weights)
    assert np.array_equal(pipeline[0].mixture_.means_, expected.mixture_.means_)


def test_a_failed_fit_leaves_the_last_one(rows: FloatArray) -> None:
    regressor = two_components().fit(rows[:, :2], rows[:, 2])
    before = dict(vars(regressor))
    for X, y in ((rows[:, :2], rows[:100, 2]), (rows[:1, :2], rows[:1, 2]), (np.full((9, 2), NAN), np.zeros(9))):
        with pytest.raises(ValueError, match=r"."):
            regressor.fit(X, y)
        assert vars(regressor) == before
    with pytest.raises(ValueError, match="The 'n_components' parameter of MixtureRegressor must be"):
        MixtureRegressor(0).fit(rows[:, :2], rows[:, 2])


def test_it_can_be_pickled_and_says_when_it_is_not_fitted(rows: FloatArray) -> None:
    assert MixtureRegressor.__module__ == "fastgmm"
    regressor = two_components().fit(rows[:, :2], rows[:, 2])
    read = pickle.loads(pickle.dumps(regressor))
    assert np.array_equal(read.predict(rows[:, :2]), regressor.predict(rows[:, :2]))
    assert repr(read) == "MixtureRegressor(n_components=2, random_state=0)"
    with pytest.raises(NotFittedError, match="MixtureRegressor"):
        MixtureRegressor().predict(rows[:, :2])
