"""The M-step of rows whose components are known beforehand: what a start makes of a partition, or of random numbers."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.maximize import maximize
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters, Prepared
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from fastgmm.sweeps.labelled import labelled_blocks
from fastgmm.sweeps.sweep import Sweep


def parameters_of_partition(
    sweep: Sweep,
    rows: Rows,
    labels: NDArray[np.integer[Any]],
    centers: FloatArray,
    regularization: FloatArray,
    keep_means: bool = True,
) -> Parameters:
    """The M-step of hard assignments. With ``keep_means`` covariances are those about the centers themselves.

    Otherwise the means are found first, since moments of clusters about centers far from them lose digits.
    """
    moments = moments_of_groups(sweep, labelled_blocks(rows, labels, len(centers)), centers)
    if not keep_means:
        means = maximize(sweep.family, moments, regularization).means
        moments = moments_of_groups(sweep, labelled_blocks(rows, labels, len(centers)), means)
        return maximize(sweep.family, moments, regularization)
    # As though the centers were the means of the rows.
    return maximize(sweep.family, replace(moments, first=np.zeros_like(moments.first)), regularization)


def moments_of_groups(sweep: Sweep, blocks: Iterable[Rows], means: FloatArray) -> Moments:
    """The moments of blocks of rows about the means, of which the rows' groups alone say whose they are."""
    model = _without_opinion(sweep.family, means, sweep.facts.rows.values.dtype)
    sweeps = (make_sweep(Facts(block), sweep.family, sweep.backend, sweep.n_threads) for block in blocks)
    return reduce(add, (each.moments(model) for each in sweeps))


def _without_opinion(family: CovarianceFamily, means: FloatArray, dtype: Any) -> Prepared:
    """A model under which every row has the density 1 in every component."""
    equal, nothing = np.full(len(means), 1 / len(means)), np.zeros(family.covariance_shape(*means.shape))
    with np.errstate(divide="ignore"):  # the determinant of nothing
        prepared = family.assemble(equal, means, nothing, dtype)
    return prepared._replace(log_constants=np.zeros_like(prepared.log_constants))
