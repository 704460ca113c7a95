"""What ends a fit: convergence, ``max_iter``, a deadline, a callback; and what is left then."""

import time
import warnings

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning
from fastgmm.families import FOUR
from tests.conftest import BACKENDS

rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 4)) + 2.0 * rng.normal(size=(5, 4))[rng.integers(5, size=3000)]


def mixture(**options):
    return GaussianMixture(5, random_state=0, **({"tol": 0.0, "max_iter": 20} | options))


def fit_quietly(model, X=X):
    """A fit that may not warn: what the user asked for is no reason to."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(X)


def stop_after(iterations, restart=0):
    def callback(step):
        if (step.restart, step.iteration) == (restart, iterations):
            raise StopIteration

    return callback


def same_parameters(one, other):
    names = ("weights_", "means_", "covariances_")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_convergence_is_a_reason():
    model = fit_quietly(mixture(tol=1e-3, max_iter=1000))
    assert (model.converged_, model.stop_reason_) == (True, "converged")


def test_the_most_iterations_are_a_reason_and_worth_a_warning():
    with pytest.warns(ConvergenceWarning):
        model = mixture().fit(X)
    assert (model.converged_, model.stop_reason_, model.n_iter_) == (False, "max_iter", 20)


def test_given_parameters_have_no_reason():
    assert GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]]).stop_reason_ is None


@pytest.mark.parametrize("family", FOUR)
def test_a_callback_ends_a_fit_after_its_iteration(family):
    stopped = fit_quietly(mixture(covariance_type=family, callbacks=[stop_after(7)]))
    assert (stopped.converged_, stopped.stop_reason_, stopped.n_iter_) == (False, "callback", 7)
    with pytest.warns(ConvergenceWarning):
        whole = mixture(covariance_type=family, max_iter=7).fit(X)
    assert same_parameters(stopped, whole)
    assert stopped.lower_bound_ == whole.lower_bound_


def test_all_callbacks_see_the_step_that_one_of_them_stops_at():
    seen = []
    fit_quietly(mixture(callbacks=[stop_after(3), lambda step: seen.append(step.iteration)]))
    assert seen == [1, 2, 3]


def test_a_step_that_converges_is_converged_whatever_a_callback_wants():
    converged = fit_quietly(mixture(tol=1e-3, max_iter=1000))
    both = fit_quietly(mixture(tol=1e-3, max_iter=1000, callbacks=[stop_after(converged.n_iter_)]))
    assert both.stop_reason_ == "converged"


def test_a_callback_ends_all_restarts_and_the_best_so_far_is_kept():
    options = {"n_init": 3, "init_params": "random_from_data"}
    stopped = fit_quietly(mixture(**options, callbacks=[stop_after(1, restart=1)]))
    assert {step.restart for step in stopped.history_} == {0, 1}
    assert stopped.stop_reason_ == "callback"
    with pytest.warns(ConvergenceWarning):
        first = mixture(**(options | {"n_init": 1})).fit(X)
    assert same_parameters(stopped, first)  # twenty iterations are better than one
    assert stopped.n_iter_ == 20


def test_a_best_start_that_converged_stays_so_when_a_later_one_is_cut_short():
    options = {"n_init": 3, "init_params": "random_from_data", "tol": 1e-3, "max_iter": 1000}
    stopped = fit_quietly(mixture(**options, callbacks=[stop_after(1, restart=1)]))
    assert (stopped.converged_, stopped.stop_reason_) == (True, "callback")


def test_other_exceptions_of_a_callback_leave_the_estimator_as_it_was():
    def callback(step):
        raise ArithmeticError

    model = fit_quietly(mixture(tol=1e-3, max_iter=1000))
    before = dict(vars(model.set_params(callbacks=[callback])))
    with pytest.raises(ArithmeticError):
        model.fit(X)
    assert vars(model) == before


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FOUR)
def test_a_deadline_ends_a_fit_with_what_it_has(family, backend, accelerate):
    options = {"covariance_type": family, "backend": backend, "accelerate": accelerate}
    began = time.perf_counter()
    model = fit_quietly(mixture(**options, max_iter=10**9, deadline=0.2))
    assert time.perf_counter() - began >= 0.2
    assert (model.converged_, model.stop_reason_) == (False, "deadline")
    assert model.n_iter_ == len(model.lower_bounds_)
    assert np.isfinite(model.score(X))


def test_a_deadline_that_the_start_has_used_up_leaves_the_start():
    model = fit_quietly(mixture(deadline=1e-9))
    start = fit_quietly(mixture(max_iter=0))
    assert (model.stop_reason_, model.n_iter_, model.lower_bound_) == ("deadline", 0, -np.inf)
    assert same_parameters(model, start)


def test_a_deadline_ends_restarts_too():
    model = fit_quietly(mixture(n_init=10**6, init_params="random_from_data", deadline=0.3))
    assert model.stop_reason_ == "deadline"
    assert model.lower_bound_ >= max(step.lower_bound for step in model.history_ if step.iteration == 20)


def test_a_deadline_far_away_changes_nothing():
    with pytest.warns(ConvergenceWarning):
        plain, limited = mixture().fit(X), mixture(deadline=1e6).fit(X)
    assert same_parameters(plain, limited)
    assert limited.stop_reason_ == "max_iter"


def test_the_reason_is_kept_in_files(tmp_path):
    stopped = fit_quietly(mixture(callbacks=[stop_after(2)]))
    for model in (stopped, GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])):
        model.save(tmp_path / "model.npz")
        assert fastgmm.load(tmp_path / "model.npz").stop_reason_ == model.stop_reason_
