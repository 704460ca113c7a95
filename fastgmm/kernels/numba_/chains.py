"""Chains of states, forward and backward in numbers of a scale of their own at each step: see ``kernels/chains.py``.

A line of numbers, one for each state, fills whole vectors. What is behind the last state is 0, or −∞ in logarithms.
"""

from typing import Any, NamedTuple

import numpy as np

from fastgmm.kernels.chains import IMPOSSIBLE
from fastgmm.kernels.numba_.elementary import SMALLEST_EXPONENT, exponential, logarithm
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.vector import (
    add_sum,
    broadcast,
    constant,
    fma,
    lanes,
    largest_lane,
    load,
    pointer,
    store,
    where_less,
)

# Of what would be smaller the recursions take these, so that b and β are never too small.
_SMALLEST_EMISSION, _SMALLEST_BACKWARD = 1e-300, 1e-200
# Where a step scales by less, or β is larger, a sequence is computed again in logarithms.
_SMALLEST_SCALE, _LARGEST_BACKWARD = 1e-150, 1e100
_STEPS_OF_A_BLOCK = 64


class Tables(NamedTuple):
    """Of a chain: probabilities and their logarithms, in lines; ``back`` are those of ``forth`` transposed."""

    forth: Any
    back: Any
    log_forth: Any
    log_back: Any
    start: Any
    log_start: Any


class Desk(NamedTuple):
    """What one worker writes: a line for every step, a number for every step, a line for every state, and three."""

    emissions: Any
    forward: Any
    states: Any
    scales: Any
    sums: Any
    line: Any
    other: Any
    total: Any


@inline
def _larger(a: Any, b: Any) -> Any:
    return where_less(a, b, b, a)


@inner
def _put_line(joint: Any, row: int, n: int, lines: Any, t: int) -> float:
    """The log-densities of a step as a line; the largest of them. Those of impossible states become −∞."""
    width, largest = lines.shape[1], -np.inf
    for j in range(width):
        b = joint[row, j] if j < n else -np.inf
        b = b if b >= IMPOSSIBLE else -np.inf
        lines[t, j] = b
        largest = max(largest, b)
    return largest


@inner
def _times(to: Any, to_row: int, line: Any, row: int, table: Any, n: int) -> None:
    """A line times a table, summed over the lines of the table."""
    width = to.shape[1]
    target, source, lines = pointer(to, to_row * width), pointer(line, row * width), pointer(table, 0)
    for j in range(0, width, lanes(to)):
        even, odd = constant(to, 0.0), constant(to, 0.0)
        i = 0
        while i + 2 <= n:
            even = fma(broadcast(source, i), load(lines, i * width + j), even)
            odd = fma(broadcast(source, i + 1), load(lines, (i + 1) * width + j), odd)
            i += 2
        if i < n:
            even = fma(broadcast(source, i), load(lines, i * width + j), even)
        store(target, j, even + odd)


@inner
def _scaled_emissions(desk: Any, joint: Any, first: int, n_steps: int, n: int) -> float:
    """Emissions in units of the largest of each step; the sum of the logarithms of these.

    Exponentials are a loop of their own, in which many are on their way at a time.
    """
    width, total = desk.emissions.shape[1], 0.0
    floor, smallest = constant(desk.line, _SMALLEST_EMISSION), constant(desk.line, SMALLEST_EXPONENT)
    emissions = pointer(desk.emissions, 0)
    for t in range(n_steps):
        largest = _put_line(joint, first + t, n, desk.emissions, t)
        if not largest > -np.inf:
            return -np.inf
        total += largest
        for j in range(t * width, (t + 1) * width, lanes(desk.line)):
            store(emissions, j, load(emissions, j) - constant(desk.line, largest))
    for at in range(0, n_steps * width, lanes(desk.line)):
        store(emissions, at, _larger(exponential(load(emissions, at), smallest), floor))
    return total


@inner
def _scaled_forward(desk: Any, tables: Any, n_steps: int, n: int) -> float:
    """α, each step's numbers summing to 1; log of the product of their scales, or NaN where one is too small."""
    width, total, product = desk.forward.shape[1], 0.0, 1.0
    for t in range(n_steps):
        if t == 0:
            desk.forward[0, :] = tables.start[0, :]
        else:
            _times(desk.forward, t, desk.forward, t - 1, tables.forth, n)
        line, emissions = pointer(desk.forward, t * width), pointer(desk.emissions, t * width)
        sums = constant(desk.line, 0.0)
        for j in range(0, width, lanes(desk.line)):
            joint = load(line, j) * load(emissions, j)
            store(line, j, joint)
            sums = sums + joint
        desk.total[0] = 0.0
        add_sum(desk.total, 0, sums)
        scale = desk.total[0]
        if not scale >= _SMALLEST_SCALE:
            return np.nan
        desk.scales[t] = 1.0 / scale
        for j in range(0, width, lanes(desk.line)):
            store(line, j, load(line, j) * constant(desk.line, 1.0 / scale))
        product *= scale
        if product < _SMALLEST_SCALE:
            total += np.log(product)
            product = 1.0
    return total + np.log(product)


