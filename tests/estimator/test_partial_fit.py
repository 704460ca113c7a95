"""``partial_fit``: what it makes of batches, what it continues, and what it leaves where it fails."""

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, Prior
from fastgmm.errors import DegenerateComponentError, FastGMMError
from fastgmm.families import FAMILIES, FOUR
from fastgmm.fit.options import InvalidParameterError
from fastgmm.parameters import FloatArray
from tests.problems import assert_close, draw_problem, same_bits

ARRAYS = ("weights_", "means_", "covariances_", "precisions_cholesky_")
FAR = 2.0**27


@pytest.fixture(params=FOUR)
def covariance_type(request: pytest.FixtureRequest) -> str:
    return request.param


def started(covariance_type: str, **options: Any) -> tuple[GaussianMixture, FloatArray, FloatArray]:
    """A mixture whose start is given, rows and their weights."""
    problem = draw_problem(covariance_type, 300, 3, 4, weighted=True)
    p = problem.parameters
    roots = FAMILIES[covariance_type].precisions_cholesky(p.covariances)
    start = {"weights_init": p.weights, "means_init": p.means, "random_state": 0, "reg_covar": 1e-3}
    start["precisions_init"] = FAMILIES[covariance_type].precisions(roots)
    assert problem.weights is not None
    gm = GaussianMixture(4, covariance_type=covariance_type, **(start | options))
    return gm, problem.values, problem.weights


