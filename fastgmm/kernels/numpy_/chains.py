"""Chains of states: all sequences of a chunk at once, step by step, in logarithms."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.chains import IMPOSSIBLE, Chain, ChainKernels, Sequences
from fastgmm.parameters import BoolArray, FloatArray, IntArray

# Tables of transitions of so many sequences at once are some MB.
_NUMBERS_AT_ONCE = 2**18


def _log_sum(values: FloatArray, axis: int) -> FloatArray:
    """log Σ exp along an axis; −∞ of nothing but −∞."""
    largest = np.maximum(values.max(axis=axis, keepdims=True), IMPOSSIBLE)
    with np.errstate(divide="ignore"):
        sums: FloatArray = np.log(np.exp(values - largest).sum(axis=axis)) + largest.squeeze(axis)
    return sums


def _together(chain: Chain, sequences: Sequences) -> Iterator[tuple[int, IntArray]]:
    """Sequences of one chunk that are computed together, the longest first, with the number of the chunk."""
    lengths = np.diff(sequences.offsets)
    at_once = max(1, _NUMBERS_AT_ONCE // chain.transitions.size)
    for chunk, (begin, end) in enumerate(zip(sequences.chunks[:-1], sequences.chunks[1:], strict=True)):
        order = begin + np.argsort(-lengths[begin:end], kind="stable")
        for first in range(0, len(order), at_once):
            yield chunk, order[first : first + at_once]


def _steps(sequences: Sequences, some: IntArray) -> list[NDArray[np.int64]]:
    """Of every step the rows of those sequences that are so long; they are the first ones."""
    begins, lengths = sequences.offsets[some], np.diff(sequences.offsets)[some]
    return [begins[lengths > t] + t for t in range(int(lengths[0]))]


def _log_emissions(joint: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    values = joint[rows]
    return np.where(values < IMPOSSIBLE, -np.inf, values)


def posteriors(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_likelihoods: FloatArray,
    transitions: FloatArray,
    n_threads: int,
) -> None:
    """Turn joint log-densities into posteriors; add expected transitions to the slots of their chunks."""
    for chunk, some in _together(chain, sequences):
        steps = _steps(sequences, some)
        forward, scales = _forward(chain, joint, steps)
        totals = np.zeros(len(some))
        for scale in scales:
            totals[: len(scale)] += scale
        log_likelihoods[some] = totals
        possible = totals > -np.inf
        transitions[chunk] += _backward(chain, joint, steps, forward, scales, possible)
        for t, rows in enumerate(steps):
            # An impossible sequence says nothing of its states.
            joint[rows] = np.where(possible[: len(rows), np.newaxis], forward[t], -np.log(joint.shape[1]))


def _forward(
    chain: Chain, joint: FloatArray, steps: list[NDArray[np.int64]]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """log α of every step, normalized, and the logarithms of what that was divided by, one for each sequence."""
    forward, scales = list[FloatArray](), list[FloatArray]()
    for rows in steps:
        if not forward:
            before = np.broadcast_to(chain.log_start, (len(rows), len(chain.start)))
        else:
            before = _log_sum(forward[-1][: len(rows), :, np.newaxis] + chain.log_transitions, 1)
        ahead = before + _log_emissions(joint, rows)
        scales.append(_log_sum(ahead, 1))
        forward.append(ahead - np.maximum(scales[-1], IMPOSSIBLE)[:, np.newaxis])
    return forward, scales


def _backward(
    chain: Chain,
    joint: FloatArray,
    steps: list[NDArray[np.int64]],
    forward: list[FloatArray],
    scales: list[FloatArray],
    possible: BoolArray,
) -> FloatArray:
    """Add log β to log α, in place; Σξ of the sequences that are possible."""
    pairs = np.zeros_like(chain.transitions)
    backward = np.zeros_like(forward[-1])
    for t in range(len(steps) - 2, -1, -1):
        n_next, rows = len(steps[t + 1]), steps[t]
        ahead = _log_emissions(joint, steps[t + 1]) + backward
        ahead -= np.maximum(scales[t + 1], IMPOSSIBLE)[:, np.newaxis]
        through = chain.log_transitions + ahead[:, np.newaxis, :]
        of_pairs = forward[t][:n_next, :, np.newaxis] + through
        pairs += np.exp(of_pairs[possible[:n_next]]).sum(axis=0)
        backward = np.zeros((len(rows), len(chain.start)))
        backward[:n_next] = _log_sum(through, 2)
        forward[t] = forward[t] + backward
    return pairs


def decode(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_probabilities: FloatArray,
    states: IntArray,
    n_threads: int,
) -> None:
    """The most probable path of every sequence."""
    for _, some in _together(chain, sequences):
        steps = _steps(sequences, some)
        best = chain.log_start + _log_emissions(joint, steps[0])
        final, came_from = [best], list[IntArray]()
        for rows in steps[1:]:
            candidates = best[: len(rows), :, np.newaxis] + chain.log_transitions
            came_from.append(candidates.argmax(axis=1))
            best = candidates.max(axis=1) + _log_emissions(joint, rows)
            final[0] = np.concatenate([best, final[0][len(rows) :]])
        log_probabilities[some] = final[0].max(axis=1)
        at = final[0].argmax(axis=1)
        for t in range(len(steps) - 1, -1, -1):
            states[steps[t]] = at[: len(steps[t])]
            if t > 0:
                at[: len(steps[t])] = came_from[t - 1][np.arange(len(steps[t])), at[: len(steps[t])]]


KERNELS = ChainKernels(posteriors, decode)