@inner
def _scaled_backward(desk: Any, tables: Any, n_steps: int, n: int) -> bool:
    """γ into ``states``, and bβ in each step's scale over the emissions; whether β stayed small."""
    width = desk.forward.shape[1]
    floor, largest = constant(desk.line, _SMALLEST_BACKWARD), constant(desk.line, 0.0)
    desk.line[0, :] = 1.0
    desk.states[n_steps - 1, :] = desk.forward[n_steps - 1, :]
    beta = pointer(desk.line, 0)
    for t in range(n_steps - 2, -1, -1):
        following, scale = pointer(desk.emissions, (t + 1) * width), broadcast(desk.scales, t + 1)
        for j in range(0, width, lanes(desk.line)):
            store(following, j, load(following, j) * load(beta, j) * scale)
        _times(desk.line, 0, desk.emissions, t + 1, tables.back, n)
        forward, states = pointer(desk.forward, t * width), pointer(desk.states, t * width)
        for j in range(0, width, lanes(desk.line)):
            held = _larger(load(beta, j), floor)
            store(beta, j, held)
            largest = _larger(largest, held)
            store(states, j, load(forward, j) * held)
    return largest_lane(largest) <= _LARGEST_BACKWARD


@inner
def _scaled_pairs(desk: Any, tables: Any, n_steps: int, n: int) -> None:
    """Σξ: sums over steps of α(i) of one and bβ(j) of the next, a block of steps at a time, times Aᵢⱼ."""
    width = desk.forward.shape[1]
    desk.sums[:] = 0.0
    sums = pointer(desk.sums, 0)
    for begin in range(0, n_steps - 1, _STEPS_OF_A_BLOCK):
        end = min(begin + _STEPS_OF_A_BLOCK, n_steps - 1)
        for i in range(0, n, 2):
            other = min(i + 1, n - 1)  # of an odd number of states the last line is computed twice
            for j in range(0, width, lanes(desk.line)):
                one, two = load(sums, i * width + j), load(sums, other * width + j)
                for t in range(begin, end):
                    following = load(pointer(desk.emissions, (t + 1) * width), j)
                    forward = pointer(desk.forward, t * width)
                    one = fma(broadcast(forward, i), following, one)
                    two = fma(broadcast(forward, other), following, two)
                store(sums, i * width + j, one)
                store(sums, other * width + j, two)
    table = pointer(tables.forth, 0)
    for at in range(0, n * width, lanes(desk.line)):
        store(sums, at, load(sums, at) * load(table, at))


@inner
def _put_logarithms(desk: Any, joint: Any, first: int, n_steps: int, n: int) -> None:
    """The logarithms of γ in the place of joint log-densities."""
    smallest, nothing = constant(desk.line, _SMALLEST_EMISSION), constant(desk.line, -np.inf)
    states = pointer(desk.states, 0)
    for at in range(0, n_steps * desk.states.shape[1], lanes(desk.line)):
        gamma = load(states, at)
        store(states, at, where_less(gamma, smallest, nothing, logarithm(_larger(gamma, smallest))))
    for t in range(n_steps):
        for j in range(n):
            joint[first + t, j] = desk.states[t, j]


@inner
def _log_sums(to: Any, to_row: int, line: Any, row: int, table: Any, n: int) -> None:
    """log of the sums over the lines of a table of exp(line[i] + table[i, j])."""
    width = to.shape[1]
    target, source, lines = pointer(to, to_row * width), pointer(line, row * width), pointer(table, 0)
    lowest, half, smallest = constant(to, IMPOSSIBLE), constant(to, 0.5), constant(to, SMALLEST_EXPONENT)
    for j in range(0, width, lanes(to)):
        largest, total = lowest, constant(to, 0.0)
        for i in range(n):
            largest = _larger(largest, broadcast(source, i) + load(lines, i * width + j))
        for i in range(n):
            total = total + exponential(broadcast(source, i) + load(lines, i * width + j) - largest, smallest)
        store(target, j, where_less(total, half, constant(to, -np.inf), largest + logarithm(_larger(total, half))))


@inner
def _logarithmic_forward(desk: Any, tables: Any, joint: Any, first: int, n_steps: int, n: int) -> float:
    """The same recursion on logarithms; the log-likelihood, −∞ where the sequence cannot be."""
    total = 0.0
    for t in range(n_steps):
        _put_line(joint, first + t, n, desk.emissions, t)
        if t == 0:
            desk.forward[0, :] = tables.log_start[0, :]
        else:
            _log_sums(desk.forward, t, desk.forward, t - 1, tables.log_forth, n)
        largest = -np.inf
        for j in range(n):
            desk.forward[t, j] += desk.emissions[t, j]
            largest = max(largest, desk.forward[t, j])
        if not largest > IMPOSSIBLE:
            return -np.inf
        scale = 0.0
        for j in range(n):
            scale += np.exp(desk.forward[t, j] - largest)
        scale = largest + np.log(scale)
        for j in range(n):
            desk.forward[t, j] -= scale
        desk.scales[t] = scale
        total += scale
    return total


