"""Sweeps over reordered rows that leave out components which bounds prove to be too far from a whole tile."""

import math
from typing import Any, NamedTuple

import numba
import numpy as np

from fastgmm.kernels.numba_.drivers import (
    CAUTION,
    add_component,
    joint_density,
    negligible_margin,
    pointers_of,
    points_of,
    power_of,
    prepare_tile,
    slot_of,
)
from fastgmm.kernels.numba_.jit import entry, inner
from fastgmm.kernels.numba_.rows import load_tile_in_order, pointers_of_rows
from fastgmm.kernels.numba_.tile import largest_joint, lowest_number, responsibilities, tile_of
from fastgmm.kernels.numba_.vector import (
    constant,
    lanes,
    lanes_less,
    largest_lane,
    load,
    number,
    pointer,
    put,
    where_less,
)

# Bounds give way by this share of a distance, more than rounding: float32 distances are wrong by 6e-8 of themselves,
# densities in single precision by up to d times that, 6e-5 with a thousand features.
_SHARE_OF_CAUTION = 1e-4
# Distances are kept in float32, which has no room for those of float64 rows; no mixture needs to tell farther ones.
_FARTHEST = 1e18


class Known(NamedTuple):
    """Pointers to ``contract.Bounds``, those of a tile where they have tiles."""

    order: Any
    distances: Any
    matters: Any
    shrink: Any
    drift: Any


@entry(parallel=False)
def bounded_chunks(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any, bounds: Any
) -> None:
    """``drivers.sweep_chunks``, with bounds."""
    n_components = prepared.log_constants.size
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, n_components)
    flat, parameters = pointers_of_rows(rows), pointers_of(prepared)
    order, shrink, drift = pointer(bounds.order, 0), pointer(bounds.shrink, 0), pointer(bounds.drift, 0)
    for chunk in range(worker, section.n_chunks, n_workers):
        slot = slot_of(slots, chunk)
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            at = first // section.tile_rows * n_components
            known = Known(order, pointer(bounds.distances, at), pointer(bounds.matters, at), shrink, drift)
            n_members = _sweep_tile(flat, parameters, n_components, tile, first, n_valid, slot, known)
            bounds.evaluated[chunk] += n_members


@inner
def _sweep_tile(
    rows: Any, prepared: Any, n_components: int, tile: Any, first: int, n_valid: int, slot: Any, known: Any
) -> int:
    """Moments of the tile from the components that may matter; return how many these are."""
    d = rows.n_features
    n_points = points_of(n_valid, tile.joint)
    margin = negligible_margin(tile, n_components)
    load_tile_in_order(rows, known.order, first, n_valid, n_points, pointer(prepared.means, 0), tile)
    if not _any_weight(tile, n_points):
        return 0
    prepare_tile(prepared, tile, d, n_points)
    n_near = _members_that_mattered(tile, n_components, known.matters)
    for line in range(n_near):
        # We compute these sums to the end: a distance that is known in full may keep a component out of many sweeps.
        joint_density(prepared, tile, d, n_points, number(tile.members, line), line, np.inf)
    floor = _smallest_maximum(tile, n_near, n_points) - (margin + CAUTION)
    n_members = _members_in_reach(prepared, n_components, tile, n_near, known, floor)
    for line in range(n_near, n_members):
        joint_density(prepared, tile, d, n_points, number(tile.members, line), line, np.inf)
    for line in range(n_members):
        k = number(tile.members, line)
        put(known.distances, k, _smallest_distance(tile, line, n_points, number(prepared.log_constants, k)))
    responsibilities(tile, n_members, n_points, margin, power_of(prepared), slot.totals)
    for line in range(n_members):
        k = number(tile.members, line)
        n_active = add_component(prepared, tile, d, n_points, k, line, slot)
        put(known.matters, k, n_active > 0)
    return n_members


@inner
def _any_weight(tile: Any, n_points: int) -> bool:
    for t in range(0, n_points, lanes(tile.weights)):
        if lanes_less(constant(tile.weights, 0.0), load(tile.weights, t)) != 0:
            return True
    return False


@inner
def _members_that_mattered(tile: Any, n_components: int, matters: Any) -> int:
    n_members = 0
    for k in range(n_components):
        put(tile.members, n_members, k)
        n_members += number(matters, k)
    return n_members


@inner
def _members_in_reach(prepared: Any, n_components: int, tile: Any, n_near: int, known: Any, floor: float) -> int:
    """Add the other components whose log-density may reach the floor: cₖ − ½m² with m at least sₖm' − δₖ."""
    n_members = n_near
    for k in range(n_components):
        if number(known.matters, k) == 0:
            distance = number(known.shrink, k) * number(known.distances, k) - number(known.drift, k)
            if not distance > 0.0:
                distance = 0.0
            put(known.distances, k, distance * (1.0 - _SHARE_OF_CAUTION))
            if not number(prepared.log_constants, k) - 0.5 * distance * distance < floor:
                put(tile.members, n_members, k)
                n_members += 1
    return n_members


@inner
def _smallest_maximum(tile: Any, n_members: int, n_points: int) -> float:
    """The smallest, over the points that weigh anything, of the largest joint log-density; −inf without members."""
    if n_members == 0:
        return -np.inf
    everywhere = constant(tile.joint, np.inf)
    smallest = everywhere
    for t in range(0, n_points, lanes(tile.joint)):
        largest = largest_joint(tile, t, n_members)
        largest = where_less(constant(tile.joint, 0.0), load(tile.weights, t), largest, everywhere)
        smallest = where_less(largest, smallest, largest, smallest)
    return -largest_lane(constant(tile.joint, 0.0) - smallest)


@inner
def _smallest_distance(tile: Any, line: int, n_points: int, log_constant: float) -> float:
    """At most the Mahalanobis distance of any point, from joint log-densities cₖ − ½m² or what bounds them above."""
    nowhere = constant(tile.joint, -np.inf)
    largest = nowhere
    for t in range(0, n_points, lanes(tile.joint)):
        joint = load(tile.joint, line * tile.stride + t)
        joint = where_less(constant(tile.joint, 0.0), load(tile.weights, t), joint, nowhere)
        largest = where_less(largest, joint, joint, largest)
    nearest = largest_lane(largest)
    squared = 2.0 * (log_constant - nearest)
    # A square that overflowed says nothing of the distance.
    if not (squared > 0.0 and nearest > largest_lane(lowest_number(largest))):
        return 0.0
    return min(math.sqrt(squared), _FARTHEST) * (1.0 - _SHARE_OF_CAUTION)


@entry(parallel=True)
def bounded_parallel(
    n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any, bounds: Any
) -> None:
    for worker in numba.prange(n_workers):
        bounded_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, slots, bounds)
