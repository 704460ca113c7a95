"""From hyper-parameters and rows to the best fit: a run of EM for each start, the choice, the warning."""

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.data.origin import counted_from_origin, less_origin, plus_origin
from fastgmm.data.patterns import without_empty_rows
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.data.validation import in_moderate_unit
from fastgmm.families import FAMILIES
from fastgmm.families.check import check_given_start
from fastgmm.fit.assignment import run_as_assigned
from fastgmm.fit.constant_features import require_variances
from fastgmm.fit.fixed import fixed_of, require_values
from fastgmm.fit.labelled import require_possible
from fastgmm.fit.options import Options, check_random_state
from fastgmm.fit.outcome import warning_about
from fastgmm.fit.posterior import Constraints
from fastgmm.fit.prior import Prior, log_prior_of, resolved_prior
from fastgmm.fit.regularization import regularization_of
from fastgmm.fit.restarts import best_of_restarts
from fastgmm.fit.runs import Fit, Observer, Step, Stopping, run_em
from fastgmm.fit.starts import StartFunction, StartOptions, make_start
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import can_be_shared, work_of
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Array, FloatArray, Names, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing
from fastgmm.sweeps.sweep import Sweep

logger = logging.getLogger("fastgmm")


@dataclass(frozen=True, eq=False)
class EarlierFit:
    """Where a warm start continues."""

    parameters: Parameters
    lower_bound: float


