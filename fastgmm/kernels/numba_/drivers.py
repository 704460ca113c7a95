"""From rows to slots and from rows to outputs: which worker takes which tiles. The same for all families.

What a family does is chosen by the type of the prepared parameters, when a driver is compiled.
Numba wants the overloads to repeat the names and annotations of the implementations' parameters.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.extending import overload

from fastgmm.kernels.numba_ import diag, factor, full, spherical, tied
from fastgmm.kernels.numba_.groups import add_priors, find_members
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.rows import load_tile, place_of, pointers_of_rows, prefetch_rows
from fastgmm.kernels.numba_.tile import largest_component, log_sum_exp, pack, responsibilities, scale_and_count, tile_of
from fastgmm.kernels.numba_.vector import is_single, lanes, number, pointer, put
from fastgmm.parameters import PreparedDiag, PreparedFactor, PreparedFull, PreparedSpherical, PreparedTied

_FAMILIES: dict[type, Any] = {
    PreparedFull: full,
    PreparedTied: tied,
    PreparedDiag: diag,
    PreparedSpherical: spherical,
    PreparedFactor: factor,
    factor.Pointers: factor,
}
# We stop a sum early only where it lies this much beyond the margin below the best, so that a sum that was stopped and
# one that was not round to the same responsibility, 0.
CAUTION = 1.0
_OPTIONS = {"nogil": True, "error_model": "numpy"}


class Slot(NamedTuple):
    """Pointers to the moments of one chunk, and whether second ones are wanted; ``extra`` only where there are any."""

    counts: Any
    first: Any
    second: Any
    totals: Any
    extra: Any
    has_second: bool


def power_of(prepared: Any) -> float:
    """The power of the responsibilities that the family's moments are made of: 1, or ½ for square roots."""
    return float(_FAMILIES[type(prepared)].POWER)


def packing_repays(prepared: Any, d: int, n_active: int, n_points: int) -> bool:
    """Whether to copy the points that count for a component together before their moments are taken."""
    return bool(_FAMILIES[type(prepared)].packing_repays(prepared, d, n_active, n_points))


def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers: arrays cost atomic counts of references in every call that they are handed to."""
    return _FAMILIES[type(prepared)].pointers_of(prepared)


def prepare_tile(prepared: Any, tile: Any, d: int, n_points: int) -> None:
    """What all components have in common."""
    _FAMILIES[type(prepared)].prepare_tile(prepared, tile, d, n_points)


def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    """Write the joint log-densities of component k to a line of ``joint``."""
    _FAMILIES[type(prepared)].joint_density(prepared, tile, d, n_points, k, line, margin)


def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    """Add s and S of component k to a slot; ``points`` and ``weights`` are the tile's or packed ones."""
    _FAMILIES[type(prepared)].add_moments(prepared, tile, points, weights, d, n_points, k, slot)


@overload(power_of)
def _power_of(prepared: Any) -> Any:
    value = _FAMILIES[prepared.instance_class].POWER

    def constant(prepared: Any) -> float:
        return value

    return constant


@overload(packing_repays, jit_options=_OPTIONS)
def _packing_repays(prepared: Any, d: int, n_active: int, n_points: int) -> Any:
    return _FAMILIES[prepared.instance_class].packing_repays.py_func


@overload(pointers_of, jit_options=_OPTIONS)
def _pointers_of(prepared: Any) -> Any:
    return _FAMILIES[prepared.instance_class].pointers_of.py_func


@overload(prepare_tile, jit_options=_OPTIONS)
def _prepare_tile(prepared: Any, tile: Any, d: int, n_points: int) -> Any:
    return _FAMILIES[prepared.instance_class].prepare_tile.py_func


@overload(joint_density, jit_options=_OPTIONS)
def _joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> Any:
    return _FAMILIES[prepared.instance_class].joint_density.py_func


@overload(add_moments, jit_options=_OPTIONS)
def _add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> Any:
    return _FAMILIES[prepared.instance_class].add_moments.py_func


