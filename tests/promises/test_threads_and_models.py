"""One model in many threads, refitted or set by hand meanwhile; copies of models; fits that Ctrl-C ends."""

import copy
import importlib.util
import pickle
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.errors import BackendUnavailableError, NotFittedError
from tests.conftest import BACKENDS

NAMES = ["auto", *BACKENDS]
ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
by_backend = pytest.mark.parametrize("name", NAMES)


def blobs(seed, n_rows=400, n_features=3, dtype="float64"):
    random = np.random.default_rng(seed)
    centers = random.normal(0, 5, (4, n_features))
    return (centers[random.integers(0, 4, n_rows)] + random.normal(0, 1, (n_rows, n_features))).astype(dtype)


def fit(name, data=None, n_components=3, **options):
    options = {"random_state": 0, "n_threads": 2, "tol": 1e-2} | options
    return GaussianMixture(n_components, backend=name, **options).fit(blobs(0) if data is None else data)


def bits(value):
    return value.tobytes() if isinstance(value, np.ndarray) else float(value).hex()


def scores(model, data=None):
    """The bits of everything that a model says about rows."""
    data = blobs(9) if data is None else data
    answers = model.score_samples(data), model.predict_proba(data), model.predict(data), model.score(data)
    return [bits(each) for each in (*answers, model.bic(data), model.aic(data))]


def in_threads(works):
    """Call all functions, each in a thread of its own and as simultaneously as can be; raise what any of them raises.

    Threads take turns every few microseconds, not milliseconds, so that races have their chance.
    """
    barrier, interval = threading.Barrier(len(works)), sys.getswitchinterval()

    def start(work):
        barrier.wait(60)
        return work()

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(start, works))
    finally:
        sys.setswitchinterval(interval)


# A model that is refitted while others score it


def saved_and_loaded(model, folder):
    path = folder / f"{threading.get_ident()}.npz"
    model.save(path)
    return fastgmm.load(path)


BATCH = blobs(5, 300)
QUESTIONS = {
    "score_samples": lambda model, folder: model.score_samples(BATCH),
    "score_samples of a row": lambda model, folder: model.score_samples(BATCH[:1]),
    "predict_proba": lambda model, folder: model.predict_proba(BATCH),
    "predict_proba of a row": lambda model, folder: model.predict_proba(BATCH[:1]),
    "predict": lambda model, folder: model.predict(BATCH),
    "score": lambda model, folder: model.score(BATCH),
    "bic": lambda model, folder: model.bic(BATCH),
    "aic": lambda model, folder: model.aic(BATCH),
    "sample": lambda model, folder: model.sample(50)[0],
    "save": lambda model, folder: saved_and_loaded(model, folder).score_samples(BATCH),
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)).score_samples(BATCH),
    "deepcopy": lambda model, folder: copy.deepcopy(model).score_samples(BATCH),
}


@by_backend
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_model_that_is_refitted_answers_as_the_old_or_the_new_one(name, covariance_type, tmp_path):
    # Another number of components, so that a mixture of the two models would not even have a shape.
    fits = [(blobs(1), 2), (blobs(2), 5)]
    options = {"covariance_type": covariance_type, "max_iter": 2, "tol": 1e9}
    models = [fit(name, *each, **options) for each in fits]
    expected = {question: [bits(ask(model, tmp_path)) for model in models] for question, ask in QUESTIONS.items()}
    both = {("bic", answer) for answer in expected["bic"]}
    shared, done, rounds, found = fit(name, *fits[0], **options), threading.Event(), [], set()

    def refit():
        try:
            until = time.monotonic() + 60
            while (len(rounds) < 40 or not both <= found) and time.monotonic() < until:
                for data, n_components in fits:
                    shared.set_params(n_components=n_components).fit(data)
        finally:
            done.set()

    def hammer():
        while not done.is_set():
            found.update([(question, bits(ask(shared, tmp_path))) for question, ask in QUESTIONS.items()])
            rounds.append(None)

    in_threads([refit, *[hammer] * 8])
    strangers = {question for question, answer in found if answer not in expected[question]}
    assert not strangers
    assert both <= found


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn")
def test_a_model_that_is_refitted_becomes_a_sklearn_model_as_the_old_or_the_new_one():
    fits, options = [(blobs(1), 2), (blobs(2), 5)], {"max_iter": 2, "tol": 1e9}
    expected = {bits(fit("auto", *each, **options).means_) for each in fits}
    shared, done = fit("auto", *fits[0], **options), threading.Event()

    def refit():
        try:
            for _ in range(30):
                for data, n_components in fits:
                    shared.set_params(n_components=n_components).fit(data)
        finally:
            done.set()
        return set()

    def convert():
        found = set()
        while not done.is_set():
            other = shared.to_sklearn()
            shapes = {len(getattr(other, each)) for each in ARRAYS}
            assert len(shapes) == 1, "a mixture of two models"
            found.add(bits(other.means_))
        return found

    assert set().union(*in_threads([refit, *[convert] * 4])) <= expected


