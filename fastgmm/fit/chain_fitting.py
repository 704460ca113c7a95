"""From hyper-parameters and sequences to the best chain of states: starts, runs of EM, the choice, the warning."""

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.data.origin import counted_from_origin, less_origin, plus_origin
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.families import FAMILIES
from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.chains import ChainPrior, WithChain
from fastgmm.fit.constant_features import require_variances
from fastgmm.fit.fitting import among_the_data, facts_to_fit
from fastgmm.fit.fixed import Fixed
from fastgmm.fit.options import Options, check_random_state
from fastgmm.fit.outcome import warning_about
from fastgmm.fit.posterior import Constraints
from fastgmm.fit.prior import log_prior_of
from fastgmm.fit.regularization import regularization_of
from fastgmm.fit.restarts import best_of_restarts
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.starts import StartOptions, make_start
from fastgmm.fit.steps import Fit, Observer, Step
from fastgmm.kernels import get_backend
from fastgmm.kernels.chains import table_of
from fastgmm.kernels.contract import can_be_shared, work_of
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import FloatArray, IntArray, Names, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import suited_to_missing
from fastgmm.sweeps.over_sequences import OverSequences


@dataclass(frozen=True, eq=False)
class GivenChain:
    """What of a start is given, None where it is not; means are among the values of the data."""

    start: FloatArray | None = None
    transitions: FloatArray | None = None
    means: FloatArray | None = None
    covariances: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Learning:
    """What is estimated, beside what ``prior`` says of the chain, and what is given to begin with."""

    prior: ChainPrior
    given: GivenChain
    learns_means: bool = True
    learns_covariances: bool = True

    @property
    def learns_nothing(self) -> bool:
        chain = self.prior.learns_start or self.prior.learns_transitions
        return not (chain or self.learns_means or self.learns_covariances)


def fit_sequences(
    options: Options,
    learning: Learning,
    rows: Rows,
    lengths: IntArray,
    observers: Sequence[Observer] = (),
    of_features: Names | None = None,
) -> tuple[Fit, tuple[Step, ...], Warning | None]:
    """The best fit of validated sequences, the steps of all starts, and what is to be said about it.

    Parameters
    ----------
    lengths : ndarray of shape (n_sequences,)
        Of the sequences, whose rows stand one after the other.
    observers : sequence of callables
        Of the steps of all starts.
    of_features : ndarray of str, optional
        Their names, for warnings.
    """
    deadline = math.inf if options.deadline is None else time.perf_counter() + options.deadline
    with np.errstate(over="ignore", invalid="ignore"):  # absurd values end in an error that names them
        facts = counted_from_origin(with_room_for_squares(Facts(rows)))
        family, shape = FAMILIES[options.covariance_type], rows.shape
        backend = get_backend(options.backend, work_of(*shape, options.n_components))
        n_threads = resolve_n_threads(options.n_threads, can_be_shared(shape[0]))
        sweep = OverSequences(facts, lengths, family, backend, n_threads, deadline)
        regularization = regularization_of(options.reg_covar, facts)
        shown = partial(plus_origin, origin=facts.rows.origin)
        observer = among_the_data(observers, shown) if observers else None
        runs = _runs(options, learning, sweep, regularization, observer)
        best, steps = best_of_restarts(runs)
        best = replace(best, parameters=shown(best.parameters), n_missing=facts.n_missing)
        fixed = () if learning.learns_covariances else tuple(range(options.n_components))
        return best, steps, warning_about(options, facts, best, regularization, fixed, of_features)


def _runs(
    options: Options,
    learning: Learning,
    sweep: OverSequences,
    regularization: FloatArray,
    observer: Observer | None,
) -> Iterator[Callable[[], Fit]]:
    """One from each start."""
    random_state = functools.cache(partial(check_random_state, options.random_state))
    stopping = Stopping(options.tol, options.max_iter, learning.learns_nothing)

    def run(restart: int) -> Fit:
        start = _start(options, learning.given, sweep, regularization, random_state)
        constraints = _constraints(learning, sweep.family, start)
        if options.max_iter > 0:
            require_variances(sweep, start, regularization, constraints)
        enclosing = partial(WithChain, prior=learning.prior)
        how = partial(run_em, observer=observer, restart=restart, constraints=constraints, enclosing=enclosing)
        return how(sweep, start, regularization, stopping)

    for restart in range(options.n_init):
        yield partial(run, restart)


def _constraints(learning: Learning, family: CovarianceFamily, start: Parameters) -> Constraints | None:
    """Means and covariances that stay as the start has them."""
    if learning.learns_means and learning.learns_covariances:
        return None
    of_all = np.ones(start.n_components, np.bool_)
    fixed = Fixed(~of_all, of_all & (not learning.learns_means), of_all & (not learning.learns_covariances))
    return Constraints(log_prior_of(None, family, start.n_components, start.n_features, None), fixed)


def _start(
    options: Options,
    given: GivenChain,
    sweep: OverSequences,
    regularization: FloatArray,
    random_state: Callable[[], np.random.RandomState],
) -> Parameters:
    """A mixture as a chain that remembers nothing, so that its next state is drawn by the weights; what is given stays.

    It has the likelihood of the mixture, and the first step of EM counts transitions.
    """
    family, n_states, origin = sweep.family, options.n_components, sweep.facts.rows.origin
    means = None if given.means is None else less_origin(given.means, origin)
    equal = np.full(n_states, 1.0 / n_states)
    if means is not None and given.covariances is not None:
        mixture = Parameters(family.name, equal, means, given.covariances)
    else:
        facts = facts_to_fit(sweep.facts)
        over_rows = suited_to_missing(facts, family, sweep.backend, sweep.n_threads)
        wanted = StartOptions("auto", n_states, None, means, given.covariances)
        mixture = make_start(over_rows, wanted, regularization, random_state())
    start = mixture.weights if given.start is None else given.start
    transitions = np.tile(mixture.weights, (n_states, 1)) if given.transitions is None else given.transitions
    return replace(mixture, extra=table_of(start, transitions))