def clusters(n_rows: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    return centers[rng.integers(3, size=n_rows)] + rng.normal(size=(n_rows, 2))


def arrays_of(gm: GaussianMixture) -> list[FloatArray]:
    return [getattr(gm, name) for name in ARRAYS]


def assert_close_models(one: GaussianMixture, other: GaussianMixture, tolerance: float) -> None:
    for a, b in zip(arrays_of(one), arrays_of(other), strict=True):
        assert_close(a, b, tolerance)


# --- steps -----------------------------------------------------------------------------------------------------------


def test_the_first_batch_is_a_fit_of_one_iteration(covariance_type: str) -> None:
    X = clusters(500)
    options = {"covariance_type": covariance_type, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = GaussianMixture(3, max_iter=1, **options).fit(X)
    found = GaussianMixture(3, **options).partial_fit(X)
    assert_close_models(found, expected, 1e-13)
    assert found.lower_bound_ == pytest.approx(expected.lower_bound_, rel=1e-13)
    assert found.n_iter_ == expected.n_iter_ == 1


PRIOR = Prior(mean_precision=20.0, mean=[0.5, 0.0, 0.0], weight_concentration=30.0)
HOW = {
    "likelihood": {},
    "prior": {"prior": PRIOR},
    "fixed": {"fixed": {"weights": [0], "means": [1, 2]}},
    "both": {"prior": PRIOR, "fixed": ("covariances",)},
    "other shares": {"learning_decay": 0.9, "learning_offset": 5.0},
}


@pytest.mark.parametrize("shift", [0.0, FAR], ids=["here", "far"])
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("how", HOW)
def test_steps_are_those_of_moments_that_are_scaled_and_added_by_hand(
    covariance_type: str, how: str, holes: bool, shift: float
) -> None:
    """A prior counts beside the rows of all batches, as though they weighed what they do."""
    if shift and "prior" in HOW[how]:
        return  # which is about other means
    gm, X, weights = started(covariance_type, **HOW[how])
    if holes:
        X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
        X[7] = np.nan
    X = np.round(X * 2**20) / 2**20 + shift
    gm.means_init = gm.means_init + shift
    covariances = FAMILIES[covariance_type].covariances_of_precisions(gm.precisions_init)
    by_hand = GaussianMixture.from_parameters(gm.weights_init, gm.means_init, covariances, covariance_type)
    by_hand.set_params(**gm.get_params())
    known, total = None, 0.0
    for t, part in enumerate(np.split(np.arange(300), [100, 200])):
        own = by_hand.moments(X[part], weights[part])
        share = 1.0 if known is None else (t - 1 + gm.learning_offset) ** -gm.learning_decay
        if known is not None:
            share *= min(1.0, own.total_weight * t / total)
        total += own.total_weight
        own = own.scaled(share / own.total_weight)
        known = own if known is None else known.recentred(by_hand.means_).scaled(1.0 - share) + own
        by_hand = by_hand.maximized(known.scaled(total))
        gm.partial_fit(X[part], sample_weight=weights[part])
        assert_close_models(gm, by_hand, 1e-11 if not shift else 1e-7)
        assert gm.lower_bound_ == pytest.approx(by_hand.lower_bound_, rel=1e-12 if not shift else 1e-7)
        assert gm.n_fixed_parameters_ == by_hand.n_fixed_parameters_


def test_far_from_zero_covariances_are_what_they_are_here(covariance_type: str) -> None:
    here, X, _ = started(covariance_type)
    X = np.round(X * 2**20) / 2**20
    here.means_init = np.round(here.means_init * 2**20) / 2**20
    there = copy.copy(here).set_params(means_init=here.means_init + FAR)
    for part in np.split(X, 10):
        here.partial_fit(part), there.partial_fit(part + FAR)
    assert_close(there.covariances_, here.covariances_, 1e-12)
    assert_close(there.weights_, here.weights_, 1e-12)
    assert_close(there.means_ - FAR, here.means_, 2.0**-25)


def test_a_fixed_mean_is_shown_as_it_was_given(covariance_type: str) -> None:
    gm, X, _ = started(covariance_type, fixed={"means": [1]})
    gm.means_init = gm.means_init + FAR
    gm.means_init[1] = [1 / 3, 1 / 7, 0.1]
    for part in np.split(X + FAR, 3):
        gm.partial_fit(part)
    assert np.array_equal(gm.means_[1], gm.means_init[1])


def test_the_default_prior_and_a_relative_regularization_are_those_of_the_first_batch(covariance_type: str) -> None:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0, prior="default", reg_covar="relative")
    gm.partial_fit(clusters(500))
    prior = gm.prior_
    gm.partial_fit(100.0 * clusters(500, 1))
    assert prior is not None
    assert same_bits(gm.prior_.covariance, prior.covariance)
    assert same_bits(
        gm._stream["regularization"],
        GaussianMixture(3, reg_covar="relative").partial_fit(clusters(500))._stream["regularization"],
    )


@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_batches_may_be_small_after_the_first(covariance_type: str, n_rows: int) -> None:
    X = clusters(2000)
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0).partial_fit(X[:500])
    before = gm.score(X)
    for begin in range(500, 500 + 60 * n_rows, n_rows):
        gm.partial_fit(X[begin : begin + n_rows])
    assert gm.score(X) > before - 0.02
    assert gm.n_iter_ == 61


def test_a_few_rows_at_the_end_hardly_move_the_model(covariance_type: str) -> None:
    X = clusters(20_020)
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    for begin in range(0, 20_000, 1000):
        gm.partial_fit(X[begin : begin + 1000])
    before = gm.score(X)
    assert gm.partial_fit(X[20_000:]).score(X) == pytest.approx(before, abs=1e-4)


# --- what it says and keeps ------------------------------------------------------------------------------------------


def test_it_says_what_it_knows_of_its_steps(covariance_type: str) -> None:
    X = clusters(600)
    X[500:510, 0] = np.nan
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    assert gm.partial_fit(X[:300]) is gm
    assert gm.n_missing_ == 0
    gm.partial_fit(X[300:])
    assert (gm.n_iter_, gm.converged_, gm.stop_reason_, gm.history_) == (2, False, None, ())
    assert gm.lower_bounds_ == [gm.lower_bound_]
    assert (gm.n_missing_, gm.n_features_in_, gm.degenerate_components_) == (10, 2, ())
    assert not any(array.flags.writeable for array in arrays_of(gm))
    assert np.isfinite(gm.score(X))


