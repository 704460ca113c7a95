"""Runs of EM: who drives them, when one ends, and who sees its steps."""

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from fastgmm.fit.acceleration import accelerated
from fastgmm.fit.checkpoint import Checkpoint, SavedRun
from fastgmm.fit.degenerate import Degenerate, degenerate_components, explanation_of
from fastgmm.fit.em import Iterate, em
from fastgmm.fit.posterior import Constraints, update_of
from fastgmm.fit.steps import Fit, Observer, Step, StopReason
from fastgmm.fit.unobserved import WithUnobserved, unobserved_of
from fastgmm.fit.update import GaussianUpdate, NoModelError, Tempered, Update
from fastgmm.fit.wandering import Visited, enough_points, wandering
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters
from fastgmm.sweeps.sweep import DeadlineError, Passes, Sweep

logger = logging.getLogger("fastgmm")

# Rounding moves a lower bound by a smaller share of it (of 1 where it is smaller) than this, by the data's dtype.
ROUNDING = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}


@dataclass(frozen=True, eq=False)
class Stopping:
    """When EM ends: after ``max_iter`` iterations, or once a step of EM changes the lower bound by less than ``tol``.

    A fall of the bound is no convergence, however small: a maximum was passed, and EM is on its way to somewhere else.
    Once an extrapolation was accepted, two small changes in a row are asked for: a single one may be small because the
    extrapolation led to a flat place that EM would have passed at speed. They may be falls, since it may also have led
    above the place where regularized EM settles. Where everything ``is_fixed``, the first iteration is the last. Where
    rows belong to one component each, EM may come to rest: with ``at_rest`` it also ends once an iteration has changed
    neither the counts of components nor, but for rounding, the lower bound.
    """

    tol: float
    max_iter: int
    is_fixed: bool = False
    at_rest: bool = False


@dataclass(frozen=True)
class Course:
    """How a run goes, where it is not plain EM.

    Attributes
    ----------
    is_accelerated : bool
        Whether a sweep may be given extrapolated parameters instead of the last M-step's.
    exponent : float
        To which joint densities are raised; the sweep is over rows of which what is believed is, too.
    n_before : int
        The iterations of runs that this one continues.
    is_last : bool
        Whether no other run continues this one.
    wanders : bool
        Whether it settles nowhere, so that it ends with the best model that it has visited.
    """

    is_accelerated: bool = False
    exponent: float = 1.0
    n_before: int = 0
    is_last: bool = True
    wanders: bool = False


_PLAIN = Course()


def run_em(
    sweep: Sweep,
    start: Parameters,
    regularization: FloatArray,
    stopping: Stopping,
    observer: Observer | None = None,
    restart: int = 0,
    lower_bound: float = -np.inf,
    course: Course = _PLAIN,
    is_logged: bool = True,
    constraints: Constraints | None = None,
    checkpoint: Checkpoint | None = None,
    enclosing: Callable[[GaussianUpdate], GaussianUpdate] | None = None,
) -> Fit:
    """Repeat prepare, sweep, maximize from ``start`` until the likelihood has settled.

    It also ends when the sweep's deadline passes, where the iteration that was begun is lost, and after an iteration
    for which the observer raises ``StopIteration``.

    Parameters
    ----------
    regularization : ndarray of shape (n_features,)
        Added to the diagonal of every covariance.
    lower_bound : float
        That of an earlier fit which is continued.
    course : Course
    is_logged : bool
        False for the steps that lead to a start, which are no iterations of the fit.
    constraints : Constraints or None
        A prior, and what stays as it is in the start.
    checkpoint : Checkpoint or None
        What keeps the run, so that it can go on in another process.
    enclosing : callable or None
        Makes the update of all that is estimated from that of weights, means and covariances, where there is more.

    Returns
    -------
    Fit
        Its parameters are the M-step of the last accepted sweep, whose lower bound it has; or the best that it has
        visited, with their own, where it wanders.

    Raises
    ------
    DegenerateComponentError
        When a covariance stops being positive definite.
    """

    def degenerate(model: Model) -> Degenerate:
        found = degenerate_components(sweep, model, regularization)
        return found if constraints is None else constraints.of_the_rows(found)

    update, visited = _update_of_rows(sweep, start, regularization, constraints, course.exponent), None
    update = update if enclosing is None else enclosing(update)
    if course.wanders:
        enough = enough_points(sweep.family, start.means.shape, constraints)
        visited = Visited(enough, lambda model: bool(degenerate(model).collapsed))
    loop = wandering if course.wanders else accelerated if course.is_accelerated else em
    rounding = ROUNDING[sweep.facts.rows.values.dtype]
    judge = Judge(stopping, rounding, degenerate, restart, observer, is_logged, course, visited, checkpoint)
    try:
        return run_of(
            sweep, lambda at: loop(update, at, lower_bound), start, judge, lambda saved: saved.iterate(update)
        )
    except NoModelError as failure:
        raise explanation_of(sweep, failure, "" if constraints is None else constraints.advice) from failure


