"""Deterministic annealing: EM with flattened densities first, whose maxima are fewer."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.fit.runs import Course, Fit
from fastgmm.parameters import Parameters
from fastgmm.sweeps.in_memory import InMemory

# That of the authors' examples is between 1.1 and 1.5 [1]_; the steps are few, since every one takes a run of EM.
_GROWTH = 1.5


def exponents_from(first: float) -> Iterator[float]:
    """From the first exponent to 1, each 1.5 times the one before."""
    exponent = first
    while exponent < 1.0:
        yield exponent
        exponent *= _GROWTH
    yield 1.0


def annealed(run: Callable[[Parameters, Course], Fit], start: Parameters, first: float) -> Fit:
    """Runs of EM, each from where the one before has settled: responsibilities are ∝ (b π N)^β, β from ``first`` to 1.

    Within a run the free energy (1/β) Σ w log Σ (b π N)^β never falls [1]_; with β = 1 it is the log-likelihood.
    ``tol`` and ``max_iter`` are those of each exponent. The steps of all are the steps of the fit. Where one is cut
    short before the last, its likelihood was never computed, and is −∞.

    References
    ----------
    .. [1] N. Ueda and R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11 (1998).
    """
    fit: Fit | None = None
    for exponent in exponents_from(first):
        before = () if fit is None else fit.steps
        fit = run(start if fit is None else fit.parameters, Course(exponent=exponent, n_before=len(before)))
        fit = replace(fit, steps=before + fit.steps)
        if fit.was_cut_short and exponent < 1.0:
            return replace(fit, lower_bound=-np.inf)
    assert fit is not None, "there is an exponent of 1 at least"
    return fit


def tempered_sweep(sweep: InMemory, exponent: float) -> InMemory:
    """The sweep over the rows, what is believed of them raised to a power."""
    table = sweep.rows.group_prior
    if exponent == 1.0 or table is None:
        return sweep
    return replace(sweep, facts=Facts(replace(sweep.rows, group_prior=table * exponent)))