def test_the_estimator_does_not_grow_with_the_batches(covariance_type: str) -> None:
    gm, sizes = GaussianMixture(3, covariance_type=covariance_type, random_state=0), []
    for seed in range(30):
        sizes.append(len(pickle.dumps(gm.partial_fit(clusters(200 * (1 + seed % 2), seed)))))
    assert max(sizes[1:]) - min(sizes[1:]) <= 32  # digits of numbers


@pytest.mark.parametrize("how", ["pickle", "copy", "deepcopy"])
def test_copies_go_on_as_the_original_does(covariance_type: str, how: str) -> None:
    copies = {"pickle": lambda gm: pickle.loads(pickle.dumps(gm)), "copy": copy.copy, "deepcopy": copy.deepcopy}
    X = np.where(np.random.default_rng(1).random((600, 2)) < 0.1, np.nan, clusters(600))
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0, prior="default").partial_fit(X[:200])
    gm.partial_fit(X[200:400])
    other = copies[how](gm)
    before = [array.copy() for array in arrays_of(gm)]
    other.partial_fit(X[400:])
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays_of(gm), strict=True))
    assert same_bits(gm.partial_fit(X[400:]).covariances_, other.covariances_)
    assert gm.lower_bound_ == other.lower_bound_


def test_threads_change_no_bit(covariance_type: str) -> None:
    one, many = (GaussianMixture(3, covariance_type=covariance_type, random_state=0, n_threads=n) for n in (1, 3))
    for seed in range(3):
        one.partial_fit(clusters(3000, seed)), many.partial_fit(clusters(3000, seed))
    assert all(np.array_equal(a, b) for a, b in zip(arrays_of(one), arrays_of(many), strict=True))


def test_a_clone_begins_anew() -> None:
    clone = pytest.importorskip("sklearn.base").clone
    gm = GaussianMixture(3, random_state=0).partial_fit(clusters(500)).partial_fit(clusters(500, 1))
    twin = clone(gm)
    assert not hasattr(twin, "means_")
    assert twin.partial_fit(clusters(500)).n_iter_ == 1


def test_a_model_file_has_the_model_and_its_steps_but_not_the_moments(covariance_type: str, tmp_path: Path) -> None:
    """Those of the model stand for them, and are the same but for holes and priors."""
    options = {"covariance_type": covariance_type, "random_state": 0, "learning_decay": 0.9, "learning_offset": 3.0}
    gm = GaussianMixture(3, **options)
    for seed in range(4):
        gm.partial_fit(clusters(300, seed))
    gm.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    assert (loaded.n_iter_, loaded.learning_decay, loaded.learning_offset) == (4, 0.9, 3.0)
    assert_close_models(loaded.partial_fit(clusters(300, 9)), gm.partial_fit(clusters(300, 9)), 1e-12)
    assert loaded.n_iter_ == 5


def test_unsound_moments_out_of_a_pickle_are_not_used(covariance_type: str) -> None:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0).partial_fit(clusters(300))
    kept, expected = gm._stream, copy.copy(gm)
    del expected.__dict__["_stream"]
    expected.partial_fit(clusters(300, 1))
    for unsound in (
        {"origin": np.zeros(5)},
        {"regularization": np.zeros(1)},
        {"moments": GaussianMixture(2).fit(clusters(50)).moments(clusters(50))},
    ):
        damaged = copy.copy(gm)
        damaged.__dict__["_stream"] = kept | unsound
        assert_close_models(pickle.loads(pickle.dumps(damaged)).partial_fit(clusters(300, 1)), expected, 1e-12)


# --- what it continues -----------------------------------------------------------------------------------------------


def test_it_goes_on_from_a_fit(covariance_type: str) -> None:
    X = clusters(5000)
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0, tol=1e-8).fit(X)
    score, n_iter = gm.score(X), gm.n_iter_
    gm.set_params(learning_offset=1000.0).partial_fit(clusters(500, 1))
    assert gm.n_iter_ == n_iter + 1
    assert 0.0 < score - gm.score(X) < 1e-4


