"""Runs of EM over rows in memory: when one ends, who sees its steps, and the choice among several."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fastgmm.data.origin import plus_origin
from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.acceleration import accelerated
from fastgmm.fit.degenerate import degenerate_components, explanation_of
from fastgmm.fit.em import Iterate, em
from fastgmm.fit.update import Likelihood, NoModelError
from fastgmm.machine.pieces import converted
from fastgmm.parameters import FloatArray, Parameters
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
    update = Likelihood(sweep.family, regularization, sweep.rows.values.dtype)
    iterates = (accelerated if accelerate else em)(update, start, lower_bound)
    judge, steps = _Judge(stopping, restart, _ROUNDING[update.dtype]), list[Step]()
    stop_reason: StopReason = "max_iter"
    try:
        iterate = next(iterates)
        for iteration in range(1, stopping.max_iter + 1):
            began = time.perf_counter()
            iterate = iterates.send(sweep(iterate.asked.prepared))
            judge, step = judge.after(iterate, iteration, time.perf_counter() - began)
            steps.append(step)
            if is_logged:
                _log_step(step)
            go_on = _tell(observers, step, iterate.model.parameters, sweep.rows)
            if step.converged or not go_on:
                stop_reason = "converged" if step.converged else "callback"
                break
    except DeadlineError:
        stop_reason = "deadline"
    except NoModelError as error:
        raise explanation_of(sweep, error) from error
    if is_logged:
        _log_falls(steps)
    model = iterate.model
    degenerate = degenerate_components(sweep, model, regularization)
    converged = stop_reason == "converged"
    matrices = _as_shown(model.parameters, sweep.rows), model.precisions_cholesky
    return Fit(*matrices, iterate.lower_bound, converged, stop_reason, tuple(steps), *degenerate)


@dataclass(frozen=True, eq=False)
class _Judge:
    """Whether a run has settled: see :class:`Stopping`.

    ``rounding`` moves a lower bound by a smaller share of it.
    """

    stopping: Stopping
    restart: int
    rounding: float
    quiet_steps: int = 0

    def after(self, iterate: Iterate, iteration: int, seconds: float) -> tuple["_Judge", Step]:
        """The step that led to an iterate, and the judge of the next one."""
        change, bound = iterate.change, iterate.lower_bound
        fell = iterate.accepted and change < -self.rounding * max(1.0, abs(bound))
        is_quiet = not iterate.is_jump and abs(change) < self.stopping.tol and (iterate.has_jumped or not fell)
        quiet_steps = self.quiet_steps + 1 if is_quiet else 0
        converged = quiet_steps >= (2 if iterate.has_jumped else 1)
        step = Step(self.restart, iteration, bound, change, converged, seconds, None, iterate.accepted, fell)
        return replace(self, quiet_steps=quiet_steps), step


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
