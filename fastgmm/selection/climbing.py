"""How far a candidate climbs: some steps from every start, and on from the best until little is left to gain.

A criterion is a sum over rows, ``tol`` of a fit is a mean: of many rows a fit that has stopped at ``tol`` may have
thousands of units of BIC yet to gain. So what decides here is that sum. With a rate r of EM the steps to come gain
change·r/(1 − r) together, and extrapolated EM seldom has a rate above 0.9.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.restarts import merit
from fastgmm.fit.runs import Course, Stopping, run_em
from fastgmm.fit.steps import Fit, Observer
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.over_blocks import AnySweep
from fastgmm.sweeps.sweep import Sweep

# r/(1 − r) for r = 0.9.
_STEPS_LEFT = 10.0
# Steps until a climb looks where it is; each time twice as many.
_STEPS_OF_A_STAGE = 16


@dataclass(frozen=True)
class Patience:
    """How far candidates climb.

    Attributes
    ----------
    first_steps, n_kept : int
        So many steps from every start, and on from so many ends of them.
    units : float
        Until less than so much of −2 log-likelihood is left to gain.
    most_steps : int
        Or so many more steps were made.
    to_the_end : bool
        Whether a climb counts for nothing that ends in a degenerate component. Of many rows it may be worth something
        before that: where numbers are rounded, every path ends in a component on a single one of them.
    """

    first_steps: int
    n_kept: int
    units: float
    most_steps: int
    to_the_end: bool


@dataclass(frozen=True, eq=False)
class Slope:
    """Where a candidate climbs: a sweep over rows, and what every M-step adds to the variances (n_features,)."""

    sweep: AnySweep
    regularization: FloatArray

    @property
    def total_weight(self) -> float:
        return float(self.sweep.facts.total_weight)

    def tol(self, units: float) -> float:
        """The change of the mean log-likelihood below which no more than so many units are left to gain."""
        return units / (2.0 * _STEPS_LEFT * self.total_weight)

    def is_sound(self, fit: Fit) -> bool:
        """No component is degenerate, or holds fewer points than it takes to span the space."""
        return not fit.degenerate and not self.unsound_components(fit)

    def unsound_components(self, fit: Fit) -> tuple[int, ...]:
        """Those that have collapsed, and those of too few points."""
        points = fit.parameters.weights * self.sweep.facts.n_counted
        fewest = fit.parameters.n_features + 1 if fit.parameters.n_components > 1 else 1  # of all rows
        few = np.flatnonzero(points < fewest - 0.5)
        return tuple(sorted({*fit.collapsed, *few.tolist()}))


def climb(
    slope: Slope, starts: Iterable[Parameters], patience: Patience, observer: Observer | None = None
) -> Fit | None:
    """The best sound fit that the starts lead to; one that is not sound where none is, None where none exists."""
    first = [fit for fit in (_steps(slope, start, patience.first_steps) for start in starts) if fit is not None]
    first.sort(key=lambda fit: _order(slope, fit), reverse=True)
    best: Fit | None = None
    n_tried, bound = 0, np.inf
    for fit in first:
        # Once the best have led to nothing sound, the others have their say.
        if n_tried >= patience.n_kept and best is not None and slope.is_sound(best):
            break
        if abs(fit.lower_bound - bound) < slope.tol(patience.units):
            continue  # the same place
        n_tried, bound = n_tried + 1, fit.lower_bound
        found = go_on(slope, fit, patience, observer)
        if best is None or _order(slope, found) > _order(slope, best):
            best = found
        if found.was_cut_short:
            break
    return best


def go_on(slope: Slope, fit: Fit, patience: Patience, observer: Observer | None = None) -> Fit:
    """The fit after more steps, extrapolated ones among them; that itself where these lead to nothing sound."""
    if patience.to_the_end:
        end = _end(slope, fit, patience, patience.most_steps, True, observer)
        if end is None or not (slope.is_sound(end) or end.was_cut_short):
            # Where extrapolation leads to what is not sound, plain EM has its say.
            plain = _end(slope, fit, patience, patience.most_steps, False, observer)
            end = plain if plain is not None and slope.is_sound(plain) else end
        return end or fit
    n_left, length = patience.most_steps, _STEPS_OF_A_STAGE
    while n_left > 0:
        end = _end(slope, fit, patience, min(length, n_left), True, observer)
        if end is None or not slope.is_sound(end):
            break
        fit = end
        if fit.stop_reason != "max_iter":
            break
        n_left, length = n_left - length, 2 * length
    return fit


def _end(
    slope: Slope, fit: Fit, patience: Patience, most_steps: int, is_fast: bool, observer: Observer | None
) -> Fit | None:
    with suppress(DegenerateComponentError):
        return run_em(
            _remembering(slope.sweep),
            fit.parameters,
            slope.regularization,
            Stopping(slope.tol(patience.units), most_steps),
            observer,
            course=Course(is_accelerated=is_fast),
            is_logged=False,
        )
    return None


def _steps(slope: Slope, start: Parameters, number: int) -> Fit | None:
    """A fit of so many steps of EM; None where there is none."""
    with suppress(DegenerateComponentError):
        stopping = Stopping(0.0, number)
        return run_em(_remembering(slope.sweep), start, slope.regularization, stopping, is_logged=False)
    return None


def _order(slope: Slope, fit: Fit) -> tuple[bool, bool, float]:
    is_uncollapsed, bound = merit(fit)
    return slope.is_sound(fit), is_uncollapsed, bound if np.isfinite(bound) else -np.inf


def _remembering(sweep: AnySweep) -> Sweep:
    """With bounds from pass to pass, where there are any."""
    return BoundedSweep(sweep) if isinstance(sweep, InMemory) else sweep
