"""Expectation-maximization: the loop, and the choice among restarts."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fastgmm.data.origin import plus_origin
from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.acceleration import Jump, Trail, extrapolate
from fastgmm.fit.degenerate import degenerate_components, model_or_explanation
from fastgmm.fit.maximize import maximize
from fastgmm.machine.pieces import converted
from fastgmm.parameters import FloatArray, Model, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import AnySweep
from fastgmm.sweeps.in_memory import DeadlineError

logger = logging.getLogger("fastgmm")

# Rounding moves a lower bound by a smaller share of it (of 1 where it is smaller) than this, by the data's dtype.
_ROUNDING = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}


@dataclass(frozen=True, eq=False)
class Step:
    """One iteration of EM, as callbacks and ``history_`` see it.

    Attributes
    ----------
    restart, iteration : int
        Restarts count from 0, iterations from 1.
    lower_bound : float
        The mean log-likelihood per unit of weight, under the parameters before this iteration's M-step.
    change : float
        Of ``lower_bound`` since the iteration before; ``inf`` in the first.
    converged : bool
        Whether the change was smaller than ``tol``, and no fall (but one from where an extrapolation led).
    seconds : float
        Duration of the iteration.
    parameters : Parameters or None
        After the M-step, read-only. None in ``history_``, which would otherwise hold every model of a fit.
    accepted : bool
        False where the iteration tried an extrapolation (``accelerate="squarem"``) that did not reach the lower bound
        before it: ``lower_bound`` and ``parameters`` are those before it, and ``change`` is by how much it fell short.
    fell : bool
        Whether the lower bound fell by more than rounding, 1e-12 of it (1e-6 for float32). EM alone makes it rise; what
        ``reg_covar`` adds to every covariance then is no part of it, and outweighs that where it is felt.

    Examples
    --------
    A small change means that EM is slow here, not that it is near the end. On a plateau the default ``tol`` stops it;
    a smaller one goes on, and the history shows changes that grow again:

    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> noise = np.random.RandomState(0).normal(size=(1000, 1))
    >>> x = np.concatenate([noise - 2, noise + 2])
    >>> start = {"means_init": [[-0.4], [0.4]], "precisions_init": [[[0.2]], [[0.2]]]}
    >>> early = GaussianMixture(2, **start).fit(x)
    >>> print(early.converged_, early.n_iter_, early.means_.ravel().round(1))
    True 2 [-0.4  0.4]
    >>> late = GaussianMixture(2, tol=1e-6, **start).fit(x)
    >>> print([f"{step.change:.0e}" for step in late.history_[1:6]])
    ['5e-04', '6e-06', '6e-06', '7e-06', '8e-06']
    >>> print(late.converged_, late.n_iter_, late.means_.ravel().round(1))
    True 53 [-2.1  1.9]
    """

    restart: int
    iteration: int
    lower_bound: float
    change: float
    converged: bool
    seconds: float
    parameters: Parameters | None
    accepted: bool = True
    fell: bool = False


Observer = Callable[[Step], None]
StopReason = Literal["converged", "max_iter", "deadline", "callback"]


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of one run of EM, or of the best of several; or parameters that were given (``stop_reason`` None).

    Of several runs ``stop_reason`` is what ended the last where that was cut short, also if the best one converged.
    ``precisions_cholesky`` are those of the parameters. ``degenerate`` and ``collapsed`` are components: see
    :class:`fastgmm.fit.degenerate.Degenerate`.
    """

    parameters: Parameters
    precisions_cholesky: FloatArray
    lower_bound: float
    converged: bool
    stop_reason: StopReason | None
    steps: tuple[Step, ...]
    degenerate: tuple[int, ...]
    collapsed: tuple[int, ...] = ()

    @property
    def was_cut_short(self) -> bool:
        """Whether something outside EM ended it, which ends restarts as well."""
        return self.stop_reason in ("deadline", "callback")


@dataclass(frozen=True, eq=False)
class Stopping:
    """When EM ends: after ``max_iter`` iterations, or once a step of EM changes the lower bound by less than ``tol``.

    A fall of the bound is no convergence, however small: a maximum was passed, and EM is on its way to somewhere else.
    Once an extrapolation was accepted, two small changes in a row are asked for: a single one may be small because the
    extrapolation led to a flat place that EM would have passed at speed. They may be falls, since it may also have led
    above the place where regularized EM settles.
    """

    tol: float
    max_iter: int


