"""The loop of EM asks for moments, and does not know who collects them."""

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.em import em
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.update import Likelihood, NoModelError
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import assert_close, draw_parameters

REGULARIZATION = np.full(2, 1e-6)


@pytest.fixture
def values(rng):
    return np.concatenate([rng.normal(3.0 * k, 1 + k, (400, 2)) for k in range(3)])


def test_moments_may_come_from_rows_in_three_lists(family, values, rng):
    start = draw_parameters(rng, family.name, 2, 3)
    sweeps = [make_sweep(Facts(Rows(part)), family, get_backend("numpy"), 1) for part in np.split(values, [100, 700])]

    def collect(model):
        first, *others = (sweep(model.prepared) for sweep in sweeps)
        return sum(others, start=first)

    iterates = em(Likelihood(family, REGULARIZATION, values.dtype), start)
    iterate = next(iterates)
    for _ in range(20):
        iterate = iterates.send(collect(iterate.asked))
    whole = make_sweep(Facts(Rows(values)), family, get_backend("numpy"), 1)
    fit = run_em(whole, start, REGULARIZATION, Stopping(tol=0.0, max_iter=20))
    assert_close(iterate.lower_bound, fit.lower_bound, 1e-12)
    for name in ("weights", "means", "covariances"):
        assert_close(getattr(iterate.model.parameters, name), getattr(fit.parameters, name), 1e-12)


def test_parameters_without_a_model_are_named_with_what_they_were_made_from(values):
    """Of one row there is no covariance."""
    update = Likelihood(FAMILIES["full"], np.zeros(2), values.dtype)
    sweep = make_sweep(Facts(Rows(values[:1])), update.family, get_backend("numpy"), 1)
    iterates = em(update, draw_parameters(np.random.default_rng(0), "full", 2, 1))
    moments = sweep(next(iterates).asked.prepared)
    with pytest.raises(NoModelError) as caught:
        iterates.send(moments)
    assert caught.value.component == 0
    assert caught.value.counts is moments.counts
    assert caught.value.parameters.means == pytest.approx(values[:1])
