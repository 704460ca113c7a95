"""How a run of EM assigns rows to components: by all responsibilities, to the most probable one, or to one drawn."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import numpy as np

from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.annealing import annealed, exponent_of_hard_assignment
from fastgmm.fit.options import Options
from fastgmm.fit.runs import Course, Stopping
from fastgmm.fit.steps import Fit
from fastgmm.parameters import Parameters
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.drawn import DrawnSweep
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.over_blocks import AnySweep, OverBlocks
from fastgmm.sweeps.sweep import Sweep


class RunEM(Protocol):
    """``run_em`` with what all runs of a start have in common."""

    def __call__(
        self, sweep: Sweep, start: Parameters, *, stopping: Stopping, course: Course, lower_bound: float = -np.inf
    ) -> Fit: ...


def run_as_assigned(
    options: Options,
    sweep: AnySweep,
    start: Parameters,
    run: RunEM,
    stopping: Stopping,
    lower_bound: float,
    random_state: Callable[[], np.random.RandomState],
    has_checkpoint: bool = False,
) -> Fit:
    """The run from a start that the options ask for.

    ``lower_bound`` is that of an earlier fit, which says nothing where another objective rises. What
    ``has_checkpoint`` may go on in another process, which knows nothing of bounds.
    """
    if options.assignment == "hard":
        exponent = exponent_of_hard_assignment(sweep.facts.rows.values.dtype)
        own, until_rest = _remembering(sweep.tempered(exponent), has_checkpoint), replace(stopping, at_rest=True)
        return run(own, start, stopping=until_rest, course=Course(exponent=exponent))
    if options.assignment == "stochastic":
        if isinstance(sweep, OverBlocks):
            raise ValueError("assignment='stochastic' keeps a label for every row: it needs rows in memory.")
        seed = int(random_state().randint(2**32, dtype=np.uint64))
        # Small changes are no convergence.
        return run(DrawnSweep(sweep, seed), start, stopping=replace(stopping, tol=0.0), course=Course(wanders=True))

    def soft(start: Parameters, course: Course) -> Fit:
        bound = lower_bound if options.annealing is None else -np.inf
        own = _remembering(sweep.tempered(course.exponent), has_checkpoint)
        return run(own, start, stopping=stopping, course=course, lower_bound=bound)

    def whole(is_accelerated: bool) -> Fit:
        if options.annealing is None:
            return soft(start, Course(is_accelerated))
        return annealed(
            lambda start, course: soft(start, replace(course, is_accelerated=is_accelerated)), start, options.annealing
        )

    if options.accelerate is not None:
        # Where extrapolations led to a degenerate component, plain EM has its say.
        with suppress(DegenerateComponentError):
            return whole(is_accelerated=True)
    return whole(is_accelerated=False)


def _remembering(sweep: AnySweep, has_checkpoint: bool) -> Sweep:
    """With bounds from pass to pass, where there are any."""
    return BoundedSweep(sweep) if isinstance(sweep, InMemory) and not has_checkpoint else sweep
