"""Kernels of the tied family: rows are whitened once, then the arithmetic is the spherical one.

Joint log-density: cₖ − ½‖z − νₖ‖² with z = L⁻¹(x − pivot) and νₖ = L⁻¹(μₖ − pivot). Second moments are those of the
full family, added up over the components, where the slots have room for them: a fit knows them from the scatter of all
rows.
"""

from typing import Any

from fastgmm.kernels.numba_.full import add_matrix_moments
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.panels import (
    add_column,
    add_panel_sums,
    add_scaled,
    add_triangle,
    lines,
    load_panel,
    store_panel,
    subtract_center,
    zeros,
)
from fastgmm.kernels.numba_.spherical import packing_repays as packing_repays
from fastgmm.kernels.numba_.spherical import put_density_of_distances
from fastgmm.kernels.numba_.tile import set_center
from fastgmm.kernels.numba_.vector import broadcast, constant, lanes, load, pointer, square_root, store
from fastgmm.parameters import PreparedTied

POWER = 1.0


@inline
def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers, which are cheaper to hand on than arrays."""
    return PreparedTied(
        pointer(prepared.log_constants, 0),
        pointer(prepared.means, 0),
        pointer(prepared.inverse_cholesky, 0),
        pointer(prepared.pivot, 0),
        pointer(prepared.whitened_means, 0),
    )


@inner
def prepare_tile(prepared: Any, tile: Any, d: int, n_points: int) -> None:
    """Whiten the points: z = L⁻¹(x − pivot), four rows of L⁻¹ at a time, and then the rows that remain."""
    set_center(tile, pointer(prepared.pivot, 0), d)
    factor = pointer(prepared.inverse_cholesky, 0)
    for t in range(0, n_points, lanes(tile.points)):
        i = 0
        while i + 4 <= d:
            _whiten(tile, factor, d, t, i, lines(4))
            i += 4
        while i < d:
            _whiten(tile, factor, d, t, i, lines(1))
            i += 1


@inline
def _whiten(tile: Any, factor: Any, d: int, t: int, i: int, rows: Any) -> None:
    """The rows from i on; differences from the pivot are kept in ``packed``, which is not in use yet."""
    one = lines(1)
    width = lanes(tile.points)
    y = zeros(tile.points, rows, one)
    for j in range(i):
        y = add_column(y, factor, i * d + j, d, load_panel(tile.packed, j * width, 0, one, one))
    x = load_panel(tile.points, i * tile.stride + t, tile.stride, rows, one)
    centered = subtract_center(x, tile.center, i)
    store_panel(tile.packed, i * width, width, centered)
    store_panel(tile.z, i * tile.stride + t, tile.stride, add_triangle(y, factor, i * d + i, d, centered))


@inner
def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    set_center(tile, pointer(prepared.whitened_means, k * d), d)
    c = broadcast(prepared.log_constants, k)
    put_density_of_distances(tile, tile.z, d, n_points, line, c, constant(tile.points, -0.5))


@inner
def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    set_center(tile, pointer(prepared.means, k * d), d)
    first = pointer(slot.first, k * d)
    if slot.has_second:
        for t in range(0, n_points, lanes(points)):
            store(tile.output, t, square_root(load(weights, t)))
        add_matrix_moments(tile, points, tile.output, d, n_points, first, slot.second)
        return
    j = 0
    while j + 4 <= d:
        _add_features(tile, points, weights, n_points, first, j, lines(4))
        j += 4
    while j < d:
        _add_features(tile, points, weights, n_points, first, j, lines(1))
        j += 1


@inline
def _add_features(tile: Any, points: Any, weights: Any, n_points: int, first: Any, j: int, rows: Any) -> None:
    one = lines(1)
    s = zeros(points, one, rows)
    for t in range(0, n_points, lanes(points)):
        x = load_panel(points, j * tile.stride + t, tile.stride, rows, one)
        s = add_scaled(s, load(weights, t), subtract_center(x, tile.center, j))
    add_panel_sums(first, j, 0, s)
