"""Expectation-maximization: the loop, and the choice among restarts."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.bounds import AnySweep
from fastgmm.covariance.maximize import maximize
from fastgmm.degenerate import degenerate_components, prepare_or_explain
from fastgmm.errors import DegenerateComponentError
from fastgmm.parameters import FloatArray, Parameters

logger = logging.getLogger("fastgmm")


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
        Whether the change was smaller than ``tol``.
    seconds : float
        Duration of the iteration.
    parameters : Parameters or None
        After the M-step, read-only. None in ``history_``, which would otherwise hold every model of a fit.
    """

    restart: int
    iteration: int
    lower_bound: float
    change: float
    converged: bool
    seconds: float
    parameters: Parameters | None


Observer = Callable[[Step], None]


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of one run of EM."""

    parameters: Parameters
    lower_bound: float
    converged: bool
    steps: tuple[Step, ...]
    degenerate: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Stopping:
    """When EM ends: after ``max_iter`` iterations, or once the lower bound changes by less than ``tol``."""

    tol: float
    max_iter: int


def run_em(
    sweep: AnySweep,
    start: Parameters,
    regularization: FloatArray,
    stopping: Stopping,
    observers: Iterable[Observer] = (),
    restart: int = 0,
    lower_bound: float = -np.inf,
) -> Fit:
    """Repeat prepare, sweep, maximize from ``start`` until the likelihood has settled.

    Parameters
    ----------
    regularization : ndarray of shape (n_features,)
        Added to the diagonal of every covariance.
    lower_bound : float
        That of an earlier fit which is continued.

    Raises
    ------
    DegenerateComponentError
        When a covariance stops being positive definite.
    """
    parameters, converged = start, False
    steps: list[Step] = []
    prepared = prepare_or_explain(sweep, parameters)
    for iteration in range(1, stopping.max_iter + 1):
        began = time.perf_counter()
        moments = sweep(prepared)
        parameters = maximize(sweep.family, moments, prepared.means, regularization)
        prepared = prepare_or_explain(sweep, parameters, moments.counts)
        previous, lower_bound = lower_bound, moments.log_likelihood / moments.total_weight
        change = lower_bound - previous
        converged = abs(change) < stopping.tol
        seconds = time.perf_counter() - began
        step = Step(restart, iteration, lower_bound, change, converged, seconds, parameters=None)
        steps.append(step)
        logger.debug("restart %d iteration %d: lower bound %.9g", restart, iteration, lower_bound)
        for observer in observers:
            observer(replace(step, parameters=_read_only(parameters)))
        if converged:
            break
    degenerate = degenerate_components(sweep.family, parameters, regularization)
    return Fit(parameters, lower_bound, converged, tuple(steps), degenerate)


def best_of_restarts(runs: Iterable[Callable[[], Fit]]) -> tuple[Fit, tuple[Step, ...]]:
    """Run every restart; return the best fit and the steps of all.

    A fit without degenerate components beats one with some, whatever the likelihoods: a component that collapsed
    onto a few points has a likelihood without bound and no meaning. A restart that fails is passed over while
    another succeeds.
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
        if best is None or _merit(fit) > _merit(best):
            best = fit
    if best is None:
        assert failure is not None, "a fit has at least one restart"
        raise failure
    return best, tuple(steps)


def _merit(fit: Fit) -> tuple[bool, float]:
    return not fit.degenerate, fit.lower_bound


def _read_only(parameters: Parameters) -> Parameters:
    copies = [array.copy() for array in (parameters.weights, parameters.means, parameters.covariances)]
    for copy in copies:
        copy.flags.writeable = False
    return Parameters(parameters.covariance_type, *copies)
