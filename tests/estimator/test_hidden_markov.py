"""``GaussianHMM``: hmmlearn's numbers and interface, scikit-learn's conventions, and this package's promises."""

import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianHMM, GaussianMixture
from fastgmm.errors import ConvergenceWarning, ModelFormatError, NotFittedError
from fastgmm.families import FOUR
from fastgmm.kernels import available_backends
from fastgmm.parameters import FloatArray, IntArray
from tests import hmmlearn_reference as reference
from tests.chains import draw_sequences

BACKENDS = [name for name, state in available_backends().items() if state == "available"]
ARRAYS = ("startprob_", "transmat_", "means_", "covariances_")


def started(family: str, **options: Any) -> GaussianHMM:
    hmm = GaussianHMM(3, family, init_params="", reg_covar=0, tol=0, max_iter=reference.N_ITERATIONS, **options)
    for name, value in reference.start(family).items():
        setattr(hmm, name, value)
    return hmm


def fitted(hmm: GaussianHMM, X: Any, lengths: Any = None) -> GaussianHMM:
    """Whether it has converged or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return hmm.fit(X, lengths)


@pytest.fixture
def sequences(rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    return draw_sequences(rng)


# hmmlearn's numbers


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", reference.FAMILIES)
def test_likelihoods_parameters_and_answers_are_those_of_hmmlearn(family: str, backend: str) -> None:
    right = json.loads(reference.REFERENCE.read_text(encoding="utf-8"))[family]
    X, lengths = reference.problem()
    hmm = fitted(started(family, backend=backend), X, lengths)
    near = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(hmm.monitor_.history, right["history"], **near)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(hmm, name), right[name], **near)
    np.testing.assert_allclose(hmm.score(X, lengths), right["score"], **near)
    log_probability, states = hmm.decode(X, lengths)
    np.testing.assert_allclose(log_probability, right["log_probability"], **near)
    assert states.tolist() == right["states"] == hmm.predict(X, lengths).tolist()
    np.testing.assert_allclose(hmm.decode(X, lengths, algorithm="map")[0], right["right_states"], **near)
    total, posteriors = hmm.score_samples(X, lengths)
    assert total == hmm.score(X, lengths)
    np.testing.assert_allclose(posteriors[38:44], right["posteriors_of_some"], **near)
    assert np.array_equal(posteriors, hmm.predict_proba(X, lengths))
    np.testing.assert_allclose([hmm.aic(X, lengths), hmm.bic(X, lengths)], [right["aic"], right["bic"]], **near)
    np.testing.assert_allclose(hmm.get_stationary_distribution(), right["stationary"], **near)


def test_hmmlearn_itself_finds_the_same(sequences: tuple[FloatArray, IntArray]) -> None:
    theirs = pytest.importorskip("hmmlearn.hmm").GaussianHMM
    X, lengths = sequences
    options = {"covars_prior": 0, "min_covar": 0, "tol": 0, "n_iter": reference.N_ITERATIONS}
    right = theirs(3, "diag", init_params="", **options)
    for name, value in reference.start("diag").items():
        setattr(right, name, value)
    right.fit(X, lengths)
    ours = fitted(started("diag"), X, lengths)
    np.testing.assert_allclose(ours.monitor_.history, list(right.monitor_.history), rtol=1e-10)
    np.testing.assert_allclose(ours.transmat_, right.transmat_, atol=1e-9)
    np.testing.assert_allclose(ours.covars_, right.covars_, atol=1e-9)


# hmmlearn's interface


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([100, 20], "sum to 126"),
        ([126, 0], "positive"),
        ([63.0, 63.0], "whole numbers"),
        ([], "whole numbers"),
        ([[126]], "one for each sequence"),
        (126, "one for each sequence"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(sequences: tuple[FloatArray, IntArray], lengths: Any, words: str) -> None:
    X, right = sequences
    with pytest.raises(ValueError, match=words):
        GaussianHMM(2).fit(X, lengths)
    hmm = GaussianHMM(2, random_state=0).fit(X, right)
    for method in (hmm.score, hmm.predict, hmm.decode, hmm.predict_proba, hmm.score_samples, hmm.bic, hmm.aic):
        with pytest.raises(ValueError, match=words):
            method(X, lengths)


def test_what_init_params_leaves_out_must_be_there(sequences: tuple[FloatArray, IntArray]) -> None:
    with pytest.raises(ValueError, match="leaves transmat_ to you"):
        GaussianHMM(3, init_params="smc").fit(*sequences)


@pytest.mark.parametrize("letter", "stmc")
def test_what_params_leaves_out_stays_to_the_bit(letter: str, sequences: tuple[FloatArray, IntArray]) -> None:
    hmm = started("full", params="stmc".replace(letter, ""))
    fitted(hmm, *sequences)
    before = reference.start("full") | {"covariances_": reference.start("full")["covars_"]}
    for name, each in zip(ARRAYS, "stmc", strict=True):
        assert np.array_equal(getattr(hmm, name), before[name]) == (each == letter)
    assert (np.diff(hmm.lower_bounds_) > -1e-12).all()


def test_a_fit_goes_on_from_what_an_earlier_one_left(sequences: tuple[FloatArray, IntArray]) -> None:
    at_once = fitted(GaussianHMM(3, random_state=0, tol=0, max_iter=8), *sequences)
    hmm = fitted(GaussianHMM(3, random_state=0, tol=0, max_iter=3), *sequences)
    fitted(hmm.set_params(init_params="", max_iter=5), *sequences)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(hmm, name), getattr(at_once, name), rtol=1e-12)


def test_covars_are_matrices_and_set_as_the_family_has_them() -> None:
    for family in FOUR:
        hmm = started(family)
        assert np.array_equal(hmm.covars_, np.array([np.eye(2)] * 3))
        assert np.array_equal(hmm.covariances_, reference.start(family)["covars_"])


def test_parameters_set_by_hand_score(sequences: tuple[FloatArray, IntArray]) -> None:
    hmm = started("diag")
    before = hmm.score(*sequences)
    hmm.means_ = hmm.means_ + 10.0
    assert hmm.score(*sequences) < before
    hmm.transmat_ = np.full((3, 3), 0.5)
    with pytest.raises(ValueError, match="transmat_ must not be negative, and sum to 1"):
        hmm.score(*sequences)
    hmm.transmat_ = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match="shape"):
        hmm.score(*sequences)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"params": "xyz"}, "letters"),
        ({"algorithm": "best"}, "algorithm"),
        ({"covariance_type": "round"}, "covariance_type"),
        ({"transmat_prior": 0.5}, "from 1"),
        ({"startprob_prior": [1.0, 1.0, 1.0]}, "shape"),
        ({"tol": -1.0}, "tol"),
        ({"n_components": 0}, "n_components"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GaussianHMM(**{"n_components": 2, **options}).fit(np.arange(20.0).reshape(10, 2))


def test_names_of_hmmlearn_get_advice() -> None:
    with pytest.raises(TypeError, match="Did you mean 'max_iter'"):
        GaussianHMM(n_iter=10)
    with pytest.raises(TypeError, match="Did you mean 'reg_covar'"):
        GaussianHMM(min_covar=1e-3)


def test_a_drawn_sequence_follows_the_chain(sequences: tuple[FloatArray, IntArray]) -> None:
    hmm = started("full")
    X, states = hmm.sample(20_000, random_state=0)
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (states[:-1], states[1:]), 1)
    np.testing.assert_allclose(pairs / pairs.sum(axis=1, keepdims=True), hmm.transmat_, atol=0.02)
    np.testing.assert_allclose(np.bincount(states) / 20_000, hmm.get_stationary_distribution(), atol=0.02)
    for k in range(3):
        np.testing.assert_allclose(X[states == k].mean(axis=0), hmm.means_[k], atol=0.05)
    assert np.array_equal(hmm.sample(5, random_state=1)[0], hmm.sample(5, random_state=1)[0])
    hmm.transmat_ = np.eye(3)
    assert hmm.sample(4, currstate=2)[1].tolist() == [2, 2, 2, 2]
    with pytest.raises(ValueError, match="currstate"):
        hmm.sample(4, currstate=3)


def test_a_long_sequence_gives_its_chain_back() -> None:
    true = started("diag")
    true.means_ = 4.0 * true.means_
    X, states = true.sample(5000, random_state=0)
    hmm = GaussianHMM(3, random_state=0).fit(X)
    order = np.argmin(np.square(hmm.means_[:, np.newaxis] - true.means_).sum(axis=2), axis=0)
    np.testing.assert_allclose(hmm.transmat_[np.ix_(order, order)], true.transmat_, atol=0.06)
    assert np.mean(order[states] == hmm.predict(X)) > 0.85


# This package's promises


@pytest.mark.parametrize("family", FOUR)
def test_one_state_is_one_gaussian(family: str, sequences: tuple[FloatArray, IntArray]) -> None:
    X, lengths = sequences
    hmm, gaussian = GaussianHMM(1, family).fit(X, lengths), GaussianMixture(1, covariance_type=family).fit(X)
    np.testing.assert_allclose(hmm.covariances_, gaussian.covariances_, rtol=1e-10)
    assert hmm.score(X, lengths) == pytest.approx(len(X) * gaussian.score(X), rel=1e-10)
    assert hmm.bic(X, lengths) == pytest.approx(gaussian.bic(X), rel=1e-10)


@pytest.mark.parametrize("family", FOUR)
def test_threads_change_no_bit(family: str, rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng, lengths=(900, 1, 800, 700, 300, 50))
    one, many = (fitted(GaussianHMM(3, family, random_state=0, max_iter=5, n_threads=n), X, lengths) for n in (1, 64))
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(many, name))
    assert one.lower_bounds_ == many.lower_bounds_
    assert np.array_equal(one.predict_proba(X, lengths), many.predict_proba(X, lengths))


def test_rows_far_from_zero_keep_their_digits(sequences: tuple[FloatArray, IntArray]) -> None:
    X, lengths = sequences
    near = fitted(GaussianHMM(3, "full", random_state=0, max_iter=10), X, lengths)
    far = fitted(GaussianHMM(3, "full", random_state=0, max_iter=10), np.round(X, 6) + 2.0**26, lengths)
    np.testing.assert_allclose(far.covariances_, near.covariances_, atol=1e-4)
    np.testing.assert_allclose(far.transmat_, near.transmat_, atol=1e-4)
    shown = []
    fitted(GaussianHMM(3, random_state=0, max_iter=1, callbacks=[shown.append]), X + 2.0**26, lengths)
    assert shown[0].parameters.means.min() > 1e7


def test_float32_stays_and_finds_the_same(sequences: tuple[FloatArray, IntArray]) -> None:
    X, lengths = sequences
    double = fitted(GaussianHMM(3, random_state=0, max_iter=5), X, lengths)
    single = fitted(GaussianHMM(3, random_state=0, max_iter=5), X.astype(np.float32), lengths)
    np.testing.assert_allclose(single.transmat_, double.transmat_, atol=1e-3)
    assert single.means_.dtype == np.float64
    assert single.predict_proba(X.astype(np.float32), lengths) == pytest.approx(
        single.predict_proba(X, lengths), abs=1e-4
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FOUR)
def test_missing_values_are_averaged_over(family: str, backend: str, sequences: tuple[FloatArray, IntArray]) -> None:
    X, lengths = sequences
    X[::5, 0] = np.nan
    X[7] = np.nan
    hmm = fitted(GaussianHMM(3, family, random_state=0, backend=backend, max_iter=20), X, lengths)
    assert hmm.n_missing_ == 28
    assert (np.diff(hmm.lower_bounds_) > -1e-6).all()
    assert np.isfinite(hmm.predict_proba(X, lengths)).all()
    filled = X.copy()
    filled[7] = X[6]  # it says nothing, so that its neighbors decide
    assert hmm.score(X, lengths) != hmm.score(filled, lengths)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was(sequences: tuple[FloatArray, IntArray]) -> None:
    hmm = GaussianHMM(2, random_state=0).fit(*sequences)
    before = dict(vars(hmm))

    def stop(step: object) -> None:
        raise KeyboardInterrupt

    hmm.callbacks = [stop]
    with pytest.raises(KeyboardInterrupt):
        hmm.fit(*sequences)
    assert vars(hmm) | {"callbacks": None} == before


def test_a_deadline_and_a_callback_end_a_fit(sequences: tuple[FloatArray, IntArray]) -> None:
    def stop(step: object) -> None:
        raise StopIteration

    assert GaussianHMM(2, random_state=0, callbacks=[stop]).fit(*sequences).stop_reason_ == "callback"
    assert GaussianHMM(2, random_state=0, deadline=1e-9).fit(*sequences).stop_reason_ == "deadline"


def test_what_does_not_converge_warns(sequences: tuple[FloatArray, IntArray]) -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        GaussianHMM(3, random_state=0, tol=0, max_iter=2).fit(*sequences)


@pytest.mark.prints
def test_verbose_prints_iterations(sequences: tuple[FloatArray, IntArray], capsys: pytest.CaptureFixture[str]) -> None:
    GaussianHMM(2, random_state=0, verbose=1, verbose_interval=1).fit(*sequences)
    assert "Iteration 1" in capsys.readouterr().out


# Files, pickles, copies


def test_a_file_brings_all_of_it_back(sequences: tuple[FloatArray, IntArray], tmp_path: Path) -> None:
    options = {"transmat_prior": [[2.0, 1.0], [1.0, 2.0]], "algorithm": "map", "tol": 1e-3}
    hmm = GaussianHMM(2, "tied", random_state=0, **options).fit(*sequences)
    hmm.save(tmp_path / "model.npz")
    back = GaussianHMM.load(tmp_path / "model.npz")
    assert back.get_params() == hmm.get_params()
    for name in (*ARRAYS, "n_iter_", "lower_bounds_", "converged_"):
        assert np.array_equal(getattr(back, name), getattr(hmm, name))
    assert back.score(*sequences) == hmm.score(*sequences)
    assert np.array_equal(back.predict(*sequences), hmm.predict(*sequences))


def test_other_files_are_refused(sequences: tuple[FloatArray, IntArray], tmp_path: Path) -> None:
    GaussianMixture(2, random_state=0).fit(sequences[0]).save(tmp_path / "mixture.npz")
    with pytest.raises(ModelFormatError, match="not a fastgmm chain"):
        GaussianHMM.load(tmp_path / "mixture.npz")
    hmm = GaussianHMM(2, random_state=0).fit(*sequences)
    hmm.save(tmp_path / "model.npz")
    content = bytearray((tmp_path / "model.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.npz").write_bytes(content)
    with pytest.raises(ModelFormatError):
        GaussianHMM.load(tmp_path / "damaged.npz")
    with pytest.raises(NotFittedError):
        GaussianHMM(2).save(tmp_path / "none.npz")


def test_pickles_and_copies_score_the_same(sequences: tuple[FloatArray, IntArray]) -> None:
    hmm = GaussianHMM(2, random_state=0).fit(*sequences)
    for twin in (pickle.loads(pickle.dumps(hmm)), copy.deepcopy(hmm), copy.copy(hmm)):
        assert twin.score(*sequences) == hmm.score(*sequences)
        assert repr(twin) == repr(hmm)


# scikit-learn's conventions


class WithoutTargets(GaussianHMM):
    """scikit-learn hands targets over where hmmlearn has lengths."""

    def fit(self, X: Any, y: object = None) -> Any:  # type: ignore[override]
        return super().fit(X)

    def score(self, X: Any, y: object = None) -> float:  # type: ignore[override]
        return super().score(X)


@pytest.mark.filterwarnings("ignore")  # what the checks provoke is their own business
def test_check_estimator_passes_but_for_what_sequences_are_about() -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")

    results = checks.check_estimator(WithoutTargets(), on_skip=None, on_fail=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    # What a step's state is depends on the others.
    assert failed == {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}
    assert sum(result["status"] == "passed" for result in results) > 30


def test_names_of_columns_are_kept_and_checked(sequences: tuple[FloatArray, IntArray]) -> None:
    pandas = pytest.importorskip("pandas")
    X, lengths = sequences
    hmm = GaussianHMM(2, random_state=0).fit(pandas.DataFrame(X, columns=["a", "b"]), lengths)
    assert hmm.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        hmm.predict(pandas.DataFrame(X, columns=["b", "a"]), lengths)
    with pytest.raises(NotFittedError):
        GaussianHMM().predict(X)


@pytest.mark.parametrize(("name", "words"), [("factor", "takes no factor analyzers"), ("E", "a single feature")])
def test_families_that_are_not_for_these_emissions_are_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GaussianHMM(2, name, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 2)))
