"""From hyper-parameters and rows to the best fit: a run of EM for each start, the choice, the warning."""

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.data.origin import counted_from_origin, less_origin, plus_origin
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import FAMILIES
from fastgmm.families.check import check_given_start
from fastgmm.fit.annealing import annealed, tempered_sweep
from fastgmm.fit.options import Options, check_random_state
from fastgmm.fit.outcome import warning_about
from fastgmm.fit.regularization import regularization_of
from fastgmm.fit.runs import Course, Fit, Observer, Step, Stopping, best_of_restarts, run_em
from fastgmm.fit.starts import StartFunction, StartOptions, make_start
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import can_be_shared, work_of
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Array, FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.assigned import AssignedSweep, Drawn, most_probable
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import InMemory, make_sweep


@dataclass(frozen=True, eq=False)
class EarlierFit:
    """Where a warm start continues."""

    parameters: Parameters
    lower_bound: float


def fit_rows(
    options: Options, rows: Rows, earlier: EarlierFit | None, observers: Sequence[Observer] = ()
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """The best fit of validated rows, the steps of all starts, and what is to be said about it.

    Parameters
    ----------
    earlier : EarlierFit or None
        To be continued, instead of starting anew.
    observers : sequence of callables
        Of the steps of all starts.
    """
    deadline = math.inf if options.deadline is None else time.perf_counter() + options.deadline
    facts = with_room_for_squares(Facts(rows))
    regularization = regularization_of(options.reg_covar, facts)
    # Absurd values end in an error that names them, not in warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        facts = counted_from_origin(facts)
        origin = facts.rows.origin
        wishes = options.backend, options.n_threads
        sweep = suited_sweep(facts, options.covariance_type, options.n_components, *wishes, deadline)
        observer = _among_the_data(observers, origin) if observers else None
        best, steps = best_of_restarts(runs_of_em(options, sweep, regularization, earlier, observer))
        best = replace(best, parameters=plus_origin(best.parameters, origin))
        return best, steps, warning_about(options, facts, best, regularization)


def suited_sweep(
    facts: Facts,
    covariance_type: str,
    n_components: int,
    backend: str,
    n_threads: int | None,
    deadline: float = math.inf,
) -> InMemory:
    """A sweep over the rows with the backend and the threads that suit their shape, unless they were asked for."""
    chosen = get_backend(backend, work_of(*facts.rows.shape, n_components))
    threads = resolve_n_threads(n_threads, can_be_shared(facts.rows.shape[0]))
    return make_sweep(facts, FAMILIES[covariance_type], chosen, threads, deadline)


def runs_of_em(
    options: Options,
    sweep: InMemory,
    regularization: FloatArray,
    earlier: EarlierFit | None,
    observer: Observer | None,
) -> Iterator[Callable[[], Fit]]:
    """The runs to choose from: one from each start, or one that continues an earlier fit."""
    start_options = _start_options(options, sweep)
    # One stream of random numbers for all starts; to seed it takes as long as an iteration, and given starts need none.
    random_state = functools.cache(lambda: check_random_state(options.random_state))

    def run(start: Parameters, restart: int = 0, lower_bound: float = -np.inf) -> Fit:
        if options.assignment == "soft":
            return _run_soft(options, sweep, regularization, observer, start, restart, lower_bound)
        if options.assignment == "hard":
            assigned = AssignedSweep(sweep, most_probable)
            course, tol = Course(has_settled=lambda: assigned.has_settled), options.tol
        else:
            # Small changes are no convergence.
            assigned = AssignedSweep(sweep, Drawn(int(random_state().randint(2**32, dtype=np.uint64))))
            course, tol = Course("wandering"), 0.0
        stopping = Stopping(tol, options.max_iter)
        return run_em(assigned, start, regularization, stopping, observer, restart, lower_bound, course=course)

    if earlier is not None:
        means = less_origin(earlier.parameters.means, sweep.rows.origin)
        yield lambda: run(replace(earlier.parameters, means=means), lower_bound=earlier.lower_bound)
        return
    for restart in range(options.n_init):

        def run_from_start(restart: int = restart) -> Fit:
            start = start_options.given(sweep.family)
            return run(start or make_start(sweep, start_options, regularization, random_state()), restart)

        yield run_from_start


def _run_soft(
    options: Options,
    sweep: InMemory,
    regularization: FloatArray,
    observer: Observer | None,
    start: Parameters,
    restart: int,
    lower_bound: float,
) -> Fit:
    """EM from a start, annealed and accelerated as the options say."""
    stopping = Stopping(options.tol, options.max_iter)

    def stage(start: Parameters, course: Course) -> Fit:
        bounded = BoundedSweep(tempered_sweep(sweep, course.exponent))
        bound = lower_bound if options.annealing is None else -np.inf
        return run_em(bounded, start, regularization, stopping, observer, restart, bound, course=course)

    def whole(loop: Literal["em", "accelerated"]) -> Fit:
        if options.annealing is None:
            return stage(start, Course(loop))
        return annealed(lambda start, course: stage(start, replace(course, loop=loop)), start, options.annealing)

    if options.accelerate is not None:
        # Where extrapolations led to a degenerate component, plain EM has its say.
        with suppress(DegenerateComponentError):
            return whole("accelerated")
    return whole("em")


def _start_options(options: Options, sweep: InMemory) -> StartOptions:
    given = options.weights_init, options.means_init, options.precisions_init
    weights, means, covariances = check_given_start(sweep.family, *given, options.n_components, sweep.rows.shape[1])
    origin, method = sweep.rows.origin, options.init_params
    means = None if means is None else less_origin(means, origin)
    method = _counted_from(origin, method) if callable(method) else method
    return StartOptions(method, options.n_components, weights, means, covariances)


def _among_the_data(observers: Sequence[Observer], origin: FloatArray | None) -> Observer:
    """Shows all observers the same step, with means among the values of the data; one that stops stops the run."""

    def show(step: Step) -> None:
        assert step.parameters is not None
        shown, is_stopped = replace(step, parameters=plus_origin(step.parameters, origin)), False
        for observer in observers:
            try:
                observer(shown)
            except StopIteration:
                is_stopped = True
        if is_stopped:
            raise StopIteration

    return show


def _counted_from(origin: FloatArray | None, method: StartFunction) -> StartFunction:
    """The user's start, which answers with means among the values of the data or with labels."""

    def answer(values: Array, n_components: int, random_state: np.random.RandomState) -> Array:
        found = np.asarray(method(values, n_components, random_state))
        are_means = found.shape == (n_components, values.shape[1]) and found.dtype.kind in "iuf"
        return less_origin(found.astype(np.float64), origin) if are_means else found

    return answer