@pytest.mark.parametrize("n_rows", [1, 500])
def test_it_goes_on_from_parameters_that_were_given(covariance_type: str, n_rows: int) -> None:
    given = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(clusters(2000))
    arrays = given.weights_, given.means_, given.covariances_
    gm = GaussianMixture.from_parameters(*arrays, covariance_type, learning_offset=100.0)
    gm.partial_fit(clusters(n_rows, 1))
    assert_close(gm.means_, given.means_, 0.05)
    assert not np.array_equal(gm.means_, given.means_)


@pytest.mark.parametrize("name", ["weights_", "means_", "covariances_"])
def test_parameters_that_are_set_by_hand_between_batches_count(covariance_type: str, name: str) -> None:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    for seed in range(4):
        gm.partial_fit(clusters(500, seed))
    others = {
        "weights_": np.array([0.8, 0.1, 0.1]),
        "means_": gm.means_[::-1].copy(),
        "covariances_": 9 * gm.covariances_,
    }
    by_hand = copy.copy(gm)
    setattr(by_hand, name, others[name])
    arrays = by_hand.weights_, by_hand.means_, by_hand.covariances_
    fresh = GaussianMixture.from_parameters(*arrays, covariance_type)
    fresh.n_iter_ = 4
    assert_close_models(by_hand.partial_fit(clusters(10, 9)), fresh.partial_fit(clusters(10, 9)), 1e-13)


def test_a_fit_after_it_starts_anew_and_keeps_nothing(covariance_type: str) -> None:
    X = clusters(500)
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0).partial_fit(10.0 + clusters(500, 1))
    expected = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    assert same_bits(gm.fit(X).covariances_, expected.covariances_)
    assert vars(gm).keys() == vars(expected).keys()


def test_a_warm_start_goes_on_from_it_and_is_not_content_at_once(covariance_type: str) -> None:
    """The bound of the batches may come near to that of all rows, which is no sign that a fit has settled."""
    X = clusters(3000)
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0, warm_start=True, tol=0.1)
    for part in np.split(X, 6):
        gm.partial_fit(part)
    before = gm.score(X)
    assert gm.fit(X).n_iter_ == 2
    assert gm.score(X) > before


@pytest.mark.parametrize("changed", [{"n_components": 4}, {"covariance_type": "other"}], ids=str)
def test_another_shape_than_before_is_refused(covariance_type: str, changed: dict[str, Any]) -> None:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0).partial_fit(clusters(500))
    if "covariance_type" in changed:
        changed = {"covariance_type": "diag" if covariance_type != "diag" else "full"}
    (name,) = changed
    with pytest.raises(ValueError, match=f"partial_fit continues the last one, whose {name} is"):
        gm.set_params(**changed).partial_fit(clusters(500))


# --- errors ----------------------------------------------------------------------------------------------------------


def test_rows_and_weights_are_checked_as_in_fits() -> None:
    gm, X = GaussianMixture(3, random_state=0), clusters(50)
    for call in (GaussianMixture.fit, GaussianMixture.partial_fit):
        with pytest.raises(ValueError, match=r"Expected n_samples >= n_components but got n_components = 3, n_samples"):
            call(gm, X[:2])
        with pytest.raises(ValueError, match="Found array with 1 sample"):
            call(gm, X[:1])
        with pytest.raises(ValueError, match="Feature 1 has no observed value"):
            call(gm, np.where([False, True], np.nan, X))
        with pytest.raises(ValueError, match="contains infinity"):
            call(gm, np.where([False, True], np.inf, X))
        with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
            call(gm, X, sample_weight=-np.ones(50))
        with pytest.warns(UserWarning, match="y is ignored") as caught:
            call(copy.copy(gm), X, np.linspace(0.1, 1.0, 50))
        assert caught[0].filename == __file__
    assert not hasattr(gm, "means_")


