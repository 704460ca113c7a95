"""Runs of EM over rows in memory, and the choice among restarts."""

import dataclasses

import numpy as np
import pytest

from fastgmm import GaussianMixture, Step
from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import FOUR
from fastgmm.fit.restarts import best_of_restarts
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.steps import Fit
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import draw_parameters


@pytest.fixture
def data(rng):
    return np.concatenate([rng.normal(k, 1 + k, (300, 3)) for k in range(3)])


def run(backend, family, data, rng, **stopping):
    sweep = make_sweep(Facts(Rows(data)), family, backend, 1)
    start = draw_parameters(rng, family.name, 3, 3)
    return run_em(sweep, start, np.zeros(3), Stopping(**({"tol": 0.0, "max_iter": 30} | stopping)))


def test_the_likelihood_never_falls(backend, family, data, rng):
    bounds = [step.lower_bound for step in run(backend, family, data, rng).steps]
    assert len(bounds) == 30
    assert (np.diff(bounds) > -1e-12 * np.abs(bounds[1:])).all()


def test_the_lower_bound_is_that_of_the_parameters_before_the_last_step(backend, family, data, rng):
    fit = run(backend, family, data, np.random.default_rng(5), max_iter=4)
    before = run(backend, family, data, np.random.default_rng(5), max_iter=3)
    sweep = make_sweep(Facts(Rows(data)), family, backend, 1)
    moments = sweep.moments(family.prepare(before.parameters, np.float64))
    assert fit.lower_bound == moments.log_likelihood / moments.total_weight


def test_it_stops_when_the_change_is_smaller_than_tol(backend, family, data, rng):
    fit = run(backend, family, data, rng, tol=1e-2, max_iter=1000)
    changes = [step.change for step in fit.steps]
    assert fit.converged
    assert abs(changes[-1]) < 1e-2 <= min(map(abs, changes[:-1]))
    assert [step.converged for step in fit.steps] == [False] * (len(changes) - 1) + [True]


def test_no_iteration_keeps_the_start(backend, family, data, rng):
    fit = run(backend, family, data, rng, max_iter=0)
    assert (fit.steps, fit.converged, fit.lower_bound) == ((), False, -np.inf)


def test_callbacks_see_every_iteration_and_cannot_change_the_fit(data):
    seen: list[Step] = []
    plain = GaussianMixture(3, random_state=0, tol=0.0, max_iter=5, n_init=2)
    watched = GaussianMixture(3, random_state=0, tol=0.0, max_iter=5, n_init=2, callbacks=[seen.append])
    with pytest.warns(UserWarning, match="did not converge"):
        plain.fit(data)
    with pytest.warns(UserWarning, match="did not converge"):
        watched.fit(data)
    assert [(step.restart, step.iteration) for step in seen] == [(r, i) for r in range(2) for i in range(1, 6)]
    assert [dataclasses.replace(step, parameters=None).lower_bound for step in seen] == [
        step.lower_bound for step in watched.history_
    ]
    assert np.array_equal(plain.means_, watched.means_)
    with pytest.raises(ValueError, match="read-only"):
        seen[-1].parameters.means[0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen[-1].iteration = 7


def test_any_number_of_threads_fits_to_the_same_bits(data):
    for family in FOUR:
        options = {"covariance_type": family, "random_state": 0, "tol": 1e-6, "max_iter": 500}
        many = np.tile(data, (6, 1))
        one, *others = (GaussianMixture(3, n_threads=n, **options).fit(many) for n in (1, 2, 3, 7))
        for other in others:
            assert np.array_equal(one.means_, other.means_)
            assert np.array_equal(one.covariances_, other.covariances_)
            assert one.lower_bounds_ == other.lower_bounds_


def fit_of(bound, degenerate=(), collapsed=()):
    return Fit(None, None, bound, True, "converged", (), degenerate, collapsed)


def failing():
    raise DegenerateComponentError("singular", 0, 1.0, 0.0, "duplicated points")


def test_the_restart_of_highest_likelihood_is_kept():
    best, _ = best_of_restarts([lambda: fit_of(-3.0), lambda: fit_of(-1.0), lambda: fit_of(-2.0)])
    assert best.lower_bound == -1.0


def test_a_restart_with_a_collapsed_component_loses_against_a_sound_one():
    best, _ = best_of_restarts([lambda: fit_of(9.0, (1,), (1,)), lambda: fit_of(-2.0)])
    assert best.lower_bound == -2.0


def test_components_that_are_flat_in_every_fit_do_not_count_against_one():
    best, _ = best_of_restarts([lambda: fit_of(9.0, (0, 1)), lambda: fit_of(-2.0)])
    assert best.lower_bound == 9.0


def test_a_failed_restart_does_not_sink_the_others():
    best, _ = best_of_restarts([failing, lambda: fit_of(-2.0), failing])
    assert best.lower_bound == -2.0
    with pytest.raises(DegenerateComponentError, match="singular"):
        best_of_restarts([failing, failing])
