"""From rows that lack values to slots and outputs, by matrices: which worker takes which rows."""

import math
from typing import Any

import numpy as np

from fastgmm.kernels.numba_.drivers import points_of, put_outputs
from fastgmm.kernels.numba_.elementary import exponential
from fastgmm.kernels.numba_.groups import prior_of
from fastgmm.kernels.numba_.incomplete_desk import GROUP, desk_of, pointers_of_blocks
from fastgmm.kernels.numba_.incomplete_moments import add_group, add_products_of_rows, end_pattern
from fastgmm.kernels.numba_.incomplete_patterns import NO_PATTERN, begin_pattern, begin_sweep, joint_densities, read_row
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.rows import pointers_of_rows, weight_at
from fastgmm.kernels.numba_.tile import log_density_of, tile_of
from fastgmm.kernels.numba_.vector import (
    add_sum,
    constant,
    lanes,
    largest_lane,
    load,
    number,
    pointer,
    put,
    store,
    where_less,
)

# Below those that are allowed, as in ``groups.add_priors``.
_EXCLUDED = -1.79e308
# A literal has a type of its own, for which whatever is called would be compiled once more.
_ZERO: Any = np.int64(0)
_ONE: Any = np.int64(1)


@entry(parallel=False)
def sweep_matrices(worker: int, n_workers: int, rows: Any, blocks: Any, section: Any, scratch: Any, slots: Any) -> None:
    """Add the moments of the chunks ``worker, worker + n_workers, …`` to their slots."""
    d = rows.n_features
    desk = desk_of(scratch.desks, worker, blocks, d, lanes(scratch.desks.numbers))
    flat, parameters = pointers_of_rows(rows), pointers_of_blocks(blocks)
    begin_sweep(desk, parameters, d)
    known: int = _ZERO
    for chunk in range(worker, section.n_chunks, n_workers):
        totals = pointer(slots.totals, 2 * chunk)
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            pattern, has_pattern, n_waiting, at = NO_PATTERN, False, _ZERO, first
            tile_end = min(first + section.tile_rows, end)
            while at < tile_end:
                if not weight_at(flat, at) > 0.0:
                    at += 1
                    continue
                is_alike = read_row(flat, at, desk, _ZERO)
                if not (has_pattern and is_alike):
                    if has_pattern:
                        end_pattern(desk, parameters, pattern, d)
                    pattern = begin_pattern(desk, parameters, d, known)
                    known, has_pattern = pattern.n_known, True
                n_rows = _read_more(flat, desk, at, tile_end, True)
                joint_densities(desk, parameters, pattern, d, n_rows)
                _add_priors(flat, parameters, desk, at, n_rows)
                for place in range(n_rows):
                    _normalize(parameters, desk, place, weight_at(flat, at + place), totals)
                if n_waiting + n_rows > GROUP:
                    add_products_of_rows(desk, parameters)
                    n_waiting = _ZERO
                add_group(desk, parameters, pattern, n_rows, n_waiting)
                n_waiting += n_rows
                at += n_rows
            if has_pattern:
                end_pattern(desk, parameters, pattern, d)
                add_products_of_rows(desk, parameters)
            _put_down(parameters, desk, d, slots, chunk)


@inner
def _read_more(rows: Any, desk: Any, at: int, end: int, weighted: bool) -> int:
    """Read the rows after the one at ``at`` while they have its pattern; return how many rows are read."""
    n_rows: int = _ONE
    while n_rows < GROUP and at + n_rows < end:
        if weighted and not weight_at(rows, at + n_rows) > 0.0:
            break
        if not read_row(rows, at + n_rows, desk, n_rows):
            break
        n_rows += 1
    return n_rows


@inner
def _add_priors(rows: Any, blocks: Any, desk: Any, at: int, n_rows: int) -> None:
    """Add the priors to joint log-densities, which become −inf beyond the last component."""
    n_lanes = blocks.n_blocks * lanes(desk.joint)
    for place in range(n_rows):
        if rows.has_groups:
            for k in range(blocks.n_components):
                prior = prior_of(rows, blocks.n_components, at + place, k)
                joint = number(desk.joint, place * n_lanes + k) + prior
                put(desk.joint, place * n_lanes + k, joint if joint > _EXCLUDED else _EXCLUDED)
        for k in range(blocks.n_components, n_lanes):
            put(desk.joint, place * n_lanes + k, -np.inf)


