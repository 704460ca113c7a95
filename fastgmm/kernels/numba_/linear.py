"""Kernels of rows of entries, with components in lanes: what is not 0 costs a multiply-add with one line of loadings.

Joint log-density: cₖ + Σⱼ xⱼ θⱼₖ; sums: N = Σ wr, sⱼ = Σ wr xⱼ. Their workers are threads of Python's own, as of rows
with holes.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.entries import Entries
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.linear import LinearKernels, LinearSlots
from fastgmm.kernels.numba_.elementary import SMALLEST_EXPONENT, exponential, logarithm
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.launch import run_in_thread_pool
from fastgmm.kernels.numba_.panels import add_scaled, count_of, lines, load_panel, store_panel
from fastgmm.kernels.numba_.tile import zeros_in_lines
from fastgmm.kernels.numba_.vector import (
    add_sum,
    broadcast,
    constant,
    fma,
    lanes,
    lanes_less,
    load,
    number,
    pointer,
    put,
    store,
)
from fastgmm.parameters import FloatArray, PreparedLinear

_LOWEST, _EXCLUDED = -1.7e308, -1.79e308
_NOTHING = np.empty(0)


class FlatEntries(NamedTuple):
    """Rows of entries as arrays of one dimension; what is not there has length 0."""

    values: NDArray[Any]
    starts: NDArray[np.int64]
    lines: NDArray[np.int32]
    weights: FloatArray
    groups: NDArray[np.int32]
    group_prior: FloatArray
    n_rows: int
    n_features: int
    has_missing: bool


class Desk(NamedTuple):
    """Working memory of one worker: pointers to ``constants`` and ``joint`` (step,), a single number ``total``, room
    for a vector to ``look`` at, the ``numbers`` and ``lines`` of a row's entries, and the ``active`` components."""

    constants: Any
    joint: Any
    total: Any
    look: Any
    numbers: Any
    lines: Any
    active: Any


@inline
def _desk_of(scratch: Any, integers: Any, worker: int, step: int, d: int) -> Any:
    start = worker * scratch.shape[1]
    first = worker * integers.shape[1]
    return Desk(
        pointer(scratch, start),
        pointer(scratch, start + step),
        pointer(scratch, start + 2 * step),
        pointer(scratch, start + 2 * step + 8),
        pointer(scratch, start + 2 * step + 16),
        pointer(integers, first),
        pointer(integers, first + d),
    )


@inner
def _entries_of(rows: Any, i: int, desk: Any) -> int:
    """Put the entries of row i on the desk; return how many."""
    d, n = rows.n_features, 0
    if rows.starts.size > 0:
        for at in range(rows.starts[i], rows.starts[i + 1]):
            put(desk.lines, n, rows.lines[at])
            put(desk.numbers, n, 1.0 if rows.values.size == 0 else float(rows.values[at]))
            n += 1
    else:
        for j in range(d):
            x = float(rows.values[i * d + j])
            if x != 0.0:
                put(desk.lines, n, j)
                put(desk.numbers, n, x)
                n += 1
    if rows.has_missing:
        for e in range(n):
            if math.isnan(number(desk.numbers, e)):
                put(desk.numbers, e, 1.0)
                put(desk.lines, e, number(desk.lines, e) + d)
    return n


@inline
def _joint_of_some(loadings: Any, step: int, desk: Any, n_entries: int, first: int, columns: Any) -> Any:
    """cₖ + Σⱼ xⱼ θⱼₖ of as many components as some vectors hold."""
    one = lines(1)
    sums = load_panel(desk.constants, first, 0, one, columns)
    for e in range(n_entries):
        line = load_panel(loadings, number(desk.lines, e) * step + first, 0, one, columns)
        sums = add_scaled(sums, broadcast(desk.numbers, e), line)
    store_panel(desk.joint, first, 0, sums)
    return first + count_of(columns) * lanes(desk.joint)


