"""Seconds per EM iteration of one rival on one problem, within a budget of time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.agreement import disagreement
from bench.problems import Problem
from bench.rivals import Rival
from fastgmm.parameters import Array, Parameters

FEW_ROUNDS, MOST_ROUNDS = 3, 5
MOST_ITERATIONS = 12
# Separated components have settled to the last bit after a few iterations, and some rivals stop there.
MOST_ITERATIONS_SEPARATED = 3
# One difference of a run of one iteration and one of two says little: scikit-learn's were off by a factor of five.
LEAST_ROUNDS, LEAST_ITERATIONS = 2, 3
# What a run of one and a run of three iterations cost, in iterations: four, and about one more to set up.
SHORTEST_ROUND = 5
EXTRA_ROUNDS = 4
PILOT_ROWS = 5_000

# So many rows and iterations: seconds, and what they led to.
Run = Callable[[int, int], tuple[float, Parameters]]


@dataclass(frozen=True)
class Plan:
    """Rounds of two runs each, with one iteration and with ``many``, on the first ``n_rows`` rows."""

    n_rows: int
    many: int
    rounds: int


@dataclass(frozen=True)
class Timing:
    """Seconds for one iteration of all rows; where fewer were timed, in proportion."""

    seconds: float
    plan: Plan


@dataclass(frozen=True)
class LeftOut:
    """No time, and why."""

    reason: str


NOT_OFFERED = LeftOut("does not have this family in this precision")


def make_plan(pilot: float, n_rows: int, budget: float, most_iterations: int, least_rows: int) -> Plan:
    """Spend the budget on three rounds, on more iterations in each, on more rounds; with too little, take fewer rows.

    Fewer rows are in the rival's favor where they fit into a cache.

    Parameters
    ----------
    pilot : float
        Seconds of one iteration of all rows, roughly.
    """
    affordable = budget / max(pilot, 1e-6)
    least = LEAST_ROUNDS * SHORTEST_ROUND
    if affordable < least:
        return Plan(max(least_rows, int(n_rows * affordable / least)), LEAST_ITERATIONS, LEAST_ROUNDS)
    rounds = min(FEW_ROUNDS, int(affordable / SHORTEST_ROUND))
    besides = SHORTEST_ROUND - LEAST_ITERATIONS
    many = min(most_iterations, int(affordable / rounds) - besides)
    rounds = max(rounds, min(MOST_ROUNDS, int(affordable / (many + besides))))
    return Plan(n_rows, many, rounds)


def is_plausible(difference: float, shortest_one: float) -> bool:
    """Whether the difference can be the time of an iteration, of which a run of one iteration has one.

    Where it seems to be longer than that, something else disturbed the longer runs; where it is next to nothing, the
    shorter ones. A run does not cost twenty iterations to set up; a quarter is left to noise.
    """
    return shortest_one / 20 < difference <= 1.25 * shortest_one


def time_rival(
    rival: Rival,
    reference: Rival,
    problem: Problem,
    read: Callable[[], Array],
    start: Parameters,
    n_threads: int,
    budget: float,
) -> Timing | LeftOut:
    """The time per iteration of the rows that ``read`` gives, or why there is none."""
    if not rival.supports(problem):
        return NOT_OFFERED
    data = read()

    def run(n_rows: int, iterations: int) -> tuple[float, Parameters]:
        began = time.perf_counter()
        parameters = rival.run(data[:n_rows], start, iterations, n_threads)
        return time.perf_counter() - began, parameters

    try:
        plan = _plan_after_a_pilot(rival, problem, run, budget)
        shortest_one, shortest_many, parameters = _rounds(run, plan, budget)
    except (RuntimeError, ValueError, MemoryError) as error:
        return LeftOut(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
    part = data[: plan.n_rows]
    expected = reference.run(part, start, plan.many, n_threads)
    difference = disagreement(parameters, expected, part, rival.tolerance[problem.dtype])
    if difference is not None:
        return LeftOut(difference)
    seconds = (shortest_many - shortest_one) / (plan.many - 1)
    if not is_plausible(seconds, shortest_one):
        runs = f"a run of 1 took {shortest_one:.3g} s, of {plan.many} {shortest_many:.3g} s, on {plan.n_rows:,} rows"
        return LeftOut(f"too disturbed by other work: {runs}")
    return Timing(seconds * problem.n_rows / plan.n_rows, plan)


def _plan_after_a_pilot(rival: Rival, problem: Problem, run: Run, budget: float) -> Plan:
    """A plan from the time of one iteration on a twentieth of the rows, which also warms up."""
    n_rows = problem.n_rows
    part = max(n_rows // 20, min(n_rows, PILOT_ROWS))
    for iterations in (1, 2) if rival.compiles else (1,):
        run(part, iterations)
    one, two = run(part, 1)[0], run(part, 2)[0]
    pilot = (two - one if is_plausible(two - one, one) else min(one, two / 2)) * n_rows / part
    separated = problem.separation == "separated"
    most_iterations = MOST_ITERATIONS_SEPARATED if separated else MOST_ITERATIONS
    plan = make_plan(pilot, n_rows, budget, most_iterations, part)
    # The first round of one that compiles would time its compiler.
    return replace(plan, rounds=max(2, plan.rounds)) if rival.compiles else plan


def _rounds(run: Run, plan: Plan, budget: float) -> tuple[float, float, Parameters]:
    """The shortest run of one iteration and of many, and what the latter led to.

    What a run costs besides iterations cancels out in their difference. Some more rounds are taken where that cannot
    be true, and fewer where the budget is spent twice over.
    """
    began = time.perf_counter()
    shortest_one = shortest_many = float("inf")
    for number in range(plan.rounds + EXTRA_ROUNDS):
        one, _ = run(plan.n_rows, 1)
        many, parameters = run(plan.n_rows, plan.many)
        shortest_one, shortest_many = min(shortest_one, one), min(shortest_many, many)
        enough = number + 1 >= plan.rounds
        if enough and is_plausible((shortest_many - shortest_one) / (plan.many - 1), shortest_one):
            break
        if number > 0 and time.perf_counter() - began > 2 * budget:
            break
    return shortest_one, shortest_many, parameters
