"""The loop of EM asks for moments, and does not know who collects them."""

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.em import em
from fastgmm.fit.runs import Run, Stopping, drive, run_em
from fastgmm.fit.update import Likelihood, NoModelError
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import assert_close, draw_parameters

REGULARIZATION = np.full(2, 1e-6)


@pytest.fixture
def values(rng):
    return np.concatenate([rng.normal(3.0 * k, 1 + k, (400, 2)) for k in range(3)])


class InLists:
    """A sweep over rows in several places."""

    def __init__(self, places, family):
        self.facts, self.family, self.backend, self.n_threads = Facts(places[0]), family, get_backend("numpy"), 1
        self.sweeps = [make_sweep(Facts(rows), family, self.backend, 1) for rows in places]
        self.n_passes = 0

    def __call__(self, models):
        self.n_passes += 1
        first, *others = (sweep(models) for sweep in self.sweeps)
        return [sum(rest, start=one) for one, *rest in zip(first, *others, strict=True)]


@pytest.fixture
def in_lists(values, family):
    return InLists([Rows(part) for part in np.split(values, [100, 700])], family)


def test_moments_may_come_from_rows_in_three_lists(in_lists, family, values, rng):
    start = draw_parameters(rng, family.name, 2, 3)
    whole = make_sweep(Facts(Rows(values)), family, get_backend("numpy"), 1)
    fits = [run_em(sweep, start, REGULARIZATION, Stopping(tol=0.0, max_iter=20)) for sweep in (in_lists, whole)]
    assert_close(*(fit.lower_bound for fit in fits), 1e-12)
    for name in ("weights", "means", "covariances"):
        assert_close(*(getattr(fit.parameters, name) for fit in fits), 1e-12)


def test_several_runs_share_passes_and_end_each_by_itself(in_lists, family, values, rng):
    update = Likelihood(family, REGULARIZATION, values.dtype)
    starts = [draw_parameters(rng, family.name, 2, n_components) for n_components in (2, 3, 4)]
    stoppings = [Stopping(tol, max_iter=50) for tol in (1e-1, 1e-2, 1e-5)]
    alone, together = (
        [Run(em(update, start), stopping, 1e-12) for start, stopping in zip(starts, stoppings, strict=True)]
        for _ in range(2)
    )
    for run in alone:
        drive(in_lists, [run])
    lengths = [len(run.steps) for run in alone]
    assert len(set(lengths)) == 3
    assert in_lists.n_passes == sum(lengths)
    drive(in_lists, together)
    assert in_lists.n_passes == sum(lengths) + max(lengths)
    for one, other in zip(alone, together, strict=True):
        assert [step.lower_bound for step in one.steps] == [step.lower_bound for step in other.steps]


def test_parameters_without_a_model_are_named_with_what_they_were_made_from(values):
    """Of one row there is no covariance."""
    update = Likelihood(FAMILIES["full"], np.zeros(2), values.dtype)
    sweep = make_sweep(Facts(Rows(values[:1])), update.family, get_backend("numpy"), 1)
    iterates = em(update, draw_parameters(np.random.default_rng(0), "full", 2, 1))
    moments = sweep.moments(next(iterates).asked.prepared)
    with pytest.raises(NoModelError) as caught:
        iterates.send(moments)
    assert caught.value.component == 0
    assert caught.value.counts is moments.counts
    assert caught.value.parameters.means == pytest.approx(values[:1])