def run_update(sweep: Passes, update: Update, start: Parameters, judge: "Judge", lower_bound: float = -np.inf) -> Fit:
    """A run of EM for any update, by whatever visits the rows; raises what the update raises.

    Parameters
    ----------
    judge : Judge
    lower_bound : float
        That of an earlier fit which is continued.
    """
    return run_of(sweep, lambda at: em(update, at, lower_bound), start, judge)


@dataclass(frozen=True, eq=False)
class Judge:
    """Who watches a run: when it ends, what is wrong with its outcome, and who sees its steps.

    Attributes
    ----------
    stopping : Stopping
    rounding : float
        By a smaller share of it rounding moves a lower bound.
    degenerate : callable (Model) -> Degenerate
    restart, observer, is_logged, course
        As of ``run_em``.
    visited : Visited or None
        What a run that wanders remembers.
    checkpoint : Checkpoint or None
    """

    stopping: Stopping
    rounding: float
    degenerate: Callable[[Model], Degenerate]
    restart: int = 0
    observer: Observer | None = None
    is_logged: bool = True
    course: Course = _PLAIN
    visited: Visited | None = None
    checkpoint: Checkpoint | None = None


def run_of(
    sweep: Passes,
    loop: Callable[[Parameters | Iterate], Generator[Iterate, Moments, None]],
    start: Parameters,
    judge: Judge,
    iterate_of: Callable[[SavedRun], Iterate] | None = None,
) -> Fit:
    """What comes of a loop's iterates from a start, or from where a checkpoint left them."""
    checkpoint = judge.checkpoint
    outcome = None if checkpoint is None else checkpoint.outcome_of_next_run()
    if outcome is not None:
        return outcome
    saved = None if checkpoint is None else checkpoint.saved_run()
    iterates = loop(start if saved is None or iterate_of is None else iterate_of(saved))
    watched = judge.restart, judge.observer, judge.is_logged, judge.course, judge.visited, checkpoint
    run = Run(iterates, judge.stopping, judge.rounding, *watched)
    if saved is not None:
        run.go_on_from(saved)
    drive(sweep, [run])
    if run.failure is not None:
        failure, run.failure = run.failure, None  # whose frames know the run
        if checkpoint is not None:
            checkpoint.finish(None)
        raise failure
    assert run.stop_reason is not None
    if judge.is_logged and not judge.course.wanders:  # draws make it fall
        _log_falls(run.steps)
    fit = _outcome(run, judge.degenerate)
    if checkpoint is not None:
        checkpoint.finish(fit)
    return fit


def _outcome(run: "Run", degenerate: Callable[[Model], Degenerate]) -> Fit:
    best = None if run.visited is None else run.visited.best
    model, bound = best or (run.iterate.model, run.iterate.lower_bound)
    matrices, converged = (model.parameters, model.precisions_cholesky), run.stop_reason == "converged"
    found, steps = degenerate(model), tuple(run.steps)
    return Fit(*matrices, bound, converged, run.stop_reason, steps, found.components, found.collapsed, found.unseeing)


def _update_of_rows(
    sweep: Sweep, start: Parameters, regularization: FloatArray, constraints: Constraints | None, exponent: float
) -> GaussianUpdate:
    update = update_of(sweep.family, regularization, sweep.facts.rows.values.dtype, constraints, start)
    unobserved = unobserved_of(sweep.facts)
    if unobserved is not None:
        update = WithUnobserved(update, unobserved)
    return update if exponent == 1.0 else Tempered(update, exponent)


def drive(sweep: Passes, runs: Sequence["Run"]) -> None:
    """Until all runs have ended: a pass over the rows serves every one that goes on."""
    while going := [run for run in runs if not run.has_ended]:
        began = time.perf_counter()
        try:
            found = sweep([run.iterate.asked for run in going])
        except DeadlineError:
            for run in going:
                run.stop_reason = "deadline"
            return
        for run, moments in zip(going, found, strict=True):
            run.advance(moments, began)


