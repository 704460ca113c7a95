"""Mixtures of counts and categories: their formulas, what they take, and what they promise."""

import pickle
import signal
import tracemalloc

import numpy as np
import pytest

import fastgmm
from fastgmm import BernoulliMixture, CategoricalMixture, MultinomialMixture, PoissonMixture
from fastgmm.errors import ConvergenceWarning, ModelFormatError, NotFittedError
from tests import naive_discrete
from tests.conftest import BACKENDS

sparse = pytest.importorskip("scipy.sparse")

# Most fits here end when they have shown what they should.
pytestmark = pytest.mark.filterwarnings("ignore::fastgmm.errors.ConvergenceWarning")

MIXTURES = {
    "bernoulli": BernoulliMixture,
    "poisson": PoissonMixture,
    "multinomial": MultinomialMixture,
    "categorical": CategoricalMixture,
}
FAMILIES = list(MIXTURES)
WITH_MISSING = ["bernoulli", "poisson", "categorical"]


def rows_of(family, rng, n_rows=120, n_features=5):
    """Two kinds of rows."""
    first = np.arange(n_rows)[:, np.newaxis] < n_rows // 3
    if family == "bernoulli":
        return (rng.uniform(size=(n_rows, n_features)) < np.where(first, 0.8, 0.3)).astype(float)
    if family == "categorical":
        return np.where(first, rng.integers(0, 2, (n_rows, n_features)), rng.integers(0, 4, (n_rows, n_features))) * 1.0
    rates = np.where(first, np.arange(1.0, n_features + 1), np.arange(n_features, 0.0, -1))
    return rng.poisson(rates).astype(float)


def with_holes(X, rng):
    X = X.copy()
    X[rng.uniform(size=X.shape) < 0.15] = np.nan
    X[3] = np.nan
    return X


def means_of(mixture):
    return mixture.rates_ if isinstance(mixture, PoissonMixture) else mixture.probabilities_


def start_of(family, means):
    return {"rates_init" if family == "poisson" else "probabilities_init": means}


def oracle_of(mixture, family):
    means = means_of(mixture).tolist()
    if family == "categorical":
        ends = np.cumsum(mixture.n_categories_).tolist()
        means = [[each[a:b] for a, b in zip([0, *ends], ends, strict=False)] for each in means]
    return naive_discrete.Mixture(family, mixture.weights_.tolist(), means)


def in_lists(X):
    return [[None if np.isnan(value) else value for value in x] for x in X.tolist()]


def flat(means):
    return np.array([np.concatenate(each) if np.ndim(each[0]) else each for each in means])