def fit_rows(
    options: Options,
    rows: Rows,
    earlier: EarlierFit | None,
    observers: Sequence[Observer] = (),
    of_features: Names | None = None,
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """The best fit of validated rows, the steps of all starts, and what is to be said about it.

    Parameters
    ----------
    earlier : EarlierFit or None
        To be continued, instead of starting anew.
    observers : sequence of callables
        Of the steps of all starts.
    of_features : ndarray of str, optional
        Their names, for warnings.
    """
    deadline = math.inf if options.deadline is None else time.perf_counter() + options.deadline
    rows, unit = in_moderate_unit(rows)
    facts = Facts(rows)
    n_missing = _count_of_missing(facts)
    if rows.has_missing and not callable(options.init_params):  # who wants to see the rows as they are
        rows = without_empty_rows(rows, facts.patterns)
        facts = facts if rows is facts.rows else Facts(rows)
    facts = with_room_for_squares(facts)
    regularization = regularization_of(options.reg_covar, facts)
    # Absurd values end in an error that names them, not in warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        facts = counted_from_origin(facts)
        origin = facts.rows.origin
        wishes = options.backend, options.n_threads
        sweep = suited_sweep(facts, options.covariance_type, options.n_components, *wishes, deadline)
        held = _held(options, facts, sweep, earlier, unit)
        shown = partial(_among_the_values, held, origin)
        observer = _among_the_data(observers, shown) if observers else None
        best, steps = best_of_restarts(runs_of_em(options, sweep, regularization, earlier, observer, held))
        best = replace(best, parameters=shown(best.parameters), n_missing=n_missing)
        fixed: tuple[int, ...] = ()
        if held is not None:
            n_fixed = held.constraints.fixed.n_parameters(sweep.family, facts.rows.shape[1])
            best = replace(best, prior=held.prior, n_fixed_parameters=n_fixed)
            fixed = tuple(np.flatnonzero(held.constraints.fixed.covariances).tolist())
        return best, steps, warning_about(options, facts, best, regularization, fixed, of_features)


def _count_of_missing(facts: Facts) -> int:
    """How many values are missing, which the log tells."""
    if not facts.rows.has_missing:
        return 0
    n_missing, n_complete = facts.patterns.n_missing, len(facts.patterns.complete)
    n_rows, n_features = facts.rows.shape
    logger.info(
        "%s of %s values are missing, in %s of %s rows",
        *(f"{count:,}" for count in (n_missing, n_rows * n_features, n_rows - n_complete, n_rows)),
    )
    return n_missing


@dataclass(frozen=True, eq=False)
class Held:
    """What a fit is held by: a prior, and what is fixed, at the values that were given."""

    prior: Prior | None
    constraints: Constraints
    values: Parameters


def _held(
    options: Options, facts: Facts, sweep: InMemory | IncompleteSweep, earlier: EarlierFit | None, unit: float
) -> Held | None:
    """None where neither a prior nor anything fixed was asked for; ``ValueError`` where it makes no sense.

    A prior is worth rows of weight 1 as users count, which weigh ``unit`` here.
    """
    if options.prior is None and not options.fixed:
        return None
    family, shape = sweep.family, (options.n_components, facts.rows.shape[1])
    fixed = fixed_of(options.fixed, family, shape[0])
    given = check_given_start(family, options.weights_init, options.means_init, options.precisions_init, *shape)
    if earlier is not None:
        values = earlier.parameters
    else:
        require_values(options.fixed, fixed, given)
        nothing = np.zeros(shape[0]), np.zeros(shape), np.zeros(family.covariance_shape(*shape))
        values = Parameters(family.name, *(b if a is None else a for a, b in zip(given, nothing, strict=True)))
    prior = resolved_prior(options.prior, family, shape[0], facts, sweep, unit)
    log_prior = log_prior_of(prior, family, *shape, facts.rows.origin).scaled(unit)
    return Held(prior, Constraints(log_prior, fixed), values)


def _among_the_values(held: Held | None, origin: FloatArray | None, parameters: Parameters) -> Parameters:
    """A read-only copy with means among the values of the data, and what is fixed as it was given."""
    shown = plus_origin(parameters, origin)
    if origin is None or held is None:
        return shown
    is_fixed = held.constraints.fixed.means[:, np.newaxis]
    means = np.where(is_fixed, held.values.means, shown.means)
    means.flags.writeable = False
    return replace(shown, means=means)


def suited_sweep(
    facts: Facts,
    covariance_type: str,
    n_components: int,
    backend: str,
    n_threads: int | None,
    deadline: float = math.inf,
) -> InMemory | IncompleteSweep:
    """A sweep over the rows with the backend and the threads that suit their shape, unless they were asked for."""
    chosen = get_backend(backend, work_of(*facts.rows.shape, n_components))
    threads = resolve_n_threads(n_threads, can_be_shared(facts.rows.shape[0]))
    return suited_to_missing(facts, FAMILIES[covariance_type], chosen, threads, deadline)


def runs_of_em(
    options: Options,
    sweep: InMemory | IncompleteSweep,
    regularization: FloatArray,
    earlier: EarlierFit | None,
    observer: Observer | None,
    held: Held | None = None,
) -> Iterator[Callable[[], Fit]]:
    """The runs to choose from: one from each start, or one that continues an earlier fit."""
    constraints, regularization_of_start = None, regularization
    if held is not None:
        constraints, total_weight = held.constraints, sweep.facts.rows.total_weight
        regularization_of_start = constraints.regularization_of_start(sweep.family, regularization, total_weight)
    is_fixed = constraints is not None and constraints.fixed.is_everything
    stopping, origin = Stopping(options.tol, options.max_iter, is_fixed), sweep.facts.rows.origin
    start_options = _start_options(options, sweep)
    # One stream of random numbers for all starts; to seed it takes as long as an iteration, and given starts need none.
    random_state = functools.cache(lambda: check_random_state(options.random_state))

    def run(start: Parameters, restart: int = 0, lower_bound: float = -np.inf) -> Fit:
        require_possible(sweep.facts.rows, start.weights)
        if options.max_iter > 0:
            require_variances(sweep, start, regularization, constraints)
        who = partial(run_em, observer=observer, restart=restart)
        em = partial(who, regularization=regularization, constraints=constraints)
        return run_as_assigned(options, sweep, start, em, stopping, lower_bound, random_state)

    if earlier is not None:
        means = less_origin(earlier.parameters.means, origin)
        yield lambda: run(replace(earlier.parameters, means=means), lower_bound=earlier.lower_bound)
        return
    for restart in range(options.n_init):

        def run_from_start(restart: int = restart) -> Fit:
            start = start_options.given(sweep.family)
            return run(start or make_start(sweep, start_options, regularization_of_start, random_state()), restart)

        yield run_from_start


def _start_options(options: Options, sweep: Sweep) -> StartOptions:
    rows = sweep.facts.rows
    given = options.weights_init, options.means_init, options.precisions_init
    weights, means, covariances = check_given_start(sweep.family, *given, options.n_components, rows.shape[1])
    origin, method = rows.origin, options.init_params
    means = None if means is None else less_origin(means, origin)
    method = _counted_from(origin, method) if callable(method) else method
    return StartOptions(method, options.n_components, weights, means, covariances)


def _among_the_data(observers: Sequence[Observer], among_the_values: Callable[[Parameters], Parameters]) -> Observer:
    """Shows all observers the same step, with means among the values of the data; one that stops stops the run."""

    def show(step: Step) -> None:
        assert step.parameters is not None
        shown, is_stopped = replace(step, parameters=among_the_values(step.parameters)), False
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