def test_a_row_may_be_scored_while_options_are_set():
    """Setting options changes the attributes, but not their number, while others look at them."""
    model, row, done = fit("auto"), BATCH[:1], threading.Event()
    expected = bits(model.score_samples(row))

    def set_options():
        try:
            for n_threads in range(1, 2000):
                model.set_params(n_threads=n_threads, verbose=0)
        finally:
            done.set()

    def score():
        while not done.is_set():
            assert bits(model.score_samples(row)) == expected

    in_threads([set_options, *[score] * 4])


# Very many threads


@by_backend
@pytest.mark.slow
@pytest.mark.soak
def test_64_threads_score_models_of_every_family_to_the_same_bits(name):
    families = ["full", "tied", "diag", "spherical"]
    models = [fit(name, blobs(seed, dtype=dtype), 3, covariance_type=family)
              for seed, family in enumerate(families) for dtype in ("float64", "float32")]  # fmt: skip
    batches = [blobs(20 + seed, rows, dtype=dtype) for seed, rows in enumerate((1, 1, 1, 33, 200))
               for dtype in ("float64", "float32")]  # fmt: skip
    large = blobs(30, 2500)  # several chunks, and so several threads for one call
    methods = ["score_samples", "predict", "predict_proba"]
    calls = [(getattr(model, method), rows) for rows in batches for model in models for method in methods]
    calls += [(getattr(model, method), large) for model in models[:1] for method in methods]
    expected = [bits(call(rows)) for call, rows in calls]

    n_calls = 2000 if name in ("auto", "c") else 500  # each of which takes longer

    def score(seed):
        order = np.random.default_rng(seed).integers(0, len(calls), n_calls)
        return sum(bits(calls[i][0](calls[i][1])) != expected[i] for i in order)

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(score, range(64))) == 0


@by_backend
def test_many_threads_fit_different_estimators_to_the_same_bits(name):
    tasks = [
        {"covariance_type": family, "data": blobs(seed, 2500, 2 + seed, dtype)}
        for seed, family in enumerate(["full", "tied", "diag", "spherical"])
        for dtype in ("float64", "float32")
    ]

    def work(task):
        model = fit(name, **task)
        return [bits(getattr(model, each)) for each in ARRAYS] + scores(model, task["data"])

    expected = [work(task) for task in tasks]
    assert in_threads([lambda task=task: work(task) for task in tasks]) == expected


@by_backend
def test_many_threads_fit_one_estimator_and_it_is_one_of_their_fits(name):
    shared, data = GaussianMixture(2, random_state=0, backend=name, tol=1e9), [blobs(seed) for seed in range(8)]
    expected = [scores(fit(name, each, 2, tol=1e9)) for each in data]
    found = in_threads([lambda each=each: bits(shared.fit_predict(each)) for each in data])
    assert found == [bits(fit(name, each, 2, tol=1e9).predict(each)) for each in data]
    assert scores(shared) in expected


# What scoring leaves behind, and what it sees


@by_backend
def test_scoring_writes_no_attribute_and_asks_for_no_lock(name, monkeypatch):
    model, path = fit(name), BATCH
    scores(model)  # whatever is loaded once
    attributes = vars(model)
    before = dict(attributes)
    monkeypatch.setattr(GaussianMixture, "__setattr__", refuse)
    monkeypatch.setattr(threading, "Lock", refuse)
    monkeypatch.setattr(threading, "RLock", refuse)
    for rows in (path, path[:1], path.astype("float32")):
        for method in ("score_samples", "predict", "predict_proba", "score", "bic", "aic"):
            getattr(model, method)(rows)
    model.sample(3)
    assert vars(model) is attributes
    assert list(attributes) == list(before)
    assert all(attributes[each] is before[each] for each in before)


