"""From rows to a tile: whatever the layout of the data, features of neighboring rows end up beside each other."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.panels import count_of, lines, load_transposed, store_panel
from fastgmm.kernels.numba_.tile import CACHE_LINE
from fastgmm.kernels.numba_.vector import (
    constant,
    count_ones,
    gather,
    lanes,
    lanes_less,
    load,
    number,
    pointer,
    prefetch,
    put,
    store,
)

# A row that lies elsewhere in memory is asked for so many rows ahead, as in ``c/tile.h``.
_ROWS_AHEAD = 16
# Neighboring features that are read at once where they lie beside each other in memory.
_LONGEST_ROW = VECTOR_BYTES // 8


class FlatRows(NamedTuple):
    """The data as a kernel reads them: a flat view and two strides, so that every layout has the same Numba type.

    Where they have an ``order``, the kernel visits the ``n_rows`` rows that it names.
    """

    values: NDArray[Any]
    row_stride: int
    column_stride: int
    weights: NDArray[np.float64]
    weight_stride: int
    origin: NDArray[np.float64]
    has_origin: bool
    groups: NDArray[np.int32]
    group_prior: NDArray[np.float64]
    has_groups: bool
    n_groups: int
    order: NDArray[np.int32]
    has_order: bool
    n_rows: int
    n_features: int


@inline
def pointers_of_rows(rows: Any) -> Any:
    """The rows with pointers, which are cheaper to hand on than arrays."""
    return FlatRows(
        pointer(rows.values, 0),
        rows.row_stride,
        rows.column_stride,
        pointer(rows.weights, 0),
        rows.weight_stride,
        pointer(rows.origin, 0),
        rows.has_origin,
        pointer(rows.groups, 0),
        pointer(rows.group_prior, 0),
        rows.has_groups,
        rows.n_groups,
        pointer(rows.order, 0),
        rows.has_order,
        rows.n_rows,
        rows.n_features,
    )


@inline
def place_of(rows: Any, at: int) -> int:
    """Where in the data the row stands that is visited at this turn."""
    return int(number(rows.order, at)) if rows.has_order else at


@inline
def weight_at(rows: Any, at: int) -> float:
    """The weight of the row that is visited at this turn."""
    return float(number(rows.weights, place_of(rows, at) * rows.weight_stride))


@inner
def load_tile(rows: Any, first: int, n_valid: int, n_points: int, padding: Any, tile: Any) -> None:
    """Copy the rows visited from ``first`` to ``first + n_valid`` into the tile, and pad it to ``n_points``."""
    if rows.has_order:
        load_tile_in_order(rows, rows.order, first, n_valid, n_points, padding, tile)
    else:
        _load_neighboring_rows(rows, first, n_valid, n_points, padding, tile)


@inline
def _load_neighboring_rows(rows: Any, first: int, n_valid: int, n_points: int, padding: Any, tile: Any) -> None:
    width = lanes(tile.points)
    zero = constant(tile.points, 0.0)
    for t in range(0, n_points, width):
        start = (first + t) * rows.row_stride
        weights_start = (first + t) * rows.weight_stride
        if t + width <= n_valid:
            _load_features(rows, (start, rows.row_stride), tile, t)
            if rows.weight_stride == 0:
                store(tile.weights, t, constant(tile.points, number(rows.weights, 0)))
            else:
                store(tile.weights, t, gather(rows.weights, (weights_start, rows.weight_stride), 0, tile.points))
        else:
            store(tile.weights, t, zero)
            for lane in range(n_valid - t):
                put(tile.weights, t + lane, number(rows.weights, weights_start + lane * rows.weight_stride))
                for j in range(rows.n_features):
                    at = start + lane * rows.row_stride + j * rows.column_stride
                    put(tile.points, j * tile.stride + t + lane, number(rows.values, at))
        _subtract_origin(rows, tile, t)
        if count_ones(lanes_less(zero, load(tile.weights, t))) < width:
            _pad(tile, t, rows.n_features, padding)


@inline
def _load_features(rows: Any, starts: Any, tile: Any, t: int) -> None:
    """Copy as many rows as a vector has lanes to the points at t; see ``gather`` for their ``starts``."""
    j = 0
    if rows.column_stride == 1:
        while j + _LONGEST_ROW <= rows.n_features:
            j = _load_neighbors(rows, starts, tile, t, j, lines(_LONGEST_ROW))
        if j + 4 <= rows.n_features:
            j = _load_neighbors(rows, starts, tile, t, j, lines(4))
        if j + 2 <= rows.n_features:
            j = _load_neighbors(rows, starts, tile, t, j, lines(2))
    while j < rows.n_features:
        store(tile.points, j * tile.stride + t, gather(rows.values, starts, j * rows.column_stride, tile.points))
        j += 1


@inline
def _subtract_origin(rows: Any, tile: Any, t: int) -> None:
    """Make the points at t count from the origin."""
    if rows.has_origin:
        for j in range(rows.n_features):
            point = load(tile.points, j * tile.stride + t)
            store(tile.points, j * tile.stride + t, point - constant(tile.points, number(rows.origin, j)))


@inline
def _load_neighbors(rows: Any, starts: Any, tile: Any, t: int, j: int, columns: Any) -> int:
    """Copy some features from j on; return the next one."""
    store_panel(
        tile.points, j * tile.stride + t, tile.stride, load_transposed(rows.values, starts, j, tile.points, columns)
    )
    return j + count_of(columns)


@inline
def _numbers_in_line(values: Any) -> int:
    """How many numbers a line of the cache holds."""
    return lanes(values) * CACHE_LINE // VECTOR_BYTES


@inline
def prefetch_rows(rows: Any, first: int, n_rows: int, part: int, n_parts: int) -> None:
    """Ask for a part of the rows that the next tile will copy, while there is arithmetic to do."""
    if rows.column_stride == 1 and rows.row_stride == rows.n_features and not rows.has_order:
        size = n_rows * rows.n_features
        share = (size + n_parts - 1) // n_parts
        begin = first * rows.n_features + part * share
        for at in range(begin, begin + share, _numbers_in_line(rows.values)):
            prefetch(rows.values, at)


@inner
def load_tile_in_order(rows: Any, order: Any, first: int, n_valid: int, n_points: int, padding: Any, tile: Any) -> None:
    """Copy rows ``order[first] … order[first + n_valid - 1]`` into the tile, and pad it to ``n_points``."""
    width = lanes(tile.points)
    zero = constant(tile.points, 0.0)
    starts = tile.positions
    for t in range(0, n_points, width):
        for lane in range(width):
            # A point beyond the end is the last row again, and weighs nothing.
            row = number(order, first + min(t + lane, n_valid - 1))
            weight = number(rows.weights, row * rows.weight_stride)
            put(tile.weights, t + lane, weight if t + lane < n_valid else 0.0)
            put(starts, lane, row * rows.row_stride)
            # Each row that lies elsewhere in memory costs a wait, unless it is asked for in time.
            later = number(order, min(first + t + lane + _ROWS_AHEAD, rows.n_rows - 1)) * rows.row_stride
            for j in range(0, rows.n_features, _numbers_in_line(rows.values)):
                prefetch(rows.values, later + j * rows.column_stride)
        _load_features(rows, starts, tile, t)
        _subtract_origin(rows, tile, t)
        if count_ones(lanes_less(zero, load(tile.weights, t))) < width:
            _pad(tile, t, rows.n_features, padding)


@inner
def _pad(tile: Any, t: int, d: int, padding: Any) -> None:
    """Put the padding where points at t weigh nothing."""
    for lane in range(t, t + lanes(tile.points)):
        if number(tile.weights, lane) == 0.0:
            for j in range(d):
                put(tile.points, j * tile.stride + lane, number(padding, j))