@inner
def _normalize(blocks: Any, desk: Any, place: int, weight: float, totals: Any) -> None:
    """Turn the joint log-densities of a row into its weight times responsibilities, and add to the totals."""
    width = lanes(desk.joint)
    joint = pointer(desk.joint, place * blocks.n_blocks * width)
    largest = load(joint, 0)
    for b in range(1, blocks.n_blocks):
        each = load(joint, b * width)
        largest = where_less(largest, each, each, largest)
    largest = constant(joint, largest_lane(largest))
    # As ``drivers.negligible_margin``.
    cutoff, total = constant(joint, -math.log(blocks.n_components) - 36.7), constant(joint, 0.0)
    for b in range(blocks.n_blocks):
        value = exponential(load(joint, b * width) - largest, cutoff)
        store(joint, b * width, value)
        total = total + value
    put(desk.number, 0, 0.0)
    add_sum(desk.number, 0, total)
    total = constant(joint, number(desk.number, 0))
    scale = constant(joint, weight) / total
    for b in range(blocks.n_blocks):
        store(joint, b * width, load(joint, b * width) * scale)
    store(desk.number, 0, log_density_of(largest, total))
    put(totals, 0, number(totals, 0) + weight)
    put(totals, 1, number(totals, 1) + weight * number(desk.number, 0))


@inner
def _put_down(blocks: Any, desk: Any, d: int, slots: Any, chunk: int) -> None:
    """Add the sums of a tile to the slot, and begin anew; matrices of the slots are flat."""
    width = lanes(desk.first)
    for k in range(blocks.n_components):
        slots.counts[chunk, k] += number(desk.counts, k)
        for j in range(d):
            at = ((k // width) * desk.width + j) * width + k % width
            slots.first[chunk, k * d + j] += number(desk.first, at)
        if slots.second.shape[1] > d * d:
            _put_matrix(desk, d, slots, chunk, k)
    if slots.second.shape[1] == d * d:
        _put_shared_matrix(blocks, desk, d, slots, chunk)
    zero = constant(desk.first, 0.0)
    for b in range(blocks.n_blocks):
        store(desk.counts, b * width, zero)
        for j in range(desk.width):
            store(desk.first, (b * desk.width + j) * width, zero)
    for at in range(blocks.n_factors * desk.width * desk.width):
        store(desk.second, at * width, zero)


@inline
def _put_matrix(desk: Any, d: int, slots: Any, chunk: int, k: int) -> None:
    width = lanes(desk.second)
    for i in range(d):
        for j in range(i + 1):
            at = (((k // width) * desk.width + i) * desk.width + j) * width + k % width
            slots.second[chunk, (k * d + i) * d + j] += number(desk.second, at)


@inline
def _put_shared_matrix(blocks: Any, desk: Any, d: int, slots: Any, chunk: int) -> None:
    """The sum over lanes: of a single component, all but the first are 0."""
    width = lanes(desk.second)
    second = pointer(slots.second, chunk * d * d)
    for i in range(d):
        for j in range(i + 1):
            add_sum(second, i * d + j, load(desk.second, (i * desk.width + j) * width))


@entry(parallel=False)
def score_matrices(
    worker: int, n_workers: int, rows: Any, blocks: Any, section: Any, scratch: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    d, n_components = rows.n_features, blocks.n_components
    desk = desk_of(scratch.desks, worker, blocks, d, lanes(scratch.desks.numbers))
    tile = tile_of(scratch.tiles, worker, section.tile_rows, d, n_components)
    flat, parameters = pointers_of_rows(rows), pointers_of_blocks(blocks)
    begin_sweep(desk, parameters, d)
    known: int = _ZERO
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            pattern, has_pattern, at = NO_PATTERN, False, first
            tile_end = min(first + section.tile_rows, end)
            while at < tile_end:
                is_alike = read_row(flat, at, desk, _ZERO)
                if not (has_pattern and is_alike):
                    pattern = begin_pattern(desk, parameters, d, known)
                    known, has_pattern = pattern.n_known, True
                n_rows = _read_more(flat, desk, at, tile_end, False)
                joint_densities(desk, parameters, pattern, d, n_rows)
                _add_priors(flat, parameters, desk, at, n_rows)
                for place in range(n_rows):
                    for k in range(n_components):
                        joint = number(desk.joint, place * blocks.n_blocks * lanes(desk.joint) + k)
                        put(tile.joint, k * tile.stride + at - first + place, joint)
                at += n_rows
            n_valid = tile_end - first
            put_outputs(flat, tile, n_components, first, n_valid, points_of(n_valid, tile.joint), outputs)
