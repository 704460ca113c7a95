"""The choice among several runs of EM."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.steps import Fit, Step

logger = logging.getLogger("fastgmm")


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
        try:
            raise failure
        finally:
            del failure  # which knows this frame, and so would keep all that it knows
    return best, tuple(steps)


def merit(fit: Fit) -> tuple[bool, float]:
    """By which fits from different starts are compared: the largest is the best."""
    return not fit.collapsed, fit.lower_bound
