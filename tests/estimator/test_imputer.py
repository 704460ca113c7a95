"""The imputer fills in what the mixture expects, and is a transformer as scikit-learn's are."""

import importlib.util
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, GaussianMixtureImputer
from fastgmm.errors import NotFittedError
from fastgmm.parameters import FloatArray
from tests.problems import assert_close

NAN = np.nan


@pytest.fixture
def holes(rng: np.random.Generator) -> FloatArray:
    """Two clusters whose features are correlated, without a fifth of their values."""
    clusters = np.repeat([[0.0, 0.0, 0.0], [8.0, 0.0, 8.0]], 80, axis=0)
    X = clusters + rng.normal(size=(160, 3)) @ np.array([[1.0, 0.8, 0.5], [0.0, 0.6, 0.0], [0.0, 0.0, 0.7]])
    return np.where(rng.random(X.shape) < 0.2, NAN, X)


def two_components() -> GaussianMixture:
    return GaussianMixture(2, random_state=0)


def test_it_is_what_impute_of_a_fitted_mixture_gives(holes: FloatArray) -> None:
    imputer = GaussianMixtureImputer(two_components())
    expected = two_components().fit(holes).impute(holes)
    assert np.array_equal(imputer.fit_transform(holes), expected)
    assert np.array_equal(imputer.transform(holes), expected)
    assert np.array_equal(expected[~np.isnan(holes)], holes[~np.isnan(holes)])
    assert imputer.mixture_.n_missing_ == np.isnan(holes).sum()
    assert not hasattr(imputer.mixture, "means_")


def test_rows_that_were_not_in_the_fit_are_filled_one_by_one(holes: FloatArray) -> None:
    imputer = GaussianMixtureImputer(two_components()).fit(holes[:100])
    expected = imputer.transform(holes[100:])
    assert np.isfinite(expected).all()
    alone = np.concatenate([imputer.transform(row[np.newaxis]) for row in holes[100:]])
    np.testing.assert_allclose(alone, expected, rtol=1e-12, atol=1e-13)


def test_without_a_mixture_it_is_one_gaussian_and_a_regression(rng: np.random.Generator) -> None:
    x = rng.normal(size=50)
    X = np.column_stack([x, 2 * x + 1 + rng.normal(size=50)])
    X[40:, 1] = NAN
    filled = GaussianMixtureImputer().fit_transform(X)
    slope, intercept = np.polyfit(X[:40, 0], X[:40, 1], 1)
    np.testing.assert_allclose(filled[40:, 1], slope * x[40:] + intercept, atol=0.05)


def test_draws_spread_and_are_those_of_the_seed(holes: FloatArray) -> None:
    def filled(**options: Any) -> FloatArray:
        return GaussianMixtureImputer(two_components(), sample_posterior=True, **options).fit_transform(holes)

    is_missing = np.isnan(holes)
    mean = GaussianMixtureImputer(two_components()).fit_transform(holes)
    draw = filled(random_state=1)
    assert np.array_equal(draw, filled(random_state=1))
    assert np.array_equal(draw[~is_missing], holes[~is_missing])
    assert not np.array_equal(draw, filled(random_state=2))
    assert 0.3 < (draw - mean)[is_missing].std() < 3.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_rows(holes: FloatArray, dtype: type) -> None:
    assert GaussianMixtureImputer(two_components()).fit_transform(holes.astype(dtype)).dtype == dtype


def test_it_can_be_pickled_and_shows_itself(holes: FloatArray) -> None:
    imputer = GaussianMixtureImputer(two_components(), add_indicator=False).fit(holes)
    assert GaussianMixtureImputer.__module__ == "fastgmm"
    read = pickle.loads(pickle.dumps(imputer))
    assert np.array_equal(read.transform(holes), imputer.transform(holes))
    assert repr(read) == "GaussianMixtureImputer(mixture=GaussianMixture(n_components=2, random_state=0))"


# --- features without any value --------------------------------------------------------------------------------------


def test_a_feature_without_any_observed_value_is_left_out_with_a_warning() -> None:
    X = np.array([[1.0, NAN, 2.0], [3.0, NAN, NAN], [2.0, NAN, 4.0], [2.5, NAN, 1.0]])
    imputer = GaussianMixtureImputer().fit(X)
    message = r"^Skipping features without any observed values: \[1\]\. At least one non-missing value is needed for "
    with pytest.warns(UserWarning, match=message) as caught:
        filled = imputer.transform([[5.0, 7.0, 6.0]])
    assert caught[0].filename == __file__
    assert filled.tolist() == [[5.0, 6.0]]
    assert imputer.empty_features_.tolist() == [1]
    assert imputer.get_feature_names_out().tolist() == ["x0", "x2"]
    assert imputer.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "c"]