def refuse(*_):
    raise AssertionError("scoring needs none")


@by_backend
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_attributes_set_by_hand_count_at_the_next_call(name, covariance_type):
    old, new = (fit(name, blobs(seed), covariance_type=covariance_type) for seed in (1, 2))
    changed = copy.deepcopy(old)
    for attribute in ARRAYS:
        before = scores(changed)
        setattr(changed, attribute, np.array(getattr(new, attribute)))
        if attribute in ("weights_", "means_", "precisions_cholesky_"):
            assert scores(changed) != before
    assert scores(changed) == scores(new)
    changed.means_[0] += 1.0  # an array of the user's own may be written to, and that counts too
    assert scores(changed) != scores(new)
    assert scores(changed.fit(blobs(1))) == scores(old)


def test_attributes_set_by_hand_that_do_not_fit_together_are_refused():
    model = fit("auto")
    model.means_ = model.means_[:2].copy()
    with pytest.raises(ValueError, match="make no mixture"):
        model.score_samples(BATCH)


def test_a_fitted_model_without_one_of_its_attributes_says_so():
    for attribute in ("weights_", "means_"):
        model = fit("auto")
        delattr(model, attribute)
        with pytest.raises(NotFittedError, match=f"has no {attribute}, .*GaussianMixture.from_parameters"):
            model.score_samples(BATCH)


def test_a_fitted_model_without_its_factors_scores_by_its_covariances():
    model = fit("auto")
    expected = scores(model)
    del model.precisions_cholesky_
    assert scores(model) == expected
    model.covariances_ = 4.0 * model.covariances_
    assert scores(model) != expected


def test_a_family_that_there_is_not_is_named_and_stops_no_copy():
    model = fit("auto")
    model.covariance_type = "foo"
    for copied in (model, copy.copy(model), copy.deepcopy(model)):
        with pytest.raises(ValueError, match="covariance_type must be among 'full'"):
            copied.score_samples(BATCH)


def test_lists_set_by_hand_count_as_arrays():
    model, expected = fit("auto"), fit("auto")
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(model, name, getattr(model, name).tolist())
    assert scores(model) == scores(expected)
    assert np.array_equal(model.sample(5)[0], expected.sample(5)[0])


@by_backend
@pytest.mark.parametrize("other", BACKENDS)
def test_the_backend_may_be_changed_after_a_fit(name, other):
    model = fit(name)
    parameters = [getattr(model, each) for each in ("weights_", "means_", "covariances_")]
    expected = GaussianMixture.from_parameters(*parameters, random_state=0, backend=other)
    assert scores(model.set_params(backend=other)) == scores(expected)


def test_a_backend_that_is_none_is_refused_when_scoring():
    model = fit("auto").set_params(backend="fortran")
    with pytest.raises(ValueError, match="backend must be one of"):
        model.score_samples(BATCH)


@by_backend
@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical"])
def test_a_family_that_does_not_fit_the_arrays_is_refused_until_the_next_fit(name, covariance_type):
    data = blobs(0)
    model = fit(name, data, n_components=4).set_params(covariance_type=covariance_type)
    for method in ("score_samples", "predict", "predict_proba", "score", "bic", "aic"):
        with pytest.raises(ValueError, match="make no mixture"):
            getattr(model, method)(data)
    with pytest.raises(ValueError, match="make no mixture"):
        model.sample()
    assert scores(model.fit(data)) == scores(fit(name, data, 4, covariance_type=covariance_type))


# Copies


def through_joblib(model, tmp_path, **options):
    joblib = pytest.importorskip("joblib")
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib", **options)


COPIES = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "an old pickle": lambda model, folder: pickle.loads(pickle.dumps(model, protocol=2)),
    "copy": lambda model, folder: copy.copy(model),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "joblib": through_joblib,
    "joblib, memory-mapped": lambda model, folder: through_joblib(model, folder, mmap_mode="r"),
    "a copy of a copy": lambda model, folder: copy.copy(pickle.loads(pickle.dumps(copy.deepcopy(model)))),
    "save": saved_and_loaded,
}


