"""A pass over rows that are steps of sequences, of which each has a chain of states behind it.

A stretch of whole sequences at a time: their joint log-densities in every state, which a kernel of chains turns into
posteriors; these are then given responsibilities of an ordinary sweep, under a model without an opinion of its own. So
nothing here depends on what the states emit, and values may be missing, or all of a step.

What a pass takes besides the data is a stretch's: some MB, whatever the number of sequences. A sequence is never cut,
so a long one takes eight bytes for each of its steps and states, and three times as many in the kernel.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.data.single_precision import LOWEST_IN_SINGLE
from fastgmm.families import CovarianceFamily
from fastgmm.families.tempering import tempered
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.chains import (
    Chain,
    ChainKernels,
    Sequences,
    chain_of,
    parts_of,
    sequences_of,
    table_of,
    useful_threads,
)
from fastgmm.moments import Moments
from fastgmm.parameters import Array, FloatArray, IntArray, Model
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep, output_of, suited_to_missing
from fastgmm.sweeps.sweep import Machinery, Question, check_deadline

T = TypeVar("T")

# Joint log-densities of a stretch: 8 MB of float64. Chosen by hand.
_NUMBERS_OF_A_STRETCH = 2**20


@dataclass(frozen=True, eq=False)
class Stretch:
    """Sequences that are visited together, and where their rows stand."""

    rows: slice
    numbers: slice
    sequences: Sequences


def stretches_of(lengths: IntArray, n_states: int) -> Iterator[Stretch]:
    """As many whole sequences at a time as a stretch has room for, one at the least; cut by their lengths alone."""
    ends = np.cumsum(lengths)
    most, first, begin = max(1, _NUMBERS_OF_A_STRETCH // n_states), 0, 0
    while first < len(lengths):
        last = max(first + 1, int(np.searchsorted(ends, begin + most, side="right")))
        yield Stretch(slice(begin, int(ends[last - 1])), slice(first, last), sequences_of(lengths[first:last]))
        first, begin = last, int(ends[last - 1])


def kernels_of(backend: Backend) -> ChainKernels:
    """Those of chains, which every backend of ours has."""
    if backend.chains is None:
        raise NotImplementedError(f"the backend {backend.name!r} has no kernels for chains")
    return backend.chains


def in_double(joint: Array) -> FloatArray:
    """Joint log-densities as kernels of chains take them: below single precision a density is 0."""
    if joint.dtype == np.float64:
        return joint
    return np.where(joint > LOWEST_IN_SINGLE, joint, -np.inf).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Part:
    """A stretch, and the sweep over its rows, to which their posteriors are given."""

    stretch: Stretch
    rows: Rows
    sweep: InMemory | IncompleteSweep


@dataclass(frozen=True, eq=False)
class OverSequences:
    """A :class:`fastgmm.sweeps.sweep.Sweep` over sequences in memory, one after the other.

    Further numbers of every component are those of ``kernels.chains.table_of``, and so are, as the last columns of
    ``Moments.extra``, the expected numbers of transitions and of first steps. The log-likelihood is that of sequences.
    """

    facts: Facts
    lengths: IntArray
    family: CovarianceFamily
    backend: Backend
    n_threads: int
    deadline: float = math.inf
    _parts: dict[int, list[_Part]] = field(default_factory=dict, init=False)

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self._moments(model) for model in models]

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        yield question(self.facts.rows, Machinery(self.family, self.backend, self.n_threads))

    def _moments(self, model: Model) -> Moments:
        emissions = of_emissions(model)
        without_opinion = replace(emissions, prepared=tempered(emissions.prepared, 0.0), exponent=0.0)
        chain = chain_of(*parts_of(model.parameters.extra))
        found = [self._of_part(part, emissions, without_opinion, chain) for part in self._all_parts(len(chain.start))]
        # In the order of the rows, so that the same sequences make the same bits.
        moments = reduce(add, (each for each, _, _ in found))
        table = reduce(np.add, (each for _, each, _ in found))
        extra, total = np.column_stack([moments.extra, table]), math.fsum(each for _, _, each in found)
        return replace(moments, extra=extra, log_likelihood=total)

    def _of_part(
        self, part: _Part, emissions: Model, without_opinion: Model, chain: Chain
    ) -> tuple[Moments, FloatArray, float]:
        """The moments of emissions of a stretch, the table of its transitions and starts, and its log-likelihood."""
        check_deadline(self.deadline)
        sequences = part.stretch.sequences
        joint = in_double(output_of(part.rows, emissions, self, "joint"))
        found = posteriors_of(joint, sequences, chain, self.backend, self.n_threads)
        groups = np.arange(len(joint), dtype=np.int32)
        (moments,) = part.sweep.believing(groups, joint)([without_opinion])
        starts = np.exp(joint[sequences.offsets[:-1]]).sum(axis=0)
        return moments, table_of(starts, found.transitions), float(found.log_likelihoods.sum())

    def _all_parts(self, n_states: int) -> list[_Part]:
        if n_states not in self._parts:
            self._parts[n_states] = [self._part(each) for each in stretches_of(self.lengths, n_states)]
        return self._parts[n_states]

    def _part(self, stretch: Stretch) -> _Part:
        rows = self.facts.rows.take(stretch.rows)
        # Rows that have groups: tied components then need no scatter of all rows.
        n_rows = rows.shape[0]
        grouped = replace(rows, groups=np.broadcast_to(np.int32(-1), n_rows).copy(), group_prior=np.zeros((1, 1)))
        return _Part(stretch, rows, suited_to_missing(Facts(grouped), self.family, self.backend, self.n_threads))


@dataclass(frozen=True, eq=False)
class Found:
    """Log-likelihoods of some sequences (S,), and their expected numbers of transitions (K, K) together."""

    log_likelihoods: FloatArray
    transitions: FloatArray


def posteriors_of(joint: FloatArray, sequences: Sequences, chain: Chain, backend: Backend, n_threads: int) -> Found:
    """What a chain makes of joint log-densities, in whose place stand the logarithms of posteriors afterwards."""
    n_sequences, n_chunks = len(sequences.offsets) - 1, len(sequences.chunks) - 1
    log_likelihoods, slots = np.empty(n_sequences), np.zeros((n_chunks, *chain.transitions.shape))
    threads = min(n_threads, useful_threads(sequences, len(chain.start)))
    kernels_of(backend).posteriors(chain, sequences, joint, log_likelihoods, slots, threads)
    return Found(log_likelihoods, slots.sum(axis=0))


def of_emissions(model: Model) -> Model:
    """The model of what states emit, whose weights are all 1: which state it is, is the chain's to say."""
    parameters = model.parameters
    return replace(model, parameters=replace(parameters, weights=np.ones(parameters.n_components)))
