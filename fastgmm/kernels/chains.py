"""What passes between the library and a backend where rows are steps of chains: states that follow one another.

A kernel knows of the rows nothing but their log-densities in every state, log bₜ(j), whatever these are densities of.
With π the probabilities of the states of a first step and A those of the transitions, Baum and Welch's recursions are

    α₁(j) ∝ πⱼ b₁(j),   αₜ₊₁(j) ∝ Σᵢ αₜ(i) Aᵢⱼ bₜ₊₁(j),   βₜ(i) ∝ Σⱼ Aᵢⱼ bₜ₊₁(j) βₜ₊₁(j),   β = 1 at the end
    γₜ(j) ∝ αₜ(j) βₜ(j),   ξₜ(i, j) ∝ αₜ(i) Aᵢⱼ bₜ₊₁(j) βₜ₊₁(j)

The NumPy backend adds logarithms. The others multiply numbers in a scale of their own at each step, which is an
exponential for a state instead of one for each of its transitions, and go back to logarithms where a sequence may have
lost something to underflow. They tell by this: bₜ(j) and βₜ(j) are held above tiny numbers, so that β is never too
small; while it is below 10¹⁰⁰, and no step scales by less than 10⁻¹⁵⁰, whatever α has lost (less than 10⁻¹⁵⁰) is
nothing beside the rest.

A sequence that cannot be has the log-likelihood −∞, equal posteriors, and no transitions.

References
----------
L. E. Baum, T. Petrie, G. Soules and N. Weiss, "A maximization technique occurring in the statistical analysis of
probabilistic functions of Markov chains", Annals of Mathematical Statistics 41 (1970).
L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proceedings of the
IEEE 77 (1989).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastgmm.kernels.contract import WORK_OF_AN_EXPONENTIAL, ChunkPlan
from fastgmm.parameters import FloatArray, IntArray

# Of lower log-densities a kernel takes the density to be 0: those of rows that are beyond all numbers.
IMPOSSIBLE = -1e300
# As many chunks as keep many cores busy; a chunk's slot is a table of transitions.
_MOST_CHUNKS = 32


class Chain(NamedTuple):
    """``start`` (K,) and ``transitions`` (K, K), whose rows sum to 1, with their logarithms, all float64 in C order."""

    start: FloatArray
    transitions: FloatArray
    log_start: FloatArray
    log_transitions: FloatArray


class Sequences(NamedTuple):
    """Sequence s are the rows ``offsets[s] … offsets[s + 1]``, chunk c the sequences ``chunks[c] … chunks[c + 1]``."""

    offsets: IntArray
    chunks: IntArray


# Chain, sequences, joint log-densities (n, K), which become the logarithms of γ, log-likelihoods of the sequences (S,),
# to be filled, Σξ of every chunk (C, K, K), to be added to, number of threads.
Posteriors = Callable[[Chain, Sequences, FloatArray, FloatArray, FloatArray, int], None]
# The same with the log-probabilities of the best paths (S,) and their states (n,), both to be filled.
Decode = Callable[[Chain, Sequences, FloatArray, FloatArray, IntArray, int], None]


@dataclass(frozen=True)
class ChainKernels:
    """``posteriors`` is forward-backward, ``decode`` Viterbi's algorithm."""

    posteriors: Posteriors
    decode: Decode


def chain_of(start: FloatArray, transitions: FloatArray) -> Chain:
    """The form that kernels read."""
    start, transitions = (np.ascontiguousarray(each, np.float64) for each in (start, transitions))
    with np.errstate(divide="ignore"):
        return Chain(start, transitions, np.log(start), np.log(transitions))


def table_of(start: FloatArray, transitions: FloatArray) -> FloatArray:
    """Both as further numbers of every state, (K, K + 1): where it leads to, and how likely it is to be the first."""
    return np.column_stack([transitions, start])


def parts_of(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What ``table_of`` put together, as the last columns of a table: start (K,) and transitions (K, K)."""
    return table[:, -1], table[:, -1 - len(table) : -1]


def useful_threads(sequences: Sequences, n_states: int) -> int:
    """As many threads as have enough work to repay starting them; the number changes no result."""
    n_chunks = len(sequences.chunks) - 1
    # Three products with the transitions, and an exponential and a logarithm for each state.
    work = n_states * (3 * n_states + 2 * WORK_OF_AN_EXPONENTIAL)
    return ChunkPlan(n_chunks, -(-int(sequences.offsets[-1]) // n_chunks), 1, work, 0).useful_threads


def sequences_of(lengths: IntArray) -> Sequences:
    """Sequences one after the other, cut into chunks of about as many rows, by their lengths alone."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n_chunks = min(_MOST_CHUNKS, len(lengths))
    shares = np.arange(1, n_chunks) * (offsets[-1] / n_chunks)
    edges = np.concatenate([[0], np.searchsorted(offsets, shares), [len(lengths)]])
    return Sequences(offsets, np.maximum.accumulate(edges).astype(np.int64))