@inner
def _put_joint(rows: Any, loadings: Any, step: int, n_components: int, desk: Any, i: int, n_entries: int) -> None:
    """The joint log-densities of a row, never lower than the lowest, and −∞ behind those of the components."""
    k, width = 0, lanes(desk.joint)
    while k + 8 * width <= step:
        k = _joint_of_some(loadings, step, desk, n_entries, k, lines(8))
    if k + 4 * width <= step:
        k = _joint_of_some(loadings, step, desk, n_entries, k, lines(4))
    if k + 2 * width <= step:
        k = _joint_of_some(loadings, step, desk, n_entries, k, lines(2))
    if k < step:
        k = _joint_of_some(loadings, step, desk, n_entries, k, lines(1))
    for k in range(n_components):
        put(desk.joint, k, max(number(desk.joint, k), _LOWEST))
    if rows.groups.size > 0 and 0 <= rows.groups[i] < rows.group_prior.size // n_components:
        for k in range(n_components):
            joint = number(desk.joint, k) + rows.group_prior[rows.groups[i] * n_components + k]
            put(desk.joint, k, max(joint, _EXCLUDED))
    for k in range(n_components, step):
        put(desk.joint, k, -np.inf)


@inner
def _exponentials(desk: Any, step: int, margin: float) -> float:
    """Joint log-densities to exp(joint_k − m), m the largest, and their sum to ``total``; returns log p(x)."""
    m = number(desk.joint, 0)
    for k in range(1, step):
        m = max(m, number(desk.joint, k))
    cutoff, largest = constant(desk.joint, -margin), constant(desk.joint, m)
    total = zero = constant(desk.joint, 0.0)
    for k in range(0, step, lanes(desk.joint)):
        x = load(desk.joint, k) - largest
        value = zero
        if lanes_less(cutoff, x) != 0:
            value = exponential(x, cutoff)
        store(desk.joint, k, value)
        total = total + value
    put(desk.total, 0, 0.0)
    add_sum(desk.total, 0, total)
    store(desk.look, 0, logarithm(broadcast(desk.total, 0)))
    return m + number(desk.look, 0) if m > _LOWEST else -np.inf


@inner
def _add_entries(desk: Any, n_entries: int, n_active: int, step: int, first: Any) -> None:
    """sⱼₖ += xⱼ rₖ: whole lines, or where few components have the row theirs alone."""
    width = lanes(desk.joint)
    if n_active * width <= step:
        for a in range(n_active):
            k = number(desk.active, a)
            r = number(desk.joint, k)
            for e in range(n_entries):
                at = number(desk.lines, e) * step + k
                put(first, at, number(first, at) + number(desk.numbers, e) * r)
        return
    for e in range(n_entries):
        at = number(desk.lines, e) * step
        x = broadcast(desk.numbers, e)
        for k in range(0, step, width):
            store(first, at + k, fma(x, load(desk.joint, k), load(first, at + k)))


@entry(parallel=False)
def sweep_entries(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, integers: Any, slots: Any
) -> None:
    """Add the sums of the chunks ``worker, worker + n_workers, …`` to their slots."""
    n_components, d, step = prepared.log_constants.size, rows.n_features, prepared.loadings.shape[1]
    desk, loadings = _desk_of(scratch, integers, worker, step, d), pointer(prepared.loadings, 0)
    margin = math.log(n_components) + 36.7
    for k in range(step):
        put(desk.constants, k, prepared.log_constants[k] if k < n_components else 0.0)
    for chunk in range(worker, section.n_chunks, n_workers):
        first = pointer(slots.first, chunk * prepared.loadings.size)
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for i in range(begin, end):
            weight = rows.weights[i] if rows.weights.size > 0 else 1.0
            if not weight > 0.0:
                continue
            n_entries = _entries_of(rows, i, desk)
            _put_joint(rows, loadings, step, n_components, desk, i, n_entries)
            log_density = _exponentials(desk, step, margin)
            slots.totals[chunk, 0] += weight
            slots.totals[chunk, 1] += weight * log_density
            scale, n_active = weight / number(desk.total, 0), 0
            for k in range(n_components):
                r = number(desk.joint, k) * scale
                put(desk.joint, k, r)
                slots.counts[chunk, k] += r
                put(desk.active, n_active, k)
                n_active += r > 0.0
            _add_entries(desk, n_entries, n_active, step, first)


