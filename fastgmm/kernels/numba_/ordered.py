"""Sweeps that visit the rows which an order names; compiled where there is one."""

from typing import Any

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
from fastgmm.kernels.numba_.groups import add_priors, find_members
from fastgmm.kernels.numba_.jit import entry, inner
from fastgmm.kernels.numba_.rows import load_tile_in_order, rows_of_order, take_groups
from fastgmm.kernels.numba_.tile import responsibilities, tile_of
from fastgmm.kernels.numba_.vector import number, pointer


@entry(parallel=False)
def ordered_chunks(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any, order: Any
) -> None:
    """``drivers.sweep_chunks``, of the rows in the order."""
    n_components = prepared.log_constants.size
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, n_components)
    flat, parameters, places = rows_of_order(rows, order.size), pointers_of(prepared), pointer(order, 0)
    for chunk in range(worker, section.n_chunks, n_workers):
        slot = slot_of(slots, chunk)
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, order.size)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            _sweep_tile(flat, parameters, n_components, tile, places, first, n_valid, slot)


@inner
def _sweep_tile(
    rows: Any, prepared: Any, n_components: int, tile: Any, order: Any, first: int, n_valid: int, slot: Any
) -> None:
    d = rows.n_features
    n_points = points_of(n_valid, tile.joint)
    margin = negligible_margin(tile, n_components)
    depth = np.inf if rows.has_groups else margin + CAUTION
    load_tile_in_order(rows, order, first, n_valid, n_points, pointer(prepared.means, 0), tile)
    prepare_tile(prepared, tile, d, n_points)
    of_tile = take_groups(rows, order, first, n_valid, tile)
    n_members = find_members(of_tile, n_components, tile, 0, n_valid)
    for line in range(n_members):
        joint_density(prepared, tile, d, n_points, number(tile.members, line), line, depth)
    if rows.has_groups:
        add_priors(of_tile, n_components, tile, 0, n_valid, n_members)
    responsibilities(tile, n_members, n_points, margin, power_of(prepared), slot.totals)
    for line in range(n_members):
        add_component(prepared, tile, d, n_points, number(tile.members, line), line, slot)


@entry(parallel=True)
def ordered_parallel(
    n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any, order: Any
) -> None:
    for worker in numba.prange(n_workers):
        ordered_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, slots, order)
