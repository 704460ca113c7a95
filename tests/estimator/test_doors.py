"""What takes long is done in a thread, and what the user gave us runs in the user's own."""

import os
import pickle
import signal
import sys
import threading
from functools import partial

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning

LONG = np.random.default_rng(0).normal(size=(40_000, 4))
SHORT = LONG[:150]
# 1.6 million numbers: to factor them takes long.
MATRICES = np.broadcast_to(np.eye(400), (10, 400, 400))


pytestmark = pytest.mark.usefixtures("nobody_watches")


@pytest.fixture(autouse=True)
def _what_takes_long_is_not_so_long_here(monkeypatch):
    monkeypatch.setattr("fastgmm.machine.waiting.LONG_WORK", 1e7)


@pytest.fixture
def workers(monkeypatch):
    """Counts the threads that are started for a call."""
    started, start = [], threading.Thread.start

    def counted(thread):
        if thread.name == "fastgmm-work":
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)
    return started


def mixture(**options):
    return GaussianMixture(**({"n_components": 3, "random_state": 0, "max_iter": 3, "tol": 0.5} | options))


def test_a_long_fit_works_in_a_thread_and_short_ones_and_scores_do_not(workers):
    model = mixture().fit(SHORT)
    many = np.concatenate([LONG] * 5)
    model.predict(SHORT), model.score(SHORT), model.sample(100), model.moments(SHORT), model.predict_proba(many)
    workers.clear()  # what was imported, and compiled
    mixture().fit(SHORT).predict(SHORT)
    assert not workers
    (
        model.predict_proba(many),
        model.score(many),
    )  # which come back to Python between two blocks of rows, and keep nothing
    assert not workers
    long_calls = model.fit, model.partial_fit, model.moments
    for call in (*(partial(each, many) for each in long_calls), lambda: model.sample(10**6)):
        call()
        assert len(workers) == 1
        workers.clear()


def test_large_models_are_made_saved_loaded_and_copied_in_a_thread(workers, tmp_path):
    weights, means = np.full(10, 0.1), np.zeros((10, 400))
    model = GaussianMixture.from_parameters(weights, means, MATRICES)
    moments = model.moments(np.random.default_rng(0).normal(size=(500, 400)))
    for call in (
        lambda: model.save(tmp_path / "model.npz"),
        lambda: fastgmm.load(tmp_path / "model.npz"),
        lambda: pickle.loads(pickle.dumps(model)),
        lambda: model.maximized(moments),
    ):
        workers.clear()
        call()
        assert workers


def test_what_wide_rows_lack_is_found_in_a_thread(workers):
    weights, means, rows = np.full(10, 0.1), np.zeros((10, 400)), np.zeros((2, 400))
    rows[:, 7] = np.nan
    model = GaussianMixture.from_parameters(weights, means, MATRICES)
    for wishes in ({}, {"return_std": True}, {"n_draws": 1}):
        workers.clear()
        model.impute(rows, **wishes)
        assert len(workers) == 1


def test_other_mixtures_that_follow_from_a_large_one_are_made_in_a_thread(workers):
    model = GaussianMixture.from_parameters(np.full(10, 0.1), np.zeros((10, 400)), MATRICES)
    for call in (
        lambda: model.marginal(range(1, 400)),
        lambda: model.condition({0: 1.0}),
        lambda: model.regress(np.zeros((2, 1)), [0]),
        lambda: model.transformed(2.0),
        lambda: model.product(model.marginal(range(400)).reduced(1)),
        lambda: model.reduced(9),
        model.component_kl,
        model.component_bhattacharyya,
    ):
        workers.clear()
        call()
        assert workers


def test_callbacks_starts_and_what_is_printed_run_in_the_callers_thread(workers, monkeypatch):
    threads = []

    class Output:
        def write(self, text):
            threads.append(threading.current_thread())

        def flush(self):
            pass

    def start(X, n_components, random_state):
        threads.append(threading.current_thread())
        return X[:n_components]

    monkeypatch.setattr(sys, "stdout", Output())
    callbacks = [lambda step: threads.append(threading.current_thread())]
    mixture(callbacks=callbacks, init_params=start, verbose=2, verbose_interval=1).fit(LONG)
    assert workers
    assert len(threads) >= 4
    assert set(threads) == {threading.current_thread()}


def test_a_fit_in_another_thread_works_there():
    found = []

    def fit():
        callbacks = [lambda step: found.append(threading.current_thread())]
        found.append(mixture(callbacks=callbacks).fit(LONG).means_)

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert np.array_equal(found[-1], mixture().fit(LONG).means_)
    assert set(found[:-1]) == {thread}


def test_a_callback_may_stop_a_long_fit_and_fit_something_itself():
    inner = []

    def stop(step):
        inner.append(mixture().fit(LONG))
        raise StopIteration

    model = mixture(callbacks=[stop], tol=0.0, max_iter=50).fit(LONG)
    assert (model.stop_reason_, model.n_iter_) == ("callback", 1)
    assert len(inner) == 1


def test_what_a_callback_raises_comes_through_a_long_fit_with_the_line_that_raised_it():
    def fail(step):
        raise LookupError("of the user")

    model = mixture(callbacks=[fail])
    with pytest.raises(LookupError, match="of the user") as caught:
        model.fit(LONG)
    assert caught.traceback[-1].name == "fail"
    assert not hasattr(model, "means_")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_callback_of_a_long_fit_may_fork_and_the_child_may_fit():
    codes = []

    def fork(step):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if mixture(n_threads=1).fit(LONG).n_iter_ else 2
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    mixture(callbacks=[fork]).fit(LONG)
    assert set(codes) == {0}


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
@pytest.mark.parametrize("data", [SHORT, LONG], ids=["short", "long"])
def test_the_warning_of_a_fit_points_at_the_users_line(method, data):
    with pytest.warns(ConvergenceWarning) as caught:
        getattr(mixture(max_iter=1, tol=1e-9), method)(data)
    assert [each.filename for each in caught] == [__file__]


def test_a_warning_that_is_an_error_leaves_the_estimator_as_it_was():
    model = mixture(max_iter=1, tol=1e-9)
    with pytest.raises(ConvergenceWarning):
        model.fit(LONG)
    assert not hasattr(model, "means_")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts the main thread")
def test_an_interrupted_fit_is_left_and_its_thread_ends(workers, signal_after):
    """Of large covariances, among whose factors there is most to do, and which would go on for ever."""

    def interrupt(*_):
        raise KeyboardInterrupt

    data = np.random.default_rng(0).normal(size=(2000, 200))
    model = mixture(n_components=8, tol=0.0, max_iter=10**6)
    signal_after(1.0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data)
    workers[-1].join(60)
    assert not workers[-1].is_alive()
    assert not hasattr(model, "means_")