def run_em(
    sweep: AnySweep,
    start: Parameters,
    regularization: FloatArray,
    stopping: Stopping,
    observers: Sequence[Observer] = (),
    restart: int = 0,
    lower_bound: float = -np.inf,
    accelerate: bool = False,
    is_logged: bool = True,
) -> Fit:
    """Repeat prepare, sweep, maximize from ``start`` until the likelihood has settled.

    It also ends when the sweep's deadline passes, where the iteration that was begun is lost, and after an iteration
    for which an observer raises ``StopIteration``.

    Parameters
    ----------
    start : Parameters
        Whose means, as those of all iterates, are less the origin of the rows; those of steps and fits are not.
    regularization : ndarray of shape (n_features,)
        Added to the diagonal of every covariance.
    lower_bound : float
        That of an earlier fit which is continued.
    accelerate : bool
        Whether a sweep may be given extrapolated parameters instead of the last M-step's.
    is_logged : bool
        False for the steps that lead to a start, which are no iterations of the fit.

    Returns
    -------
    Fit
        Its parameters are the M-step of the last accepted sweep, whose lower bound it has.

    Raises
    ------
    DegenerateComponentError
        When a covariance stops being positive definite.
    """
    state = _State(model_or_explanation(sweep, start), lower_bound)
    trail, quiet_steps = Trail((start,)), 0
    stop_reason: StopReason = "max_iter"
    steps: list[Step] = []
    for iteration in range(1, stopping.max_iter + 1):
        began = time.perf_counter()
        jump = extrapolate(sweep, trail, regularization) if accelerate else None
        try:
            if jump is None:
                reached = _em_step(sweep, state.model, regularization)
            else:
                reached = _try_jump(sweep, jump, regularization)
        except DeadlineError:
            stop_reason = "deadline"
            break
        change = reached.lower_bound - state.lower_bound
        accepted = jump is None or change >= 0.0
        state = reached if accepted else state
        if accelerate:
            trail = trail.after(state.model.parameters, jump, accepted)
        fell = accepted and change < -_ROUNDING[sweep.rows.values.dtype] * max(1.0, abs(state.lower_bound))
        is_quiet = jump is None and abs(change) < stopping.tol and (trail.has_jumped or not fell)
        quiet_steps = quiet_steps + 1 if is_quiet else 0
        converged = quiet_steps >= (2 if trail.has_jumped else 1)
        seconds = time.perf_counter() - began
        step = Step(restart, iteration, state.lower_bound, change, converged, seconds, None, accepted, fell)
        steps.append(step)
        if is_logged:
            _log_step(step)
        go_on = _tell(observers, step, state.model.parameters, sweep.rows)
        if converged or not go_on:
            stop_reason = "converged" if converged else "callback"
            break
    if is_logged:
        _log_falls(steps)
    degenerate = degenerate_components(sweep, state.model, regularization)
    converged = stop_reason == "converged"
    matrices = _as_shown(state.model.parameters, sweep.rows), state.model.precisions_cholesky
    return Fit(*matrices, state.lower_bound, converged, stop_reason, tuple(steps), *degenerate)


@dataclass(frozen=True, eq=False)
class _State:
    """Where EM stands: the model of the next sweep, and the lower bound of the one that it was made from."""

    model: Model
    lower_bound: float


def _log_step(step: Step) -> None:
    remark = ", it fell" if step.fell else "" if step.accepted else ", extrapolation not accepted"
    logger.debug("restart %d iteration %d: lower bound %.9g%s", step.restart, step.iteration, step.lower_bound, remark)


def _log_falls(steps: list[Step]) -> None:
    falls = [-step.change for step in steps if step.fell]
    if falls:
        logger.info(
            "restart %d: regularization or rounding made the lower bound fall in %d of %d iterations, by up to %.3g",
            steps[0].restart,
            len(falls),
            len(steps),
            max(falls),
        )


def _tell(observers: Sequence[Observer], step: Step, parameters: Parameters, rows: Rows) -> bool:
    """Show a step to all observers, if there are any; whether none of them wants to stop."""
    go_on = True
    shown = replace(step, parameters=_as_shown(parameters, rows)) if observers else step
    for observer in observers:
        try:
            observer(shown)
        except StopIteration:
            go_on = False
    return go_on


def _em_step(sweep: AnySweep, model: Model, regularization: FloatArray) -> _State:
    moments = sweep(model.prepared)
    parameters = maximize(sweep.family, moments, model.parameters.means, regularization)
    bound = moments.log_likelihood / moments.total_weight
    return _State(model_or_explanation(sweep, parameters, moments.counts), bound)


def _try_jump(sweep: AnySweep, jump: Jump, regularization: FloatArray) -> _State:
    """The step of EM from extrapolated parameters; one that leads to a degenerate component counts as impossible."""
    try:
        return _em_step(sweep, jump.model, regularization)
    except DegenerateComponentError:
        return _State(jump.model, -np.inf)


def best_of_restarts(runs: Iterable[Callable[[], Fit]]) -> tuple[Fit, tuple[Step, ...]]:
    """Run every restart; return the best fit and the steps of all.

    A fit without collapsed components beats one with some, whatever the likelihoods: a component that collapsed
    onto a few points has a likelihood without bound and no meaning. A restart that fails is passed over while
    another succeeds. One that is cut short is the last, and says why the best of all is what it is.
    """
    best: Fit | None = None
    steps: list[Step] = []
    failure: DegenerateComponentError | None = None
    for restart, run in enumerate(runs):
        try:
            fit = run()
        except DegenerateComponentError as error:
            logger.debug("restart %d failed: %s", restart, error)
            failure = failure or error
            continue
        steps.extend(fit.steps)
        if best is None or merit(fit) > merit(best):
            best = fit
        if fit.was_cut_short:
            best = replace(best, stop_reason=fit.stop_reason)
            break
    if best is None:
        assert failure is not None, "a fit has at least one restart"
        raise failure
    return best, tuple(steps)


def merit(fit: Fit) -> tuple[bool, float]:
    """By which fits from different starts are compared: the largest is the best."""
    return not fit.collapsed, fit.lower_bound


def _as_shown(parameters: Parameters, rows: Rows) -> Parameters:
    """A copy that is read-only, with means among the values of the data."""
    means = plus_origin(parameters.means, rows)
    copies = [converted(array, np.float64) for array in (parameters.weights, means, parameters.covariances)]
    for copy in copies:
        copy.flags.writeable = False
    return Parameters(parameters.covariance_type, *copies)
