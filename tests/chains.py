"""Chains and sequences for tests."""

from typing import NamedTuple

import numpy as np

from fastgmm.kernels.backend import Backend
from fastgmm.kernels.chains import Chain, Sequences, chain_of, sequences_of
from fastgmm.parameters import FloatArray, IntArray


class Found(NamedTuple):
    """What the two kernels of a backend find."""

    log_likelihoods: FloatArray
    posteriors: FloatArray
    transitions: FloatArray
    paths: IntArray
    log_probabilities: FloatArray


def found_by(backend: Backend, chain: Chain, sequences: Sequences, joint: FloatArray, n_threads: int = 2) -> Found:
    assert backend.chains is not None
    n_sequences, n_chunks, n_states = len(sequences.offsets) - 1, len(sequences.chunks) - 1, len(chain.start)
    table, likelihoods, best = joint.copy(), np.empty(n_sequences), np.empty(n_sequences)
    slots, states = np.zeros((n_chunks, n_states, n_states)), np.empty(len(joint), np.int64)
    backend.chains.posteriors(chain, sequences, table, likelihoods, slots, n_threads)
    backend.chains.decode(chain, sequences, joint.copy(), best, states, n_threads)
    return Found(likelihoods, np.exp(table), slots.sum(axis=0), states, best)


def draw_chain(rng: np.random.Generator, n_states: int, with_zeros: bool = False) -> Chain:
    """With zeros it goes on from a state to later ones alone, from the first one on."""
    start, transitions = rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), n_states)
    if with_zeros:
        start, transitions = np.eye(n_states)[0], np.triu(transitions)
        transitions /= transitions.sum(axis=1, keepdims=True)
    return chain_of(start, transitions)


def draw_sequences(
    rng: np.random.Generator, n_states: int = 3, n_features: int = 2, lengths: tuple[int, ...] = (40, 1, 25, 60)
) -> tuple[FloatArray, IntArray]:
    """Rows that states emit, which mostly stay what they are, and the lengths of the sequences."""
    n_rows = sum(lengths)
    centers = 3.0 * rng.normal(size=(n_states, n_features))
    changes = rng.random(n_rows) < 0.2
    states = rng.integers(n_states, size=n_rows)[np.maximum.accumulate(np.where(changes, np.arange(n_rows), 0))]
    return centers[states] + rng.normal(size=(n_rows, n_features)), np.array(lengths)


def one_sequence(n_steps: int) -> Sequences:
    return sequences_of(np.array([n_steps]))
