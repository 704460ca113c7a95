"""From hyper-parameters and rows to the best fit: a run of EM for each start, the choice, the warning."""

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.facts import overview_of
from fastgmm.data.facts import Facts
from fastgmm.data.origin import counted_from_origin, less_origin, plus_origin
from fastgmm.data.patterns import without_empty_rows
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.data.weights import in_moderate_unit
from fastgmm.families import FAMILIES
from fastgmm.families.check import check_given_start
from fastgmm.families.noise import Noise
from fastgmm.fit.assignment import run_as_assigned
from fastgmm.fit.checkpoint import Checkpoint, CheckpointStore, checkpoint_of
from fastgmm.fit.constant_features import require_variances
from fastgmm.fit.fixed import fixed_of, require_values
from fastgmm.fit.identity import identity_of
from fastgmm.fit.labelled import require_possible, rows_of_a_component
from fastgmm.fit.noise import WithNoise, weight_of_noise, with_share_of_noise, without_noise
from fastgmm.fit.options import Options, check_random_state, seed_of
from fastgmm.fit.outcome import warning_about
from fastgmm.fit.posterior import Constraints
from fastgmm.fit.prior import Prior, log_prior_of, resolved_prior
from fastgmm.fit.regularization import regularization_of
from fastgmm.fit.restarts import best_of_restarts
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.starts import StartFunction, StartOptions, make_start, rows_of_a_sample
from fastgmm.fit.steps import Fit, Observer, Step, together
from fastgmm.fit.wanted_noise import noise_of
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import can_be_shared, work_of
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Array, FloatArray, Names, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing
from fastgmm.sweeps.over_blocks import AnySweep, OverBlocks
from fastgmm.sweeps.sweep import Sweep
from fastgmm.sweeps.uncertain import UncertainSweep, with_known_errors

logger = logging.getLogger("fastgmm")


@dataclass(frozen=True, eq=False)
class EarlierFit:
    """Where a warm start continues."""

    parameters: Parameters
    lower_bound: float
    noise_weight: float = 0.0