CASES = [(family, False) for family in FAMILIES] + [(family, True) for family in WITH_MISSING]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize(("family", "with_missing"), CASES)
def test_densities_and_a_step_are_those_of_the_formula(family, with_missing, alpha, backend, rng):
    X = rows_of(family, rng)
    X = with_holes(X, rng) if with_missing else X
    weights = rng.integers(0, 3, len(X)).astype(float)
    options = {"alpha": alpha, "backend": backend, "random_state": 0, "tol": 0.0}
    before = MIXTURES[family](3, max_iter=3, **options)
    with pytest.warns(ConvergenceWarning):
        before.fit(X, sample_weight=weights)
    oracle, rows = oracle_of(before, family), in_lists(X)
    densities = naive_discrete.log_density(oracle, rows)
    np.testing.assert_allclose(before.score_samples(X), densities, rtol=1e-12, atol=1e-13)
    shares = naive_discrete.responsibilities(oracle, rows)
    np.testing.assert_allclose(before.predict_proba(X), shares, rtol=1e-9, atol=1e-14)
    assert before.score(X, sample_weight=weights) == pytest.approx(np.average(densities, weights=weights))
    after = MIXTURES[family](
        3, max_iter=1, weights_init=before.weights_, **start_of(family, means_of(before)), **options
    )
    with pytest.warns(ConvergenceWarning):
        after.fit(X, sample_weight=weights)
    new_weights, new_means = naive_discrete.em_step(oracle, rows, weights.tolist(), alpha)
    np.testing.assert_allclose(after.weights_, new_weights, rtol=1e-11)
    np.testing.assert_allclose(means_of(after), flat(new_means), rtol=1e-9, atol=1e-14)
    if alpha == 0:
        assert after.lower_bound_ == pytest.approx(np.average(densities, weights=weights), rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_em_makes_rise_never_falls_in_100_random_fits(family):
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rows_of(family, rng, rng.integers(8, 60), rng.integers(1, 7))
        if family in WITH_MISSING and seed % 2:
            X = with_holes(X, rng)
        alpha, method = [0.0, 0.01, 1.0][seed % 3], ["auto", "random", "random_from_data", "k-means++"][seed % 4]
        mixture = MIXTURES[family](
            int(rng.integers(1, 6)), alpha=alpha, init_params=method, random_state=seed, tol=1e-9, max_iter=300
        )
        weights = rng.uniform(size=len(X)) if seed % 5 == 0 else None
        mixture.fit(X, sample_weight=weights)
        assert not any(step.fell for step in mixture.history_)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_number_of_threads_changes_no_bit(family, backend, rng):
    X, found = rows_of(family, rng, 3000, 12), set()
    for n_threads in (1, 2, 3, 16, 64):
        options = {"backend": backend, "n_threads": n_threads, "random_state": 0, "max_iter": 4, "tol": 0.0}
        mixture = MIXTURES[family](5, **options)
        with pytest.warns(ConvergenceWarning):
            mixture.fit(X)
        arrays = mixture.weights_, means_of(mixture), np.array(mixture.lower_bounds_), mixture.predict_proba(X)
        found.add(tuple(array.tobytes() for array in arrays))
    assert len(found) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_backends_agree(family, rng):
    X = rows_of(family, rng, 900, 7)
    start = MIXTURES[family](4, max_iter=0, random_state=0).fit(X)
    fits = [
        MIXTURES[family](4, backend=backend, weights_init=start.weights_, **start_of(family, means_of(start))).fit(X)
        for backend in BACKENDS
    ]
    for other in fits[1:]:
        assert other.n_iter_ == fits[0].n_iter_
        np.testing.assert_allclose(other.lower_bounds_, fits[0].lower_bounds_, rtol=1e-12)
        np.testing.assert_allclose(means_of(other), means_of(fits[0]), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "multinomial"])
def test_rows_say_the_same_in_whatever_form_they_come(family, rng):
    X = rows_of(family, rng, 300, 9)
    fit = lambda rows: MIXTURES[family](3, random_state=0, max_iter=20, tol=1e-5).fit(rows)  # noqa: E731
    expected = fit(X)
    forms = [X.astype(np.uint8), X.astype(np.float32), np.asfortranarray(X), X.astype(int), X.tolist()]
    for container in (sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array):
        forms += [container(X), container(X.astype(np.float32)), container(X.astype(np.int64))]
    twice = sparse.coo_array((np.tile(X[X != 0] / 2, 2), tuple(np.tile(at, 2) for at in np.nonzero(X))), X.shape)
    for rows in [*forms, twice]:
        found = fit(rows)
        assert found.lower_bounds_ == expected.lower_bounds_
        assert (means_of(found) == means_of(expected)).all()
        assert (found.predict_proba(rows) == expected.predict_proba(X)).all()


