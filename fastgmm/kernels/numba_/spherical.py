"""Kernels of the spherical family, and what the tied and diag families share with it.

Joint log-density: cₖ − ½‖x − μₖ‖²/σₖ²; second moment: S = Σ wr‖x − μ‖².
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.panels import (
    add_panel_sums,
    add_scaled,
    add_squares,
    lines,
    load_panel,
    subtract_center,
    vector_of,
    zeros,
)
from fastgmm.kernels.numba_.tile import put_joint, set_center
from fastgmm.kernels.numba_.vector import add_sum, broadcast, constant, fma, lanes, load, pointer
from fastgmm.parameters import PreparedSpherical

POWER = 1.0


@inline
def packing_repays(prepared: Any, d: int, n_active: int, n_points: int) -> bool:
    """The moments of a point cost few multiply-adds, hardly more than copying it: measured in ``c/collect.h``."""
    return d >= 16 and 8 * n_active <= n_points


@inline
def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers, which are cheaper to hand on than arrays."""
    return PreparedSpherical(
        pointer(prepared.log_constants, 0),
        pointer(prepared.means, 0),
        pointer(prepared.precisions, 0),
    )


@inline
def prepare_tile(prepared: Any, tile: Any, d: int, n_points: int) -> None:
    """Nothing is common to all components."""


@inline
def put_densities_of_two(tile: Any, line: int, t: int, q: Any, factor: Any, c: Any) -> None:
    """Write ``c + factor·q`` of the first two vectors of points."""
    put_joint(tile, line, t, fma(factor, vector_of(q, 0), c))
    put_joint(tile, line, t + lanes(tile.joint), fma(factor, vector_of(q, 1), c))


@inline
def put_densities_of_four(tile: Any, line: int, t: int, q: Any, factor: Any, c: Any) -> None:
    """Write ``c + factor·q`` of four vectors of points."""
    put_densities_of_two(tile, line, t, q, factor, c)
    put_joint(tile, line, t + 2 * lanes(tile.joint), fma(factor, vector_of(q, 2), c))
    put_joint(tile, line, t + 3 * lanes(tile.joint), fma(factor, vector_of(q, 3), c))


@inline
def put_density_of_distances(tile: Any, points: Any, d: int, n_points: int, line: int, c: Any, factor: Any) -> None:
    """Write ``c + factor·‖x − center‖²``, four vectors of points at a time and then two."""
    width = lanes(points)
    t = 0
    while t + 4 * width <= n_points:
        q = _squared_distance(tile, points, d, t, lines(4))
        put_densities_of_four(tile, line, t, q, factor, c)
        t += 4 * width
    if t < n_points:
        q = _squared_distance(tile, points, d, t, lines(2))
        put_densities_of_two(tile, line, t, q, factor, c)


@inline
def _squared_distance(tile: Any, points: Any, d: int, t: int, columns: Any) -> Any:
    """‖x − center‖² of some vectors of points."""
    q = zeros(points, lines(1), columns)
    for j in range(d):
        x = load_panel(points, j * tile.stride + t, 0, lines(1), columns)
        q = add_squares(q, subtract_center(x, tile.center, j))
    return q


@inner
def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    set_center(tile, pointer(prepared.means, k * d), d)
    factor = constant(tile.points, -0.5) * broadcast(prepared.precisions, k)
    put_density_of_distances(tile, tile.points, d, n_points, line, broadcast(prepared.log_constants, k), factor)


@inner
def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    set_center(tile, pointer(prepared.means, k * d), d)
    first = pointer(slot.first, k * d)
    square = constant(points, 0.0)
    j = 0
    while j + 4 <= d:
        square = square + _add_features(tile, points, weights, n_points, first, j, lines(4))
        j += 4
    while j < d:
        square = square + _add_features(tile, points, weights, n_points, first, j, lines(1))
        j += 1
    add_sum(slot.second, k, square)


@inline
def _add_features(tile: Any, points: Any, weights: Any, n_points: int, first: Any, j: int, rows: Any) -> Any:
    """Add s of the features from j on, and return their Σ wr(x − μ)² in lanes."""
    one = lines(1)
    s = zeros(points, one, rows)
    squares = constant(points, 0.0)
    for t in range(0, n_points, lanes(points)):
        weight = load(weights, t)
        z = subtract_center(load_panel(points, j * tile.stride + t, tile.stride, rows, one), tile.center, j)
        s = add_scaled(s, weight, z)
        squares = fma(weight, vector_of(add_squares(zeros(points, one, one), z), 0), squares)
    add_panel_sums(first, j, 0, s)
    return squares