def fit_rows(
    options: Options,
    rows: Rows,
    earlier: EarlierFit | None,
    observers: Sequence[Observer] = (),
    of_features: Names | None = None,
    store: CheckpointStore | None = None,
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
    store : CheckpointStore or None
        Where the fit is saved, so that it can go on in another process.
    """
    deadline = _deadline_of(options)
    rows, unit = in_moderate_unit(rows)
    facts = Facts(rows)
    n_missing = _count_of_missing(facts)
    # Absurd values end in an error that names them, not in warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        # A callable start wants to see the rows as they are.
        facts = facts_to_fit(facts, with_empty_rows=callable(options.init_params))
        wishes = options.backend, options.n_threads
        sweep = sweep_over(facts, options.family, options.n_components, *wishes, deadline)
        return _best_fit(options, sweep, unit, n_missing, earlier, observers, of_features, store)


def facts_to_fit(facts: Facts, with_empty_rows: bool = False) -> Facts:
    """Facts about the rows that are fitted to: those with a value, less an origin, and room for squares."""
    rows = facts.rows
    if rows.has_missing and not with_empty_rows:
        informative = without_empty_rows(rows, facts.patterns)
        facts = facts if informative is rows else Facts(informative)
    return counted_from_origin(with_room_for_squares(facts))


def fit_blocks(
    options: Options,
    blocks: Blocks,
    earlier: EarlierFit | None,
    observers: Sequence[Observer] = (),
    of_features: Names | None = None,
    store: CheckpointStore | None = None,
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """The same of rows that come in blocks, which one pass looks at first."""
    deadline = _deadline_of(options)
    n_components, n_features = options.n_components, blocks.form.n_features
    kept = rows_of_a_sample(n_components, n_features), rows_of_a_component(n_features)
    overview = overview_of(blocks, n_components, *kept, options.n_threads, with_digest=store is not None)
    facts, family = overview.facts, FAMILIES[options.family]
    n_missing = _count_of_missing(facts)
    backend = get_backend(options.backend, work_of(facts.n_rows, n_features, n_components))
    what = facts, overview.for_starts, blocks, overview.reading
    with np.errstate(over="ignore", invalid="ignore"):
        sweep = OverBlocks(*what, family, backend, options.n_threads, deadline).with_scatter()
        return _best_fit(options, sweep, overview.reading.unit, n_missing, earlier, observers, of_features, store)


def _deadline_of(options: Options) -> float:
    return math.inf if options.deadline is None else time.perf_counter() + options.deadline


def _best_fit(
    options: Options,
    sweep: AnySweep,
    unit: float,
    n_missing: int,
    earlier: EarlierFit | None,
    observers: Sequence[Observer],
    of_features: Names | None,
    store: CheckpointStore | None,
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """That of rows which are ready to be visited, what weighs 1 as users count weighing ``unit``."""
    facts, origin = sweep.facts, sweep.facts.rows.origin
    regularization = regularization_of(options.reg_covar, facts)
    held, noise = held_of(options, facts, sweep, earlier, unit), noise_of(options, facts)
    shown = partial(among_the_values, held, origin)
    observer = among_the_data(observers, shown) if observers else None
    checkpoint = None if store is None else _checkpoint(store, options, sweep, unit, earlier)
    runs = runs_of_em(options, sweep, regularization, earlier, observer, held, checkpoint, noise)
    with nullcontext() if checkpoint is None else checkpoint.saved_at_the_end():
        best, steps = best_of_restarts(runs)
    best = replace(best, parameters=shown(best.parameters), n_missing=n_missing)
    fixed: tuple[int, ...] = ()
    if noise is not None:
        share = weight_of_noise(best.parameters)
        best = replace(best, parameters=without_noise(best.parameters), noise=noise, noise_weight=share)
    if held is not None:
        n_fixed = held.constraints.fixed.n_parameters(sweep.family, facts.rows.shape[1])
        best = replace(best, prior=held.prior, n_fixed_parameters=n_fixed)
        fixed = tuple(np.flatnonzero(held.constraints.fixed.covariances).tolist())
    return best, steps, warning_about(options, facts, best, regularization, fixed, of_features)


def _checkpoint(
    store: CheckpointStore, options: Options, sweep: AnySweep, unit: float, earlier: EarlierFit | None
) -> Checkpoint:
    if options.assignment == "stochastic":
        raise ValueError("a fit with assignment='stochastic' cannot be kept in a checkpoint")
    start = None if earlier is None else (earlier.parameters, earlier.lower_bound)
    identity = identity_of(options, sweep.facts.digest, unit=unit, backend=sweep.backend.name, start=start)
    return checkpoint_of(store, identity, partial(seed_of, options.random_state))


def _count_of_missing(facts: Facts) -> int:
    """How many values are missing, which the log tells."""
    if not facts.rows.has_missing:
        return 0
    logger.info(
        "%s of %s values are missing, in %s of %s rows",
        *(
            f"{count:,}"
            for count in (
                facts.n_missing,
                facts.n_rows * facts.rows.shape[1],
                facts.n_rows - facts.n_complete,
                facts.n_rows,
            )
        ),
    )
    return facts.n_missing


@dataclass(frozen=True, eq=False)
class Held:
    """What a fit is held by: a prior, and what is fixed, at the values that were given."""

    prior: Prior | None
    constraints: Constraints
    values: Parameters


def held_of(options: Options, facts: Facts, sweep: AnySweep, earlier: EarlierFit | None, unit: float) -> Held | None:
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
    measured = sweep.as_measured if isinstance(sweep, UncertainSweep) else sweep
    prior = resolved_prior(options.prior, family, shape[0], facts, measured, unit)
    log_prior = log_prior_of(prior, family, *shape, facts.rows.origin).scaled(unit)
    return Held(prior, Constraints(log_prior, fixed), values)


def among_the_values(held: Held | None, origin: FloatArray | None, parameters: Parameters) -> Parameters:
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
    family: str,
    n_components: int,
    backend: str,
    n_threads: int | None,
    deadline: float = math.inf,
) -> InMemory | IncompleteSweep:
    """A sweep over the rows with the backend and the threads that suit their shape, unless they were asked for."""
    chosen = get_backend(backend, work_of(*facts.rows.shape, n_components))
    threads = resolve_n_threads(n_threads, can_be_shared(facts.rows.shape[0]))
    return suited_to_missing(facts, FAMILIES[family], chosen, threads, deadline)


def sweep_over(
    facts: Facts,
    family: str,
    n_components: int,
    backend: str,
    n_threads: int | None,
    deadline: float = math.inf,
) -> InMemory | IncompleteSweep | UncertainSweep:
    """The same, of the true values where the errors of the rows are known."""
    how = family, n_components, backend, n_threads, deadline
    if facts.rows.errors is None:
        return suited_sweep(facts, *how)
    return with_known_errors(facts, suited_sweep(facts.as_measured(), *how))


def runs_of_em(
    options: Options,
    sweep: AnySweep,
    regularization: FloatArray,
    earlier: EarlierFit | None,
    observer: Observer | None,
    held: Held | None = None,
    checkpoint: Checkpoint | None = None,
    noise: Noise | None = None,
) -> Iterator[Callable[[], Fit]]:
    """The runs to choose from: one from each start, or one that continues an earlier fit."""
    constraints, regularization_of_start = None, regularization
    if held is not None:
        constraints, total_weight = held.constraints, sweep.facts.total_weight
        regularization_of_start = constraints.regularization_of_start(sweep.family, regularization, total_weight)
    is_fixed = constraints is not None and constraints.fixed.is_everything
    stopping, origin = Stopping(options.tol, options.max_iter, is_fixed), sweep.facts.rows.origin
    start_options = _start_options(options, sweep)
    # One stream of random numbers for all starts; to seed it takes as long as an iteration, and given starts need none.
    draw = partial(check_random_state, options.random_state) if checkpoint is None else checkpoint.random_state
    random_state = functools.cache(draw)

    def run(start: Parameters, restart: int = 0, lower_bound: float = -np.inf) -> Fit:
        require_possible(sweep.facts, start.weights)
        if options.max_iter > 0:
            require_variances(sweep, start, regularization, constraints)
        enclosing = None if noise is None else partial(WithNoise, noise=noise)
        who = partial(run_em, observer=observer, restart=restart, checkpoint=checkpoint, enclosing=enclosing)
        em = partial(who, regularization=regularization, constraints=constraints)
        how = stopping, lower_bound, random_state, checkpoint is not None
        return run_as_assigned(options, sweep, start, em, *how)

    if earlier is not None:
        means = less_origin(earlier.parameters.means, origin)
        start = replace(earlier.parameters, means=means)
        if earlier.noise_weight > 0:
            start = replace(start, weights=start.weights * (1.0 - earlier.noise_weight))
        else:  # noise that was not there would stay away
            start = with_share_of_noise(start, noise)
        yield lambda: run(start, lower_bound=earlier.lower_bound)
        return
    for restart in range(options.n_init):

        def run_from_start(restart: int = restart) -> Fit:
            start = start_options.given(sweep.family)
            start = start or make_start(sweep, start_options, regularization_of_start, random_state())
            return run(with_share_of_noise(start, noise), restart)

        yield run_from_start


def _start_options(options: Options, sweep: Sweep) -> StartOptions:
    rows = sweep.facts.rows
    given = options.weights_init, options.means_init, options.precisions_init
    weights, means, covariances = check_given_start(sweep.family, *given, options.n_components, rows.shape[1])
    origin, method = rows.origin, options.init_params
    means = None if means is None else less_origin(means, origin)
    method = _counted_from(origin, method) if callable(method) else method
    return StartOptions(method, options.n_components, weights, means, covariances)


def among_the_data(observers: Sequence[Observer], among_the_values: Callable[[Parameters], Parameters]) -> Observer:
    """Shows all observers the same step, with means among the values of the data; one that stops stops the run."""

    shows = together(observers)

    def show(step: Step) -> None:
        assert step.parameters is not None
        shows(replace(step, parameters=among_the_values(step.parameters)))

    return show


def _counted_from(origin: FloatArray | None, method: StartFunction) -> StartFunction:
    """The user's start, which answers with means among the values of the data or with labels."""

    def answer(values: Array, n_components: int, random_state: np.random.RandomState) -> Array:
        found = np.asarray(method(values, n_components, random_state))
        are_means = found.shape == (n_components, values.shape[1]) and found.dtype.kind in "iuf"
        return less_origin(found.astype(np.float64), origin) if are_means else found

    return answer