@inline
def points_of(n_valid: int, points: Any) -> int:
    """Rows rounded up to the two vectors that the density kernels take at a time."""
    pair = 2 * lanes(points)
    return pair * ((n_valid + pair - 1) // pair)


@inline
def negligible_margin(tile: Any, n_components: int) -> float:
    """K joint log-densities of a point so far below the largest do not change the last place of their sum together.

    That is log K for their number, and the 24 or 53 binary digits of a number: 24·ln 2 = 16.6 or 53·ln 2 = 36.7.
    """
    return math.log(n_components) + (16.6 if is_single(tile.joint) else 36.7)


@inline
def slot_of(slots: Any, chunk: int) -> Any:
    return Slot(
        pointer(slots.counts, chunk * slots.counts.shape[1]),
        pointer(slots.first, chunk * slots.first.shape[1] * slots.first.shape[2]),
        pointer(slots.second, chunk * (slots.second.size // slots.counts.shape[0])),
        pointer(slots.totals, 2 * chunk),
        pointer(slots.extra, chunk * (slots.extra.size // slots.counts.shape[0])),
        slots.second.size > 0,
    )


@entry(parallel=False)
def sweep_chunks(worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any) -> None:
    """Add the moments of the chunks ``worker, worker + n_workers, …`` to their slots."""
    n_components = prepared.log_constants.size
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, n_components)
    flat, parameters = pointers_of_rows(rows), pointers_of(prepared)
    for chunk in range(worker, section.n_chunks, n_workers):
        slot = slot_of(slots, chunk)
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            _sweep_tile(flat, parameters, n_components, tile, first, n_valid, slot)


@inner
def _sweep_tile(rows: Any, prepared: Any, n_components: int, tile: Any, first: int, n_valid: int, slot: Any) -> None:
    """Rows to joint log-densities, to responsibilities, to moments."""
    d = rows.n_features
    n_points = points_of(n_valid, tile.joint)
    margin = negligible_margin(tile, n_components)
    # A component that lies far below the others may lie above them once the priors are added.
    depth = np.inf if rows.has_groups else margin + CAUTION
    load_tile(rows, first, n_valid, n_points, pointer(prepared.means, 0), tile)
    prepare_tile(prepared, tile, d, n_points)
    n_members = find_members(rows, n_components, tile, first, n_valid)
    for line in range(n_members):
        prefetch_rows(rows, first + n_points, n_points, line, n_members)
        joint_density(prepared, tile, d, n_points, number(tile.members, line), line, depth)
    if rows.has_groups:
        add_priors(rows, n_components, tile, first, n_valid, n_members)
    responsibilities(tile, n_members, n_points, margin, power_of(prepared), slot.totals)
    for line in range(n_members):
        add_component(prepared, tile, d, n_points, number(tile.members, line), line, slot)


@inline
def add_component(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, slot: Any) -> int:
    """Add the moments of component k, whose responsibilities stand in a line; return how many points count."""
    n_active = scale_and_count(tile, line, n_points, power_of(prepared), pointer(slot.counts, k))
    if n_active > 0:
        if packing_repays(prepared, d, n_active, n_points):
            n_packed = pack(tile, line, d, n_points)
            add_moments(prepared, tile, tile.packed, tile.packed_weights, d, n_packed, k, slot)
        else:
            weights = pointer(tile.joint, line * tile.stride)
            add_moments(prepared, tile, tile.points, weights, d, n_points, k, slot)
    return n_active


# `prange` counts in unsigned integers, for which the serial kernel would be compiled a second time.
@entry(parallel=True)
def sweep_parallel(n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any) -> None:
    for worker in numba.prange(n_workers):
        sweep_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, slots)


@entry(parallel=False)
def log_density_chunks(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    n_components = prepared.log_constants.size
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, n_components)
    flat, parameters = pointers_of_rows(rows), pointers_of(prepared)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            _score_tile(flat, parameters, n_components, tile, first, n_valid, outputs)


@inner
def _score_tile(rows: Any, prepared: Any, n_components: int, tile: Any, first: int, n_valid: int, outputs: Any) -> None:
    d = rows.n_features
    n_points = points_of(n_valid, tile.joint)
    margin = negligible_margin(tile, n_components)
    # A sum need not be computed to its end where no output shows it: labels want the largest one alone.
    depth = margin + CAUTION if outputs.log_density.size > 0 else 0.0
    if outputs.joint.size > 0 or rows.has_groups:
        depth = np.inf
    load_tile(rows, first, n_valid, n_points, pointer(prepared.means, 0), tile)
    prepare_tile(prepared, tile, d, n_points)
    for k in range(n_components):
        prefetch_rows(rows, first + n_points, n_points, k, n_components)
        put(tile.members, k, k)
        joint_density(prepared, tile, d, n_points, k, k, depth)
    if rows.has_groups:
        add_priors(rows, n_components, tile, first, n_valid, n_components)
    put_outputs(rows, tile, n_components, first, n_valid, n_points, outputs)


@inner
def put_outputs(rows: Any, tile: Any, n_components: int, first: int, n_valid: int, n_points: int, outputs: Any) -> None:
    """Fill what is wanted of the rows, each in its place, from the joint log-densities of all components."""
    if outputs.labels.size > 0:
        largest_component(tile, n_components, n_points)
        for t in range(n_valid):
            outputs.labels[place_of(rows, first + t)] = int(number(tile.output, t))
    if outputs.joint.size > 0 and not outputs.normalize:
        _copy_joint(rows, tile, n_valid, first, outputs.joint)
    if outputs.log_density.size > 0 or outputs.normalize:
        log_sum_exp(tile, n_components, n_points, negligible_margin(tile, n_components), outputs.normalize)
    if outputs.log_density.size > 0:
        for t in range(n_valid):
            outputs.log_density[place_of(rows, first + t)] = number(tile.output, t)
    if outputs.joint.size > 0 and outputs.normalize:
        _copy_joint(rows, tile, n_valid, first, outputs.joint)


@inner
def _copy_joint(rows: Any, tile: Any, n_valid: int, first: int, table: Any) -> None:
    # Below float32's range lies its lowest number.
    lowest = -3.4e38 if table.itemsize == 4 else -1.79e308
    for t in range(n_valid):
        for k in range(table.shape[1]):
            table[place_of(rows, first + t), k] = max(number(tile.joint, k * tile.stride + t), lowest)


@entry(parallel=True)
def log_density_parallel(n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, outputs: Any) -> None:
    for worker in numba.prange(n_workers):
        log_density_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, outputs)