@entry(parallel=False)
def score_entries(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, integers: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    n_components, d, step = prepared.log_constants.size, rows.n_features, prepared.loadings.shape[1]
    desk, loadings = _desk_of(scratch, integers, worker, step, d), pointer(prepared.loadings, 0)
    for k in range(step):
        put(desk.constants, k, prepared.log_constants[k] if k < n_components else 0.0)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for i in range(begin, end):
            _put_joint(rows, loadings, step, n_components, desk, i, _entries_of(rows, i, desk))
            if outputs.labels.size > 0:
                best = 0
                for k in range(1, n_components):
                    if number(desk.joint, k) > number(desk.joint, best):
                        best = k
                outputs.labels[i] = best
            if outputs.joint.size > 0 and not outputs.normalize:
                for k in range(n_components):
                    outputs.joint[i, k] = number(desk.joint, k)
            if outputs.log_density.size > 0 or outputs.normalize:
                log_density = _exponentials(desk, step, -SMALLEST_EXPONENT)
                if outputs.log_density.size > 0:
                    outputs.log_density[i] = log_density
                if outputs.joint.size > 0 and outputs.normalize:
                    for k in range(n_components):
                        outputs.joint[i, k] = number(desk.joint, k) / number(desk.total, 0)


def _flat(rows: Entries, with_weights: bool) -> FlatEntries:
    values = _NOTHING if rows.values is None else rows.values.reshape(-1)
    starts = np.empty(0, np.int64) if rows.starts is None else rows.starts
    return FlatEntries(
        _readable(values),
        _readable(starts),
        _readable(np.empty(0, np.int32) if rows.lines is None else rows.lines),
        _readable(_NOTHING if rows.weights is None or not with_weights else rows.weights),
        _readable(np.empty(0, np.int32) if rows.groups is None else rows.groups),
        _readable(_NOTHING if rows.group_prior is None else rows.group_prior.reshape(-1)),
        rows.n_rows,
        rows.n_features,
        rows.has_missing,
    )


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """Of one Numba type, be the array the user's own, which may not be writable, or ours."""
    view = array.view()
    view.flags.writeable = False
    return view


def sweep(rows: Entries, prepared: PreparedLinear, section: Section, slots: LinearSlots, n_threads: int) -> None:
    """Add the sums of the section's rows to the slots of their chunks."""
    _launch(sweep_entries, _flat(rows, True), prepared, section, slots, n_threads)


def log_density(rows: Entries, prepared: PreparedLinear, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    _launch(score_entries, _flat(rows, False), prepared, section, outputs, n_threads)


def _launch(
    kernel: Any,
    rows: FlatEntries,
    prepared: PreparedLinear,
    section: Section,
    results: LinearSlots | Outputs,
    n_threads: int,
) -> None:
    n_workers, step, d = min(n_threads, section.n_chunks), prepared.loadings.shape[1], rows.n_features
    scratch = zeros_in_lines(n_workers, 2 * step + 16 + d, np.float64)
    integers = zeros_in_lines(n_workers, d + step, np.int64)
    parameters = PreparedLinear(*map(_readable, prepared))
    arguments = rows, parameters, section, scratch, integers, results
    if n_workers == 1:
        kernel(0, 1, *arguments)
    else:
        run_in_thread_pool(kernel, n_workers, arguments)


KERNELS = LinearKernels(sweep, log_density)
