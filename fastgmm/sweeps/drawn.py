"""Sweeps of stochastic EM: every row counts for one component, which is drawn by its responsibilities [1]_.

Labels come first, then the moments of rows whose labels are known. Four bytes a row are all that is kept.

References
----------
.. [1] G. Celeux and J. Diebolt, "The SEM algorithm: a probabilistic teacher algorithm derived from the EM algorithm for
   the mixture problem", Computational Statistics Quarterly 2 (1985).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.data.random_numbers import uniform_numbers
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.machine.pieces import pieces
from fastgmm.moments import Moments
from fastgmm.parameters import Array, FloatArray, IntArray, Model
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep, responsibilities_of
from fastgmm.sweeps.sweep import Question
from fastgmm.sweeps.uncertain import UncertainSweep

T = TypeVar("T")

# Rows that are assigned at a time, at least: fewer do not repay the start of a kernel.
_FEWEST_ROWS = 4096


@dataclass(eq=False)
class DrawnSweep:
    """A sweep that draws labels anew each time, by the seed and the number of the pass: for one run of EM.

    The log-likelihood of its moments is that of the model, whatever was drawn.
    """

    sweep: InMemory | IncompleteSweep | UncertainSweep
    seed: int
    _n_passes: int = field(default=0, init=False)
    _labels: NDArray[np.int32] = field(init=False)
    _labelled: InMemory | IncompleteSweep | UncertainSweep | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._labels = np.zeros(self.facts.rows.shape[0], np.int32)

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

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        return self.sweep.ask(question)

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self._moments(model) for model in models]

    def _moments(self, model: Model) -> Moments:
        """With z the label that was drawn, log p(x) = log(π_z N(x | z)) + log b_z − log r_z, b what is believed."""
        if self._labelled is None:
            allowed = np.where(np.eye(model.parameters.n_components, dtype=bool), 0.0, -np.inf)
            self._labelled = self.sweep.believing(self._labels, allowed)
        others = self._draw(model)
        (moments,) = self._labelled([model])
        return replace(moments, log_likelihood=moments.log_likelihood + others)

    def _draw(self, model: Model) -> float:
        """New labels in the place of the old ones; Σ w(log b_z − log r_z)."""
        total = 0.0
        for part in pieces(len(self._labels), 8 * model.parameters.n_components, _FEWEST_ROWS):
            self.sweep.check_deadline()
            some = self.facts.rows.take(part)
            table = responsibilities_of(some, model, self.sweep)
            numbers = np.arange(part.start, part.start + len(table), dtype=np.uint64)
            labels = drawn(table, uniform_numbers(self.seed, self._n_passes, numbers))
            is_counted = some.counted
            counted = np.arange(len(labels)) if is_counted is None else np.flatnonzero(is_counted)
            believed = 0.0 if some.groups is None else some.log_beliefs(labels)[counted]
            logarithms = believed - np.log(table[counted, labels[counted]], dtype=np.float64)
            total += float(logarithms.sum() if some.weights is None else some.weights[counted] @ logarithms)
            self._labels[part] = labels
        self._n_passes += 1
        return total


def drawn(table: Array, numbers: FloatArray) -> IntArray:
    """The component of every row (n,) whose share of [0, 1) the row's number falls into; shares are in proportion to
    the table (n, K), and one of 0 is never drawn."""
    # Component by component, since NumPy takes several times as long across a few numbers of each row.
    up_to = np.array(table.T, np.float64, order="C")
    for before, share in pairwise(up_to):
        share += before
    thresholds = numbers * up_to[-1]
    labels = np.zeros(len(table), np.int64)
    for sums in up_to[:-1]:
        labels += sums <= thresholds
    return labels
