"""Mixtures of counts and categories: their update, and from options and rows to the best fit."""

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastgmm.data.validation import require_rows_for_components
from fastgmm.entries import Entries
from fastgmm.errors import convergence_warning
from fastgmm.families.discrete import DiscreteFamily
from fastgmm.fit.degenerate import Degenerate
from fastgmm.fit.discrete_options import DiscreteOptions
from fastgmm.fit.discrete_starts import StartingPoint, Starts, center_of
from fastgmm.fit.fitting import EarlierFit
from fastgmm.fit.maximize import SMALLEST_SHARE, counts_of
from fastgmm.fit.options import check_random_state
from fastgmm.fit.restarts import best_of_restarts
from fastgmm.fit.runs import ROUNDING, Judge, Stopping, run_update
from fastgmm.fit.steps import Fit, Observer, Step, together
from fastgmm.kernels import get_backend
from fastgmm.kernels.linear import plan_of_entries
from fastgmm.machine.pieces import pieces
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters
from fastgmm.sweeps.of_entries import OfEntries

logger = logging.getLogger("fastgmm")


@dataclass(frozen=True, eq=False)
class SmoothedLikelihood:
    """The mode of the posterior density: an :class:`fastgmm.fit.update.Update`.

    ``alpha`` is the prior's, and ``center`` the means of all rows, as ``families/discrete.py`` says. Weights have no
    prior. A component that lost all its rows keeps what it was where no prior says otherwise.
    """

    family: DiscreteFamily
    alpha: float
    center: FloatArray
    has_missing: bool

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        return Model(parameters, np.empty(0), self.family.prepare(parameters, self.has_missing))

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        counts, sums, before = counts_of(moments), moments.first, model.parameters.means
        seen = moments.extra if self.has_missing else np.repeat(counts[:, np.newaxis], sums.shape[1], axis=1)
        if self.alpha == 0:
            unseen = seen <= SMALLEST_SHARE * moments.total_weight
            with np.errstate(invalid="ignore", divide="ignore"):
                means = self.family.maximize(sums, np.where(unseen, 1.0, seen), 0.0, self.center)
            means = np.where(unseen, before, means)
        else:
            means = self.family.maximize(sums, seen, self.alpha, self.center)
        return replace(model.parameters, weights=self.weights(moments), means=means)

    def weights(self, moments: Moments) -> FloatArray:
        counts = counts_of(moments)
        result: FloatArray = counts / counts.sum()
        return result

    def objective(self, moments: Moments, model: Model) -> float:
        log_prior = self.family.log_prior(model.parameters.means, self.alpha, self.center)
        return (moments.log_likelihood + log_prior) / moments.total_weight


def fit_entries(
    options: DiscreteOptions,
    family: DiscreteFamily,
    rows: Entries,
    earlier: EarlierFit | None,
    observers: Sequence[Observer] = (),
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """The best fit of validated rows, the steps of all starts, and what is to be said about it."""
    deadline = math.inf if options.deadline is None else time.perf_counter() + options.deadline
    require_rows_for_components(rows.n_counted, options.n_components)
    sweep = sweep_of(rows, family, options, deadline)
    center = center_of(rows, sweep.backend)
    update = SmoothedLikelihood(family, options.alpha, center, rows.has_missing)
    observer = together(observers) if observers else None
    best, steps = best_of_restarts(_runs(options, sweep, update, earlier, observer))
    for array in (best.parameters.weights, best.parameters.means):
        array.flags.writeable = False
    return best, steps, _warning_about(best, options)


def sweep_of(rows: Entries, family: DiscreteFamily, options: DiscreteOptions, deadline: float = math.inf) -> OfEntries:
    """A sweep with the backend and the threads that suit the rows, unless they were asked for."""
    plan = plan_of_entries(rows, options.n_components)
    backend = get_backend(options.backend)  # C, which is as fast as Numba here, and never compiles
    threads = resolve_n_threads(options.n_threads, plan.useful_threads > 1)
    return OfEntries(rows, backend.name, threads, _constant_of(rows, family), deadline)


def _constant_of(rows: Entries, family: DiscreteFamily) -> float:
    """Σw log h(x), for which no number of every row is kept."""
    constant = 0.0
    for part in pieces(rows.n_rows, 24 * max(1, rows.n_entries // rows.n_rows)) if family.counts else ():
        some = rows.part(part)
        weights = np.ones(some.n_rows) if some.weights is None else some.weights
        # Rows of weight 0 may hold anything.
        constant += float(np.where(weights > 0, weights * family.log_constants(some), 0.0).sum())
    return constant


def _runs(
    options: DiscreteOptions,
    sweep: OfEntries,
    update: SmoothedLikelihood,
    earlier: EarlierFit | None,
    observer: Observer | None,
) -> Iterator[Callable[[], Fit]]:
    """The runs to choose from: one from each start, or one that continues an earlier fit."""
    stopping = Stopping(options.tol, options.max_iter)
    judge = Judge(stopping, ROUNDING[np.dtype(np.float64)], lambda model: Degenerate(), observer=observer)
    if earlier is not None:
        yield lambda: run_update(sweep, update, earlier.parameters, judge, earlier.lower_bound)
        return
    random_state = functools.cache(partial(check_random_state, options.random_state))
    given = StartingPoint(options.n_components, options.init_params, options.weights_init, options.means_init)
    starts = Starts(sweep, update.family, update, given)

    def run(restart: int) -> Fit:
        return run_update(sweep, update, starts.make(random_state), replace(judge, restart=restart))

    for restart in range(options.n_init):
        yield partial(run, restart)


def _warning_about(best: Fit, options: DiscreteOptions) -> Warning | None:
    if best.stop_reason != "max_iter" or options.max_iter == 0:
        return None
    message = (
        "Best performing initialization did not converge. Try different init parameters, or increase max_iter, tol."
    )
    return convergence_warning(message, len(best.steps), best.steps[-1].change, options.tol)
