"""Kernels of the diag family.

Joint log-density: cₖ − ½ Σⱼ ((xⱼ − μₖⱼ)/σₖⱼ)²; second moments: Sⱼ = Σ wr(xⱼ − μⱼ)².
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.panels import (
    add_panel_sums,
    add_products,
    add_squares,
    add_vectors,
    lines,
    load_panel,
    scale_rows,
    subtract_center,
    zeros,
)
from fastgmm.kernels.numba_.spherical import packing_repays as packing_repays
from fastgmm.kernels.numba_.spherical import prepare_tile as prepare_tile
from fastgmm.kernels.numba_.spherical import put_densities_of_four, put_densities_of_two
from fastgmm.kernels.numba_.tile import set_center
from fastgmm.kernels.numba_.vector import broadcast, constant, lanes, load, pointer
from fastgmm.parameters import PreparedDiag

POWER = 1.0


@inline
def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers, which are cheaper to hand on than arrays."""
    return PreparedDiag(
        pointer(prepared.log_constants, 0),
        pointer(prepared.means, 0),
        pointer(prepared.inverse_deviations, 0),
    )


@inner
def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    width = lanes(tile.points)
    set_center(tile, pointer(prepared.means, k * d), d)
    scales = pointer(prepared.inverse_deviations, k * d)
    c = broadcast(prepared.log_constants, k)
    minus_half = constant(tile.points, -0.5)
    t = 0
    while t + 4 * width <= n_points:
        q = _squared_norm(tile, scales, d, t, lines(4))
        put_densities_of_four(tile, line, t, q, minus_half, c)
        t += 4 * width
    if t < n_points:
        q = _squared_norm(tile, scales, d, t, lines(2))
        put_densities_of_two(tile, line, t, q, minus_half, c)


@inline
def _squared_norm(tile: Any, scales: Any, d: int, t: int, columns: Any) -> Any:
    """Σⱼ ((xⱼ − μⱼ)/σⱼ)² of some vectors of points."""
    q = zeros(tile.points, lines(1), columns)
    for j in range(d):
        x = load_panel(tile.points, j * tile.stride + t, 0, lines(1), columns)
        q = add_squares(q, scale_rows(subtract_center(x, tile.center, j), broadcast(scales, j)))
    return q


@inner
def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    set_center(tile, pointer(prepared.means, k * d), d)
    first, second = pointer(slot.first, k * d), pointer(slot.second, k * d)
    j = 0
    while j + 4 <= d:
        _add_features(tile, points, weights, n_points, first, second, j, lines(4))
        j += 4
    while j < d:
        _add_features(tile, points, weights, n_points, first, second, j, lines(1))
        j += 1


@inline
def _add_features(
    tile: Any, points: Any, weights: Any, n_points: int, first: Any, second: Any, j: int, rows: Any
) -> None:
    one = lines(1)
    s = zeros(points, one, rows)
    squares = zeros(points, one, rows)
    for t in range(0, n_points, lanes(points)):
        z = subtract_center(load_panel(points, j * tile.stride + t, tile.stride, rows, one), tile.center, j)
        weighted = scale_rows(z, load(weights, t))
        s = add_vectors(s, weighted)
        squares = add_products(squares, weighted, z)
    add_panel_sums(first, j, 0, s)
    add_panel_sums(second, j, 0, squares)
