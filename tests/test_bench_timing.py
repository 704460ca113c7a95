"""How a benchmark spends its time, and which differences of two runs it believes."""

import numpy as np
import pytest

from bench.agreement import disagreement
from bench.problems import FULL, Problem, generate
from bench.timing import (
    FEW_ROUNDS,
    LEAST_ITERATIONS,
    LEAST_ROUNDS,
    MOST_ITERATIONS,
    MOST_ROUNDS,
    is_plausible,
    make_plan,
)
from fastgmm.parameters import Parameters

PLAN = {"n_rows": 100_000, "most_iterations": MOST_ITERATIONS, "least_rows": 5_000}


def test_a_fast_rival_gets_all_rounds_and_iterations():
    plan = make_plan(0.001, budget=3.0, **PLAN)
    assert (plan.n_rows, plan.many, plan.rounds) == (100_000, MOST_ITERATIONS, MOST_ROUNDS)


def test_a_slower_one_gets_fewer_iterations_and_then_fewer_rounds():
    assert make_plan(0.15, budget=3.0, **PLAN).rounds == FEW_ROUNDS
    plan = make_plan(0.3, budget=3.0, **PLAN)
    assert (plan.n_rows, plan.many, plan.rounds) == (100_000, LEAST_ITERATIONS, LEAST_ROUNDS)


def test_one_that_is_too_slow_gets_a_part_of_the_rows():
    plan = make_plan(3.0, budget=3.0, **PLAN)
    assert (plan.n_rows, plan.many, plan.rounds) == (10_000, LEAST_ITERATIONS, LEAST_ROUNDS)
    assert make_plan(1000.0, budget=3.0, **PLAN).n_rows == 5_000


def test_a_difference_is_believed_where_it_can_be_an_iteration():
    assert is_plausible(0.9, 1.0)
    assert is_plausible(0.1, 1.0)
    assert not is_plausible(3.0, 1.0)
    assert not is_plausible(0.01, 1.0)
    assert not is_plausible(-0.1, 1.0)


def test_other_parameters_have_no_time():
    data, start = generate(Problem("full", 5_000, 3, 4))
    moved = Parameters("full", start.weights, start.means + 0.01, start.covariances)
    assert disagreement(start, start, data, tolerance=1e-9) is None
    assert "log-likelihood" in disagreement(moved, start, data, tolerance=1e-9)


@pytest.mark.parametrize("n_features", sorted({problem.n_features for problem in FULL}))
def test_components_overlap_whatever_the_number_of_features(n_features):
    """Typical distances between means are 2 standard deviations, and the start is within a fraction of one."""
    _, start = generate(Problem("full", 10, n_features, 64))
    distances = np.linalg.norm(start.means[:, np.newaxis] - start.means, axis=2)[np.triu_indices(64, 1)]
    assert np.sqrt((distances**2).mean()) == pytest.approx(2.0, rel=0.2)
    assert np.all(np.linalg.eigvalsh(start.covariances) > 0.4)


def test_a_time_faster_than_the_machine_is_not_shown():
    pytest.importorskip("threadpoolctl")
    from bench.suite import Row, possible
    from bench.timing import LeftOut, Plan, Timing
    from bench.yardstick import Yardstick

    problem = FULL[4]
    at_the_limit = problem.flops_per_sweep / 1e11
    plan = Plan(problem.n_rows, many=2, rounds=3)
    row = Row(problem, {"sound": Timing(1.5 * at_the_limit, plan), "disturbed": Timing(0.4 * at_the_limit, plan)})
    shown = possible(row, Yardstick(1e11, 2e11, 1e-9, 3e10)).timings
    assert shown["sound"] == row.timings["sound"]
    assert isinstance(shown["disturbed"], LeftOut)


def test_a_faster_fit_that_reached_less_is_not_compared():
    pytest.importorskip("threadpoolctl")
    from bench.fits import Fitted, is_as_good

    theirs = Fitted(40.0, 10, -12.03905)
    assert is_as_good(Fitted(0.6, 10, -12.0395), theirs)
    assert not is_as_good(Fitted(0.6, 10, -12.04028), theirs)
