"""Sweeps that assign every row to a single component, and collect the moments of these labels.

Labels z first, then one pass over the rows in the order of their labels, whose groups allow nothing but them. Under
such a group log p(x) is log(π_z N(x | z)), so the criterion of the labels comes with their moments; what is believed
of the rows beforehand is added. Four bytes a row are all that is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.machine.pieces import pieces
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Prepared
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, evaluate, make_sweep
from fastgmm.sweeps.labelled import labelled_blocks

# Rows that are assigned at a time, at least: fewer do not repay the start of a kernel.
_FEWEST_ROWS = 4096

Labels: TypeAlias = NDArray[np.integer[Any]]
# (sweep, some of its rows, model, number of the sweep) -> the labels of these rows, and the logarithms of the
# probabilities by which they were drawn; 0 where nothing was.
Assign: TypeAlias = Callable[[InMemory, slice, Prepared, int], tuple[Labels, FloatArray | float]]


@dataclass(eq=False)
class AssignedSweep:
    """A sweep with a memory of its labels: for one run of EM.

    The log-likelihood of its moments is Σ w (log(b_z π_z N(x | z)) − log-probability of z). That is Σ w log p(x) for
    labels that were drawn by their responsibilities, and the classification likelihood for the most probable ones.
    """

    sweep: InMemory
    assign: Assign
    has_settled: bool = field(default=False, init=False)
    _n_sweeps: int = field(default=0, init=False)
    _labels: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self._labels = np.full(self.sweep.rows.shape[0], -1, np.int32)

    @property
    def facts(self) -> Facts:
        return self.sweep.facts

    @property
    def family(self) -> CovarianceFamily:
        return self.sweep.family

    @property
    def backend(self) -> Backend:
        return self.sweep.backend

    @property
    def n_threads(self) -> int:
        return self.sweep.n_threads

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self.moments(model.prepared) for model in models]

    def moments(self, prepared: Prepared) -> Moments:
        """Those of all rows, each of which counts for the component of its label alone."""
        beyond = self._assign_all(prepared)
        blocks = labelled_blocks(self.sweep.rows, self._labels, len(prepared.log_constants))
        moments = reduce(add, (self._sweep_over(block).moments(prepared) for block in blocks))
        return replace(moments, log_likelihood=moments.log_likelihood + beyond)

    def _sweep_over(self, block: Rows) -> InMemory:
        of = self.sweep
        return make_sweep(Facts(block), of.family, of.backend, of.n_threads, of.deadline)

    def _assign_all(self, prepared: Prepared) -> float:
        """New labels of all rows; Σ w (log b_z − log-probability of z)."""
        rows, beyond, n_changes = self.sweep.rows, 0.0, 0
        for part in pieces(rows.shape[0], 8 * len(prepared.log_constants), _FEWEST_ROWS):
            self.sweep.check_deadline()
            labels, log_probabilities = self.assign(self.sweep, part, prepared, self._n_sweeps)
            some = rows.take(part)
            if some.weights is not None:
                labels[some.weights == 0] = 0  # a row of weight 0 is none, and so its label never changes
            beyond += _weighted_sum(some, _log_beliefs(some, labels) - log_probabilities)
            n_changes += int(np.count_nonzero(self._labels[part] != labels))
            self._labels[part] = labels
        self._n_sweeps += 1
        self.has_settled = n_changes == 0
        return beyond


def _log_beliefs(rows: Rows, labels: Labels) -> FloatArray | float:
    """What is believed beforehand of the labels (n,), as logarithms; 0 where nothing is."""
    if rows.groups is None or rows.group_prior is None:
        return 0.0
    known = (rows.groups >= 0) & (rows.groups < len(rows.group_prior))
    beliefs = np.zeros(len(labels))
    beliefs[known] = rows.group_prior[rows.groups[known], labels[known]]
    return beliefs


def _weighted_sum(rows: Rows, values: FloatArray | float) -> float:
    """Of values (n,), or of 0 for every row."""
    if not isinstance(values, np.ndarray):
        return 0.0
    if rows.weights is None:
        return float(values.sum())
    counted = rows.weights > 0
    return float(rows.weights[counted] @ values[counted])


def most_probable(sweep: InMemory, part: slice, prepared: Prepared, sweep_number: int) -> tuple[Labels, float]:
    """The component of the largest joint density of each row: classification EM [1]_.

    References
    ----------
    .. [1] G. Celeux and G. Govaert, "A classification EM algorithm for clustering and two stochastic versions",
       Computational Statistics & Data Analysis 14 (1992).
    """
    return evaluate(sweep.rows.take(part), prepared, sweep.backend, sweep.n_threads, "labels"), 0.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """Each row's component is drawn by its responsibilities: stochastic EM [1]_.

    A draw depends on the seed, the number of the sweep and that of the row alone, and so on no thread.

    References
    ----------
    .. [1] G. Celeux and J. Diebolt, "The SEM algorithm: a probabilistic teacher algorithm derived from the EM
       algorithm for the mixture problem", Computational Statistics Quarterly 2 (1985).
    """

    seed: int

    def __call__(
        self, sweep: InMemory, part: slice, prepared: Prepared, sweep_number: int
    ) -> tuple[Labels, FloatArray]:
        table = evaluate(sweep.rows.take(part), prepared, sweep.backend, sweep.n_threads, "responsibilities")
        up_to = np.cumsum(table, axis=1, dtype=np.float64)
        numbers = np.arange(part.start, part.start + len(table), dtype=np.uint64)
        thresholds = uniform_numbers(self.seed, sweep_number, numbers) * up_to[:, -1]
        labels = np.count_nonzero(up_to <= thresholds[:, np.newaxis], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # of rows of weight 0, which may be anything
            labels = np.minimum(labels, table.shape[1] - 1)
            return labels, np.log(table[np.arange(len(table)), labels].astype(np.float64))


def uniform_numbers(seed: int, sweep_number: int, rows: NDArray[np.uint64]) -> FloatArray:
    """A number in [0, 1 − 2⁻⁵²] for each of some rows, by the generator SplitMix64 [1]_ counted by row.

    References
    ----------
    .. [1] G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA (2014).
    """
    stream = _mixed(_mixed(np.full(1, seed, np.uint64)) + np.uint64(sweep_number))
    bits = _mixed(stream + (rows + np.uint64(1)) * _GAMMA) >> np.uint64(12)
    return bits.astype(np.float64) * 2.0**-52


_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64, modulo 2⁶⁴."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