@inner
def _logarithmic_backward(desk: Any, tables: Any, joint: Any, first: int, n_steps: int, n: int) -> None:
    desk.sums[:] = 0.0
    desk.line[:] = 0.0
    for t in range(n_steps - 1, -1, -1):
        if t < n_steps - 1:
            for j in range(n):
                desk.emissions[t + 1, j] += desk.line[0, j] - desk.scales[t + 1]
            _log_sums(desk.line, 0, desk.emissions, t + 1, tables.log_back, n)
            for i in range(n):
                for j in range(n):
                    pair = desk.forward[t, i] + tables.log_forth[i, j] + desk.emissions[t + 1, j]
                    desk.sums[i, j] += np.exp(pair)
        for j in range(n):
            joint[first + t, j] = desk.forward[t, j] + desk.line[0, j]


@inner
def _posteriors_of_sequence(desk: Any, tables: Any, joint: Any, first: int, n_steps: int, slot: Any) -> float:
    """The log-likelihood of one sequence, whose joint log-densities become the logarithms of γ."""
    n = joint.shape[1]
    total = _scaled_emissions(desk, joint, first, n_steps, n)
    if total > -np.inf:
        total += _scaled_forward(desk, tables, n_steps, n)
        if total > -np.inf and _scaled_backward(desk, tables, n_steps, n):
            _scaled_pairs(desk, tables, n_steps, n)
            _put_logarithms(desk, joint, first, n_steps, n)
        else:
            total = _logarithmic_forward(desk, tables, joint, first, n_steps, n)
            if total > -np.inf:
                _logarithmic_backward(desk, tables, joint, first, n_steps, n)
    if not total > -np.inf:
        joint[first : first + n_steps, :] = -np.log(float(n))
        return -np.inf
    for i in range(n):
        for j in range(n):
            slot[i, j] += desk.sums[i, j]
    return total


@entry(parallel=False)
def posteriors_of_chunk(
    chunk: int, tables: Any, desk: Any, offsets: Any, chunks: Any, joint: Any, log_likelihoods: Any, slots: Any
) -> None:
    """Fill the posteriors and log-likelihoods of the sequences of a chunk, and add to its slot."""
    for s in range(chunks[chunk], chunks[chunk + 1]):
        n_steps = offsets[s + 1] - offsets[s]
        log_likelihoods[s] = _posteriors_of_sequence(desk, tables, joint, offsets[s], n_steps, slots[chunk])


@inner
def _follow_best(desk: Any, table: Any, t: int, n: int) -> None:
    """The largest of δ(i) + log Aᵢⱼ before into the other line; that i into the step's line of ``states``."""
    width = desk.line.shape[1]
    delta, lines = pointer(desk.line, 0), pointer(table, 0)
    following, source = pointer(desk.other, 0), pointer(desk.states, t * width)
    for j in range(0, width, lanes(desk.line)):
        best, which = constant(desk.line, -np.inf), constant(desk.line, 0.0)
        for i in range(n):
            candidate = broadcast(delta, i) + load(lines, i * width + j)
            which = where_less(best, candidate, constant(desk.line, float(i)), which)
            best = _larger(best, candidate)
        store(source, j, which)
        store(following, j, best)


@inner
def _path_of_sequence(desk: Any, tables: Any, joint: Any, first: int, n_steps: int, path: Any) -> float:
    n = joint.shape[1]
    desk.line[0, :] = tables.log_start[0, :]
    for t in range(n_steps):
        _put_line(joint, first + t, n, desk.emissions, 0)
        if t > 0:
            _follow_best(desk, tables.log_forth, t, n)
            desk.line[0, :] = desk.other[0, :]
        for j in range(n):
            desk.line[0, j] += desk.emissions[0, j]
    best = 0
    for j in range(1, n):
        best = j if desk.line[0, j] > desk.line[0, best] else best
    log_probability = desk.line[0, best]
    for t in range(n_steps - 1, -1, -1):
        path[first + t] = best
        if t > 0:
            best = int(desk.states[t, best])
    return float(log_probability)


@entry(parallel=False)
def paths_of_chunk(
    chunk: int, tables: Any, desk: Any, offsets: Any, chunks: Any, joint: Any, log_probabilities: Any, states: Any
) -> None:
    """Fill the best paths of the sequences of a chunk."""
    for s in range(chunks[chunk], chunks[chunk + 1]):
        n_steps = offsets[s + 1] - offsets[s]
        log_probabilities[s] = _path_of_sequence(desk, tables, joint, offsets[s], n_steps, states)