def test_what_is_read_in_place_is_no_copy_and_stays_as_it_is(rng):
    X = rows_of("poisson", rng, 50, 4)
    data = [X, X.astype(np.uint8), X.astype(np.float32), X > 2]
    for values in data:
        values.flags.writeable = False
        before = values.copy()
        PoissonMixture(2, random_state=0, tol=0.1).fit(values)
        assert (values == before).all()
    matrix = sparse.csr_array(X)
    kept = matrix.copy()
    PoissonMixture(2, random_state=0, tol=0.1).fit(matrix)
    assert (matrix.data == kept.data).all()
    assert (matrix.indices == kept.indices).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_is_the_row_repeated_and_no_weight_the_row_removed(family, rng):
    X = rows_of(family, rng)
    weights = rng.integers(0, 3, len(X))
    start = MIXTURES[family](2, max_iter=0, random_state=0).fit(X)
    given = {"weights_init": start.weights_, **start_of(family, means_of(start)), "tol": 1e-6}
    if family == "categorical":
        given["n_categories"] = start.n_categories_
    one, other = MIXTURES[family](2, **given).fit(X, sample_weight=weights), MIXTURES[family](2, **given)
    other.fit(np.repeat(X, weights, axis=0))
    np.testing.assert_allclose(means_of(one), means_of(other), rtol=1e-9)
    np.testing.assert_allclose(one.lower_bound_, other.lower_bound_, rtol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_hold_rows_to_their_components(family, rng):
    X = rows_of(family, rng)
    truth = (np.arange(len(X)) >= len(X) // 3).astype(int)
    labels = np.where(np.arange(len(X)) % 4 == 0, truth, -1)
    mixture = MIXTURES[family](2, random_state=0).fit(X, labels=labels)
    assert (mixture.predict(X) == truth).mean() > 0.7
    swapped = MIXTURES[family](2, random_state=0).fit(X, labels=np.where(labels < 0, -1, 1 - labels))
    assert (swapped.predict(X) == 1 - truth).mean() > 0.7
    known = MIXTURES[family](2, random_state=0, alpha=0).fit(X, labels=truth)
    assert known.weights_[0] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="labels"):
        MIXTURES[family](2).fit(X, labels=np.full(len(X), 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_true_parameters_are_found_again(family, rng):
    truth = MIXTURES[family](2, random_state=1, alpha=0.1, init_params="random").fit(rows_of(family, rng, 400, 8))
    more = {"total": 30} if family == "multinomial" else {}
    X, labels = truth.sample(4000, **more)
    assert (np.diff(labels) >= 0).all()
    found = MIXTURES[family](2, random_state=0, alpha=0.1, n_init=3, tol=1e-6, max_iter=500).fit(X)
    assert found.score(X) >= truth.score(X)
    assert found.score(X) == pytest.approx(truth.score(X), abs=0.02)


def test_the_start_is_as_good_as_the_best_of_many_random_ones(rng):
    X = (pytest.importorskip("sklearn.datasets").load_digits().data > 8).astype(np.uint8)
    of_starts = {
        method: np.array(
            [
                BernoulliMixture(10, init_params=method, random_state=seed, tol=1e-4, max_iter=500).fit(X).lower_bound_
                for seed in range(3)
            ]
        )
        for method in ("auto", "random")
    }
    assert of_starts["auto"].mean() > of_starts["random"].mean() - 0.02
    assert of_starts["auto"].min() > of_starts["random"].max() - 0.3


def test_numbers_above_the_threshold_are_ones(rng):
    X = rng.uniform(-1.0, 1.0, (40, 3))
    for rows in (X, sparse.csr_array(np.where(X > 0, X, 0.0))):
        found = BernoulliMixture(alpha=0).fit(rows)
        np.testing.assert_allclose(found.probabilities_[0], (X > 0).mean(axis=0))
    found = BernoulliMixture(alpha=0, binarize=0.5).fit(np.where(X < -0.5, np.nan, X))
    np.testing.assert_allclose(found.probabilities_[0], (X > 0.5).sum(axis=0) / (X >= -0.5).sum(axis=0))
    with pytest.raises(ValueError, match="other numbers"):
        BernoulliMixture(binarize=None).fit(X)
    with pytest.raises(ValueError, match="binarize"):
        BernoulliMixture(binarize=-1.0).fit(sparse.csr_array(X))


@pytest.mark.parametrize(
    ("mixture", "X", "message"),
    [
        (PoissonMixture(), [[-1.0]], "Negative values in data passed to PoissonMixture"),
        (PoissonMixture(), [[np.inf]], "infinity"),
        (PoissonMixture(), sparse.csr_array([[np.inf]]), "infinity"),
        (PoissonMixture(), [1.0], "Expected 2D array"),
        (PoissonMixture(3), [[1.0], [2.0]], "n_components"),
        (PoissonMixture(alpha=-1), [[1.0]], "'alpha' parameter"),
        (PoissonMixture(2, rates_init=[[1.0]]), [[1.0], [2.0]], "shape"),
        (PoissonMixture(2, weights_init=[0.5, 0.6]), [[1.0], [2.0]], "weights_init"),
        (MultinomialMixture(), [[np.nan]], "NaN"),
        (MultinomialMixture(), sparse.csr_array([[np.nan]]), "NaN"),
        (CategoricalMixture(), [[0.5]], "whole numbers"),
        (CategoricalMixture(), [[-1]], "Negative values"),
        (CategoricalMixture(n_categories=2), [[2]], "n_categories"),
        (CategoricalMixture(n_categories=[2, 2]), [[0]], "n_categories"),
        (BernoulliMixture(1, probabilities_init=[[1.5]]), [[1.0]], "larger than 1"),
    ],
)
def test_an_error_says_what_is_wrong(mixture, X, message):
    with pytest.raises(ValueError, match=message):
        mixture.fit(X)
    assert not hasattr(mixture, "weights_")


def test_categories_are_no_sparse_matrix_and_later_ones_are_those_of_the_fit():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        CategoricalMixture().fit(sparse.csr_array([[1]]))
    mixture = CategoricalMixture().fit([[0, 2], [1, 0]])
    with pytest.raises(ValueError, match="2 categories of feature 0; got 2 in row 1"):
        mixture.predict([[0, 0], [2, 0]])
    more = CategoricalMixture(n_categories=3).fit([[0, 2], [1, 0]])
    assert more.n_categories_.tolist() == [3, 3]
    assert more.predict([[2, 1]]) == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_holds_the_model_to_the_bit(family, rng, tmp_path):
    X = rows_of(family, rng)
    mixture = MIXTURES[family](2, random_state=0, alpha=0.5).fit(X)
    mixture.save(tmp_path / "model.npz")
    loaded = MIXTURES[family].load(tmp_path / "model.npz")
    assert (loaded.score_samples(X) == mixture.score_samples(X)).all()
    assert (means_of(loaded) == means_of(mixture)).all()
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_", "stop_reason_"):
        assert getattr(loaded, name) == getattr(mixture, name)
    assert repr(loaded) == repr(mixture)
    copied = pickle.loads(pickle.dumps(mixture))
    assert (copied.score_samples(X) == mixture.score_samples(X)).all()
    other = next(each for each in MIXTURES.values() if each is not MIXTURES[family])
    with pytest.raises(ModelFormatError, match="another class"):
        other.load(tmp_path / "model.npz")
    with pytest.raises(ModelFormatError, match="not a fastgmm model"):
        fastgmm.load(tmp_path / "model.npz")


def test_a_damaged_file_is_refused(rng, tmp_path):
    path = tmp_path / "model.npz"
    CategoricalMixture(2, random_state=0).fit(rows_of("categorical", rng)).save(path)
    content = path.read_bytes()
    for place in rng.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ModelFormatError):
            CategoricalMixture.load(path)
    for length in rng.integers(0, len(content), 20):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFormatError):
            CategoricalMixture.load(path)


def test_a_fit_goes_on_where_the_last_one_stopped(rng):
    X = rows_of("bernoulli", rng)
    at_once = BernoulliMixture(3, random_state=0, tol=1e-7, max_iter=40).fit(X)
    in_parts = BernoulliMixture(3, random_state=0, tol=1e-7, max_iter=5, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        in_parts.fit(X)
    in_parts.set_params(max_iter=35).fit(X)
    assert in_parts.lower_bound_ == at_once.lower_bound_
    assert (in_parts.probabilities_ == at_once.probabilities_).all()
    with pytest.raises(ValueError, match="n_components is 3"):
        in_parts.set_params(n_components=2).fit(X)


def test_callbacks_see_steps_and_end_a_fit_and_so_does_a_deadline(rng, capsys):
    X, seen = rows_of("poisson", rng, 300), []

    def watch(step):
        seen.append(step.parameters.means)
        if step.iteration == 2:
            raise StopIteration

    mixture = PoissonMixture(3, random_state=0, tol=0.0, callbacks=[watch], verbose=1, verbose_interval=1).fit(X)
    assert mixture.stop_reason_ == "callback"
    assert mixture.n_iter_ == 2
    assert (seen[-1] == mixture.rates_).all()
    assert "Iteration 2" in capsys.readouterr().out
    hurried = PoissonMixture(3, random_state=0, deadline=1e-9).fit(X)
    assert hurried.stop_reason_ == "deadline"


def test_nothing_is_known_before_a_fit_and_a_fit_that_fails_changes_nothing(rng):
    with pytest.raises(NotFittedError, match="BernoulliMixture"):
        BernoulliMixture().predict([[1]])
    mixture = BernoulliMixture(2, random_state=0).fit(rows_of("bernoulli", rng))
    before = dict(vars(mixture))
    with pytest.raises(ValueError, match="n_components"):
        mixture.fit([[1.0]])
    assert vars(mixture) == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(signal_after, rng):
    def interrupt(*_):
        raise KeyboardInterrupt

    X = rng.uniform(size=(60_000, 100)) < 0.4
    mixture = BernoulliMixture(2, random_state=0).fit(X[:500])
    before = dict(vars(mixture.set_params(n_components=40, max_iter=100_000, tol=0.0)))
    signal_after(0.3, interrupt)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X)
    assert vars(mixture) == before


@pytest.mark.parametrize("backend", ["c", "numba"])
def test_memory_above_the_data_does_not_grow_with_rows(backend, rng):
    if backend not in BACKENDS:
        pytest.skip("not there")
    peaks = []
    for n_rows in (20_000, 160_000):
        X = rng.poisson(1.0, (n_rows, 30)).astype(np.uint8)
        mixture = PoissonMixture(20, random_state=0, max_iter=2, tol=0.0, backend=backend, n_threads=2)
        mixture.fit(X)
        tracemalloc.start()
        mixture.fit(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 140_000 * 4  # of 160,000 rows not even one number each


def test_impossible_rows_under_maximum_likelihood_are_no_nan():
    mixture = BernoulliMixture(2, alpha=0, random_state=0).fit([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert np.isfinite(mixture.score_samples([[1, 1]])).all()
    assert mixture.predict_proba([[1, 1]]).sum() == pytest.approx(1.0)
    empty = PoissonMixture(1, alpha=0).fit([[0], [0]])
    assert empty.score([[0]]) == pytest.approx(0.0)
    assert np.isfinite(empty.score([[5]]))


def test_a_frame_names_its_features(rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows_of("bernoulli", rng), columns=list("abcde"))
    mixture = BernoulliMixture(2, random_state=0).fit(frame)
    assert mixture.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        mixture.predict(frame[list("edcba")])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_check_estimator_passes(family):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    # What takes sparse rows and has predict_proba is taken for a classifier there, of tags that no others have; and
    # fractions, which we refuse, for categories.
    wrong = {f"check_estimator_sparse_{each}": "for classifiers" for each in ("array", "matrix")}
    if family == "categorical":
        wrong = {"check_sample_weight_equivalence_on_dense_data": "fits fractions"}
    results = checks.check_estimator(MIXTURES[family](), on_skip=None, on_fail=None, expected_failed_checks=wrong)
    assert not [(each["check_name"], each["exception"]) for each in results if each["status"] == "failed"]
    assert sum(each["status"] == "passed" for each in results) > 30


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", WITH_MISSING)
def test_a_row_with_holes_has_the_same_bits_alone_as_among_others(family, backend, rng):
    X = with_holes(rows_of(family, rng), rng)
    mixture = MIXTURES[family](2, random_state=0, max_iter=3, backend=backend).fit(X)
    alone = [mixture.score_samples(X[i : i + 1])[0] for i in range(len(X))]
    assert np.array_equal(alone, mixture.score_samples(X))