@by_backend
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_copied_model_scores_to_the_same_bits(name, how, covariance_type, tmp_path):
    model = fit(name, covariance_type=covariance_type)
    before = dict(vars(model))
    copied = COPIES[how](model, tmp_path).set_params(backend=name)
    assert scores(copied) == scores(model)
    for attribute in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(copied, attribute)[...] = 1
        assert bits(getattr(copied, attribute)) == bits(getattr(model, attribute))
    attributes = dict(vars(copied))
    scores(copied)
    assert all(vars(copied)[each] is attributes[each] for each in attributes)
    # The copy goes its own way.
    copied.fit(blobs(3))
    assert all(vars(model)[each] is before[each] for each in before)
    assert scores(copied) == scores(fit(name, blobs(3), covariance_type=covariance_type, **as_loaded(how)))


def as_loaded(how):
    """A model file leaves the number of threads behind, which changes no bit."""
    return {"n_threads": None} if how == "save" else {}


def test_arrays_of_a_fitted_model_are_read_only():
    models = [fit("auto"), GaussianMixture.from_parameters([1.0], [[0.0]], [[[4.0]]])]
    for model in models:
        for attribute in ARRAYS:
            with pytest.raises(ValueError, match="read-only"):
                getattr(model, attribute)[0] = 1


def test_a_copy_leaves_arrays_of_the_user_as_they_are():
    model, means = fit("auto"), np.zeros((3, 3))
    model.means_ = means
    copied = copy.copy(model)
    means[0] = 1.0
    assert scores(model) == scores(copied)


def test_a_clone_is_not_fitted():
    base = pytest.importorskip("sklearn.base")
    model = fit("numpy")
    clone = base.clone(model)
    assert clone.get_params() == model.get_params()
    assert not [each for each in vars(clone) if each.endswith("_") or each.startswith("_")]


def test_an_unfitted_estimator_may_be_copied():
    for copied in (copy.copy(GaussianMixture(2)), pickle.loads(pickle.dumps(GaussianMixture(2)))):
        assert vars(copied) == vars(GaussianMixture(2))


@pytest.mark.parametrize("missing", [name for name in BACKENDS if name != "numpy"])
def test_a_model_whose_backend_is_missing_here_may_be_read_and_scored_with_another(missing, monkeypatch):
    model = fit(missing)
    expected, content = scores(copy.deepcopy(model).set_params(backend="numpy")), pickle.dumps(model)
    folder = {"c": "fastgmm.kernels.c", "numba": "fastgmm.kernels.numba_"}[missing]
    monkeypatch.setitem(sys.modules, folder, None)  # what makes an import of it fail
    read = pickle.loads(content)
    assert bits(read.means_) == bits(model.means_)
    with pytest.raises(ValueError, match="read-only"):
        read.means_[0] = 1
    for method in ("score_samples", "predict", "predict_proba", "score", "bic", "aic"):
        with pytest.raises(BackendUnavailableError):
            getattr(read, method)(BATCH)
    assert scores(read.set_params(backend="numpy")) == expected
    monkeypatch.undo()
    assert scores(pickle.loads(pickle.dumps(read)).set_params(backend=missing)) == scores(model)


# Ctrl-C

needs_a_timer = pytest.mark.skipif(
    not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread(),
    reason="needs a timer that interrupts the main thread",
)


@pytest.fixture(params=["alarm", "Ctrl-C"])
def interrupt_after(request):
    """Interrupt the main thread after some seconds: from a handler of the application's own, or by SIGINT."""

    def handler(signum, frame):
        if request.param == "Ctrl-C":
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler), signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before[0])
    signal.signal(signal.SIGINT, before[1])


@needs_a_timer
@by_backend
def test_an_interrupted_fit_on_threads_leaves_the_estimator_as_it_was_and_the_next_fit_works(name, interrupt_after):
    data, options = blobs(0, 40_000, 8), {"n_components": 3, "max_iter": 3, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(random_state=0, n_threads=2, backend=name, **options).fit(data)
        expected = scores(model, data)

        def fit_until(seconds):
            interrupt_after(seconds)
            model.fit(data)

        for seconds in np.random.default_rng(0).uniform(0.001, 0.3, 5):
            before = dict(vars(model.set_params(n_components=30, max_iter=10**6)))
            with pytest.raises(KeyboardInterrupt):
                fit_until(seconds)
            assert list(vars(model)) == list(before)
            assert all(vars(model)[each] is before[each] for each in before)
            assert scores(model, data) == expected
            assert scores(model.set_params(**options).fit(data), data) == expected
