"""The M-step of rows whose components are known beforehand: what a start makes of a partition, or of random numbers."""

from collections.abc import Iterable, Iterator
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
from fastgmm.sweeps.sweep import Sweep

# Blocks of rows are put in the order of their labels. With 1024 rows of a cluster, two to four tiles, most tiles hold
# rows of a single one; a block of 16,384 rows or more also repays the start of a sweep. It is a copy, of 8 MB at most
# but for a tile or two of wide rows.
_BLOCK_ROWS, _BLOCK_ROWS_OF_A_CLUSTER = 16_384, 1024
_BLOCK_NUMBERS = 2**20


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
    moments = moments_of_groups(sweep, _labelled(rows, labels, len(centers)), centers)
    if not keep_means:
        means = maximize(sweep.family, moments, regularization).means
        moments = moments_of_groups(sweep, _labelled(rows, labels, len(centers)), means)
        return maximize(sweep.family, moments, regularization)
    # As though the centers were the means of the rows.
    return maximize(sweep.family, replace(moments, first=np.zeros_like(moments.first)), regularization)


def moments_of_groups(sweep: Sweep, blocks: Iterable[Rows], means: FloatArray) -> Moments:
    """The moments of blocks of rows about the means, of which the rows' groups alone say whose they are."""
    model = _without_opinion(sweep.family, means, sweep.facts.rows.values.dtype)
    machinery = sweep.family, sweep.backend, sweep.n_threads
    sweeps = (make_sweep(Facts(block), *machinery) for block in blocks)
    return reduce(add, (each.moments(model) for each in sweeps))


def _without_opinion(family: CovarianceFamily, means: FloatArray, dtype: Any) -> Prepared:
    """A model under which every row has the density 1 in every component."""
    equal, nothing = np.full(len(means), 1 / len(means)), np.zeros(family.covariance_shape(*means.shape))
    with np.errstate(divide="ignore"):  # the determinant of nothing
        prepared = family.assemble(equal, means, nothing, dtype)
    return prepared._replace(log_constants=np.zeros_like(prepared.log_constants))


def _labelled(rows: Rows, labels: NDArray[np.integer[Any]], n_clusters: int) -> Iterator[Rows]:
    """The rows with their labels as groups, a block at a time."""
    allowed = np.where(np.eye(n_clusters, dtype=bool), 0.0, -np.inf)
    affordable = max(_BLOCK_ROWS_OF_A_CLUSTER, _BLOCK_NUMBERS // rows.shape[1])
    block_rows = min(affordable, max(_BLOCK_ROWS, _BLOCK_ROWS_OF_A_CLUSTER * n_clusters))
    for begin in range(0, rows.shape[0], block_rows):
        # In the order of their labels, since kernels leave out what no row of a tile may belong to.
        order = begin + np.argsort(labels[begin : begin + block_rows], kind="stable")
        yield replace(rows.take(order), groups=labels[order].astype(np.int32), group_prior=allowed)