def test_a_feature_without_any_observed_value_is_kept_where_it_is_asked_for() -> None:
    X = np.array([[1.0, NAN, 2.0], [3.0, NAN, NAN], [2.0, NAN, 4.0], [2.5, NAN, 1.0]])
    imputer = GaussianMixtureImputer(keep_empty_features=True).fit(X)
    filled = imputer.transform(X)
    assert filled[:, 1].tolist() == [0.0] * 4
    assert np.isfinite(filled).all()
    assert imputer.transform([[5.0, 7.0, 6.0]]).tolist() == [[5.0, 7.0, 6.0]]
    assert imputer.get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_features_are_put_together_in_pieces(holes: FloatArray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between which signals are answered; what comes out is the same."""
    X = np.insert(holes, 1, NAN, axis=1)
    has_indicator = importlib.util.find_spec("sklearn") is not None
    imputer = GaussianMixtureImputer(two_components(), keep_empty_features=True, add_indicator=has_indicator)
    whole, n_asked = imputer.fit_transform(X), 0

    def count() -> None:
        nonlocal n_asked
        n_asked += 1

    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 10 * X[:1].nbytes)
    monkeypatch.setattr("fastgmm.machine.pieces.check", count)
    imputer.mixture_.impute(holes)
    n_of_mixture, n_asked = n_asked, 0
    assert_close(imputer.transform(X), whole, 1e-12)
    assert n_asked >= n_of_mixture + (3 if has_indicator else 2) * len(X) // 10
    assert_close(imputer.fit(X).transform(X), whole, 1e-9)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_mistakes_leave_the_imputer_as_it_was(holes: FloatArray) -> None:
    imputer = GaussianMixtureImputer(two_components()).fit(holes)
    before = imputer.transform(holes)
    for error, X in [(ValueError, np.full((5, 3), NAN)), (ValueError, [[np.inf, 1.0]] * 3), (ValueError, holes[:1])]:
        with pytest.raises(error):
            imputer.fit(X)
    with pytest.raises(TypeError, match=r"^mixture must be a fastgmm\.GaussianMixture or None; got 3"):
        imputer.set_params(mixture=3).fit(holes)
    assert np.array_equal(imputer.transform(holes), before)
    with pytest.raises(ValueError, match=r"^X has 2 features, but GaussianMixtureImputer is expecting 3 features"):
        imputer.transform(holes[:, :2])
    with pytest.raises(NotFittedError, match="GaussianMixtureImputer"):
        GaussianMixtureImputer().transform(holes)
    with pytest.raises(NotFittedError):
        GaussianMixtureImputer().get_feature_names_out()


def test_names_that_do_not_fit_are_refused(holes: FloatArray) -> None:
    imputer = GaussianMixtureImputer().fit(holes)
    with pytest.raises(ValueError, match=r"should have length equal to number of features \(3\), got 1"):
        imputer.get_feature_names_out(["a"])


def test_parameters_of_the_mixture_are_parameters_of_the_imputer() -> None:
    imputer = GaussianMixtureImputer(GaussianMixture(2))
    assert imputer.get_params()["mixture__n_components"] == 2
    assert "mixture__n_components" not in imputer.get_params(deep=False)
    assert imputer.set_params(mixture__n_components=3, sample_posterior=True).mixture.n_components == 3
    assert imputer.set_params(mixture=GaussianMixture(5), mixture__tol=0.1).mixture.tol == 0.1
    with pytest.raises(ValueError, match=r"Invalid parameter 'n_component' .*Did you mean 'n_components'"):
        imputer.set_params(mixture__n_component=3, random_state=7)
    assert imputer.random_state is None
    with pytest.raises(ValueError, match=r"mixture=None has no parameters to set: give mixture=\.\.\. an estimator"):
        GaussianMixtureImputer().set_params(mixture__n_components=3)


# --- with scikit-learn -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # what the checks provoke is their own business
def test_check_estimator_passes_with_no_expected_failure() -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    results = checks.check_estimator(GaussianMixtureImputer(), on_skip=None, on_fail=None)
    assert not {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not any(result["expected_to_fail"] for result in results)
    assert sum(result["status"] == "passed" for result in results) > 30


def test_the_indicator_is_that_of_scikit_learns_imputers(holes: FloatArray) -> None:
    theirs = pytest.importorskip("sklearn.impute").SimpleImputer(add_indicator=True)
    holes[:, 1] = np.sin(np.arange(160.0))
    ours = GaussianMixtureImputer(add_indicator=True)
    assert np.array_equal(ours.fit_transform(holes)[:, 3:], theirs.fit_transform(holes)[:, 3:])
    assert (
        ours.get_feature_names_out(["a", "b", "c"]).tolist() == theirs.get_feature_names_out(["a", "b", "c"]).tolist()
    )
    assert ours.indicator_.features_.tolist() == [0, 2]
    assert GaussianMixtureImputer().fit(holes).indicator_ is None


def test_a_frame_keeps_its_names_and_labels_of_rows(holes: FloatArray) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(holes, columns=["a", "b", "c"], index=range(7, 167))
    imputer = GaussianMixtureImputer(two_components()).set_output(transform="pandas")
    filled = imputer.fit_transform(frame)
    assert filled.columns.tolist() == ["a", "b", "c"] == imputer.feature_names_in_.tolist()
    assert filled.index.equals(frame.index)
    assert imputer.mixture_.feature_names_in_.tolist() == ["a", "b", "c"]
    assert np.array_equal(filled.to_numpy(), imputer.set_output(transform="default").transform(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        imputer.transform(frame[["c", "b", "a"]])
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        imputer.get_feature_names_out(["a", "b", "d"])
    with pytest.raises(ValueError, match="output config must be in"):
        imputer.set_output(transform="arrow").transform(frame)  # type: ignore[arg-type]


def test_scikit_learns_configuration_chooses_frames_too(holes: FloatArray) -> None:
    sklearn = pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    with sklearn.config_context(transform_output="pandas"):
        filled = GaussianMixtureImputer().fit_transform(holes)
    assert filled.columns.tolist() == ["x0", "x1", "x2"]


def test_a_frame_without_values_in_a_column_is_told_by_its_name() -> None:
    pandas = pytest.importorskip("pandas")
    imputer = GaussianMixtureImputer().set_output(transform="pandas")
    with pytest.warns(UserWarning, match=r"values: \['b'\]\. At least"):
        filled = imputer.fit_transform(pandas.DataFrame({"a": [1.0, 2.0, None], "b": [None, None, None]}))
    assert filled["a"].tolist() == [1.0, 2.0, 1.5]


@pytest.mark.parametrize(
    "options",
    [{"sample_posterior": 1}, {"add_indicator": "no"}, {"keep_empty_features": None}, {"random_state": -1}],
    ids=lambda options: next(iter(options)),
)
def test_parameters_are_checked_by_a_fit(holes: FloatArray, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"The '{next(iter(options))}' parameter of GaussianMixtureImputer must be"):
        GaussianMixtureImputer(**options).fit(holes)


def test_the_seed_of_draws_is_checked(holes: FloatArray) -> None:
    with pytest.raises(ValueError, match="The 'random_state' parameter of impute must be an int in the range"):
        GaussianMixture().fit(holes).impute(holes, n_draws=2, random_state=1.5)


def test_clone_and_a_pipeline_with_a_classifier(holes: FloatArray) -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    kinds = np.repeat([0, 1], 80)
    pipeline = make_pipeline(GaussianMixtureImputer(two_components()), LogisticRegression())
    twin = clone(pipeline)
    assert twin[0].mixture is not pipeline[0].mixture
    assert repr(twin) == repr(pipeline)
    assert twin.fit(holes, kinds).score(holes, kinds) > 0.95
    assert not hasattr(pipeline[0], "mixture_")


def test_searches_over_components_and_over_priors(holes: FloatArray) -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    from fastgmm import Prior

    shuffled = np.random.RandomState(0).permutation(len(holes))
    steps = [("holes", GaussianMixtureImputer(two_components())), ("classifier", LogisticRegression())]
    search = GridSearchCV(Pipeline(steps), {"holes__mixture__n_components": [1, 2]}, cv=2)
    search.fit(holes[shuffled], np.repeat([0, 1], 80)[shuffled])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    priors = [None, "default", Prior(weight_concentration=2.0)]
    search = GridSearchCV(GaussianMixture(2, random_state=0, reg_covar=1e-6), {"prior": priors}, cv=2)
    search.fit(holes[shuffled])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["prior"] in priors


def test_nothing_is_warned_of_where_nothing_is_wrong(holes: FloatArray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixtureImputer(two_components()).fit(holes).transform(holes)


def test_metadata_goes_past_it_to_the_classifier(holes: FloatArray) -> None:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    kinds, weights = np.repeat([0, 1], 80), np.repeat([1.0, 0.5], 80)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(GaussianMixtureImputer(), classifier).fit(holes, kinds, sample_weight=weights)
    assert pipeline.score(holes, kinds) > 0.9
    assert "GaussianMixtureImputer" in pipeline[0]._repr_html_()