def test_later_rows_are_checked_too() -> None:
    gm = GaussianMixture(3, random_state=0).partial_fit(clusters(50))
    with pytest.raises(ValueError, match="X has 1 features, but GaussianMixture is expecting 2"):
        gm.partial_fit(clusters(50)[:, :1])
    with pytest.raises(ValueError, match="contains infinity"):
        gm.partial_fit([[np.inf, 0.0]])
    with pytest.raises(ValueError, match=r"^All rows of X are without any observed value\.$"):
        gm.partial_fit([[np.nan, np.nan]])
    with pytest.raises(ValueError, match=r"of positive sample_weight are without any observed value\.$"):
        gm.partial_fit([[np.nan, np.nan], [0.0, 0.0]], sample_weight=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(2,\)"):
        gm.partial_fit([[0.0, 0.0]], sample_weight=[1.0, 2.0])
    assert gm.n_iter_ == 1


@pytest.mark.parametrize(
    "options",
    [{"assignment": "hard"}, {"assignment": "stochastic"}, {"annealing": 0.5}],
    ids=str,
)
def test_what_is_no_matter_of_batches_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(
        InvalidParameterError, match=f"The '{name}' parameter of GaussianMixture must be .* for partial"
    ):
        GaussianMixture(3, **options).partial_fit(clusters(50))


@pytest.mark.parametrize(
    ("name", "value"), [("learning_decay", 1.1), ("learning_decay", -0.1), ("learning_offset", 0.5)]
)
def test_shares_that_are_none_are_refused_by_every_call(name: str, value: float) -> None:
    for call in (GaussianMixture.fit, GaussianMixture.partial_fit):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of GaussianMixture must be a float"):
            call(GaussianMixture(3, **{name: value}), clusters(50))


def test_a_covariance_without_a_factor_is_explained_and_changes_nothing() -> None:
    gm = GaussianMixture(1, reg_covar=0.0, learning_offset=1.0)
    gm.partial_fit([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    before = dict(vars(gm))
    with pytest.raises(DegenerateComponentError, match=r"Component 0 has 8 effective points.*constant column 1"):
        gm.partial_fit(np.column_stack([np.arange(8.0), np.full(8, 3.0)]))
    assert vars(gm) == before


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_after_any_exception_it_is_what_it_was(is_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*arguments: object, **named: object) -> None:
        raise Interrupted

    gm = GaussianMixture(3, random_state=0)
    if not is_first:
        gm.partial_fit(clusters(500))
    before = dict(vars(gm))
    for place in (
        "fastgmm.fit.stepwise.iterate_after",
        "fastgmm.moments.Moments.recentred",
        "fastgmm.model.scoring.make_scorer",
    ):
        with monkeypatch.context() as patched:
            patched.setattr(place, interrupt)
            with pytest.raises(Interrupted):
                gm.partial_fit(clusters(500, 1))
        assert vars(gm) == before
    assert np.isfinite(gm.partial_fit(clusters(500, 1)).lower_bound_)


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_in_any_unit_make_a_sound_model_or_a_documented_error(
    covariance_type: str, unit: float, dtype: str
) -> None:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0, reg_covar=0.0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        try:
            for seed in range(3):
                gm.partial_fit(np.clip(clusters(100, seed) * unit, -3e38, 3e38).astype(dtype))
        except (FastGMMError, ValueError):
            return
    assert all(np.isfinite(array).all() for array in arrays_of(gm))


def test_names_of_features_are_kept_and_compared() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(clusters(50), columns=["a", "b"])
    gm = GaussianMixture(3, random_state=0).partial_fit(frame).partial_fit(frame)
    assert list(gm.feature_names_in_) == ["a", "b"]
    with pytest.raises(ValueError, match="The feature names should match"):
        gm.partial_fit(frame.rename(columns={"a": "c"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names") as caught:
        gm.partial_fit(clusters(50))
    assert caught[0].filename == __file__
    assert list(gm.feature_names_in_) == ["a", "b"]


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_of_batches_pass(covariance_type: str) -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    gm = GaussianMixture(covariance_type=covariance_type)
    checks.check_estimators_partial_fit_n_features("GaussianMixture", gm)
    checks.check_n_features_in_after_fitting("GaussianMixture", gm)
    checks.check_dataframe_column_names_consistency("GaussianMixture", gm)