@dataclass(eq=False)
class Run:
    """A run of EM on its way: where it stands, and whether it has settled (see :class:`Stopping`).

    ``rounding`` moves a lower bound by a smaller share of it. A run that wanders remembers what it has ``visited``.
    """

    iterates: Generator[Iterate, Moments, None]
    stopping: Stopping
    rounding: float
    restart: int = 0
    observer: Observer | None = None
    is_logged: bool = True
    course: Course = _PLAIN
    visited: Visited | None = None
    checkpoint: Checkpoint | None = None
    iterate: Iterate = field(init=False)
    counts: FloatArray = field(init=False, default_factory=lambda: np.empty(0))
    steps: list[Step] = field(init=False, default_factory=list)
    quiet_steps: int = field(init=False, default=0)
    stop_reason: StopReason | None = field(init=False, default=None)
    failure: NoModelError | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._go_on(lambda: next(self.iterates))
        if not self.stopping.max_iter:
            self.stop_reason = "max_iter"

    @property
    def has_ended(self) -> bool:
        return self.stop_reason is not None or self.failure is not None

    def advance(self, moments: Moments, began: float) -> None:
        """An iteration that began at that time, with the moments that it asked for."""
        model = self.iterate.asked
        if not self._go_on(lambda: self.iterates.send(moments)):
            return
        if self.visited is not None:
            self.visited.see(model, self.iterate.lower_bound, moments)
        is_settled = self._has_settled(moments.counts)
        step = self._step(is_settled and self.course.is_last, time.perf_counter() - began)
        self.steps.append(step)
        if self.is_logged:
            _log_step(step)
        ending: StopReason | None = "converged" if is_settled else None
        if len(self.steps) == self.stopping.max_iter:
            ending = ending or "max_iter"
        if self.checkpoint is not None and ending is None:
            at = self.iterate, len(self.steps), self.counts, self.quiet_steps
            self.checkpoint.keep(partial(self._saved, *at))
        is_stopped = self._stops_at(step)
        self.stop_reason = "callback" if is_stopped and not is_settled else ending

    def go_on_from(self, saved: SavedRun) -> None:
        """Where the run stood in another process."""
        self.steps, self.counts, self.quiet_steps = list(saved.steps), saved.counts, saved.quiet_steps

    def _saved(self, at: Iterate, n_steps: int, counts: FloatArray, quiet_steps: int) -> SavedRun:
        """The run after so many steps, where it stood at that iterate."""
        where = at.model.parameters, at.asked.parameters, at.lower_bound, at.change
        marks = at.accepted, at.is_jump, at.has_jumped, at.memory
        return SavedRun(*where, *marks, tuple(self.steps[:n_steps]), counts, quiet_steps)

    def _go_on(self, next_iterate: Callable[[], Iterate]) -> bool:
        """Whether there is a next iterate."""
        try:
            self.iterate = next_iterate()
        except NoModelError as error:
            self.failure = error
        return self.failure is None

    def _stops_at(self, step: Step) -> bool:
        """Show the step to the observer, if there is one; whether it wants to stop."""
        if self.observer is not None:
            try:
                self.observer(replace(step, parameters=self.iterate.model.parameters))
            except StopIteration:
                return True
        return False

    @property
    def _least_change(self) -> float:
        """By less rounding may move the lower bound."""
        return self.rounding * max(1.0, abs(self.iterate.lower_bound))

    @property
    def _fell(self) -> bool:
        return self.iterate.accepted and self.iterate.change < -self._least_change

    def _has_settled(self, counts: FloatArray) -> bool:
        """Whether the last iteration was one of those that :class:`Stopping` names."""
        iterate, change, stopping = self.iterate, abs(self.iterate.change), self.stopping
        is_quiet = not iterate.is_jump and change < stopping.tol and (iterate.has_jumped or not self._fell)
        self.quiet_steps = self.quiet_steps + 1 if is_quiet else 0
        rests = stopping.at_rest and change <= self._least_change and np.array_equal(counts, self.counts)
        self.counts = counts
        return self.quiet_steps >= (2 if iterate.has_jumped else 1) or stopping.is_fixed or rests

    def _step(self, converged: bool, seconds: float) -> Step:
        """The step that led to where the run stands."""
        iterate, number = self.iterate, self.course.n_before + len(self.steps) + 1
        bound, change = iterate.lower_bound, iterate.change
        return Step(self.restart, number, bound, change, converged, seconds, None, iterate.accepted, self._fell)


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
