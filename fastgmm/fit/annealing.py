"""EM with joint densities raised to a power: below 1 they are flat, and far above 1 rows belong to one component each.

Responsibilities are ∝ (b π N)^β, see :class:`fastgmm.fit.update.Tempered`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from fastgmm.fit.runs import Course
from fastgmm.fit.steps import Fit
from fastgmm.parameters import Parameters

# That of the authors' examples is between 1.1 and 1.5 [1]_; the steps are few, since every one takes a run of EM.
_GROWTH = 1.5


def exponents_from(first: float) -> Iterator[float]:
    """From the first exponent to 1, each 1.5 times the one before."""
    exponent = first
    while exponent < 1.0:
        yield exponent
        exponent *= _GROWTH
    yield 1.0


def exponent_of_hard_assignment(dtype: np.dtype[np.floating]) -> float:
    """So large a power that the most probable component of a row has all of it: classification EM [2]_.

    With ε the distance of 1 to the next number, two log-densities that are not the same are some ε apart, and raised to
    ε⁻² further than any number of components is felt. Rows with equal largest densities are shared. It is a power of 4,
    so that neither it nor its root costs a digit, and the free energy is Σ w max log(bπN), to the last one.

    References
    ----------
    .. [2] G. Celeux and G. Govaert, "A classification EM algorithm for clustering and two stochastic versions",
       Computational Statistics & Data Analysis 14 (1992).
    """
    return float(np.finfo(dtype).eps) ** -2


def annealed(run: Callable[[Parameters, Course], Fit], start: Parameters, first: float) -> Fit:
    """Runs of EM, each from where the one before has settled, with exponents from ``first`` to 1 [1]_.

    ``tol`` and ``max_iter`` are those of each exponent. The steps of all are the steps of the fit. Where one is cut
    short before the last, its likelihood was never computed, and is −∞.

    References
    ----------
    .. [1] N. Ueda and R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11 (1998).
    """
    fit: Fit | None = None
    for exponent in exponents_from(first):
        before = () if fit is None else fit.steps
        course = Course(exponent=exponent, n_before=len(before), is_last=exponent == 1.0)
        fit = run(start if fit is None else fit.parameters, course)
        fit = replace(fit, steps=before + fit.steps)
        if fit.was_cut_short and not course.is_last:
            return replace(fit, lower_bound=-np.inf)
    assert fit is not None, "there is an exponent of 1 at least"
    return fit
