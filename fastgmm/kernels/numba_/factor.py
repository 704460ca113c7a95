"""Kernels of the factor family: Σ = ΛΛᵀ + Ψ of low rank q, of which no matrix is ever made.

Joint log-density: cₖ − hₖ(‖z‖² + ‖y‖²) with the factors z = M(x − μ) and y = Ψ^(−½)(x − μ) − Ψ^(−½)Λz, two skinny
products of q multiply-adds for each feature. Moments: s, the squares Sⱼ = Σ wr(xⱼ − μⱼ)², and C = Σ wr(x − μ)zᵀ.

Panels of the products are up to eight factors, or eight features, by two vectors of points: 16 multiply-adds for 2
vectors and 8 numbers that are loaded. The mean is subtracted where a feature is loaded, which is an eighth more, and
saves a copy of the tile that would not fit beside it into a second-level cache.
"""

from typing import Any, NamedTuple

from fastgmm.kernels.numba_.full import note_largest
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.panels import (
    add_column,
    add_outer,
    add_panel_sums,
    add_products,
    add_squares,
    add_vectors,
    lines,
    load_panel,
    scale_each,
    scale_rows,
    store_panel,
    subtract_center,
    vector_of,
    zeros,
)
from fastgmm.kernels.numba_.spherical import packing_repays as packing_repays
from fastgmm.kernels.numba_.spherical import prepare_tile as prepare_tile
from fastgmm.kernels.numba_.tile import put_joint, set_center
from fastgmm.kernels.numba_.vector import broadcast, constant, lanes, lanes_less, load, pointer

POWER = 1.0
# Factors or features of a panel: as many sums as leave registers for what is multiplied, of 32 or 16.
_MOST_ROWS = 8 if VECTOR_BYTES == 64 else 4
# After so many features we look whether the component is already too far away to matter. A multiple of the above.
FEATURES_BEFORE_A_LOOK = 64


class Pointers(NamedTuple):
    """``PreparedFactor`` as pointers, and the rank, which they do not know."""

    log_constants: Any
    means: Any
    inverse_deviations: Any
    halves: Any
    loadings: Any
    projections: Any
    rank: int


@inline
def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers, which are cheaper to hand on than arrays."""
    return Pointers(
        pointer(prepared.log_constants, 0),
        pointer(prepared.means, 0),
        pointer(prepared.inverse_deviations, 0),
        pointer(prepared.halves, 0),
        pointer(prepared.loadings, 0),
        pointer(prepared.projections, 0),
        prepared.loadings.shape[2],
    )


@inner
def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    """Write ``cₖ − hₖ(‖z‖² + ‖y‖²)``, or, once it is ``margin`` below another one of the point, what it then is."""
    width = lanes(tile.points)
    set_center(tile, pointer(prepared.means, k * d), d)
    put_factors(tile, tile.points, prepared, d, n_points, k)
    c, h = broadcast(prepared.log_constants, k), broadcast(prepared.halves, k)
    for t in range(0, n_points, 2 * width):
        q = _squared_norm(prepared, tile, d, t, k, line, margin)
        put_joint(tile, line, t, c - h * vector_of(q, 0))
        put_joint(tile, line, t + width, c - h * vector_of(q, 1))
        if d > FEATURES_BEFORE_A_LOOK:
            note_largest(tile, line, t)
            note_largest(tile, line, t + width)


@inner
def put_factors(tile: Any, points: Any, prepared: Any, d: int, n_points: int, k: int) -> None:
    """z = M(x − μ) of all points to the first lines of ``tile.z``; panels are as equal as may be."""
    rank = prepared.rank
    projections = pointer(prepared.projections, k * d * rank)
    first = 0
    n_panels = (rank + _MOST_ROWS - 1) // _MOST_ROWS
    while first < rank:
        n = (rank - first + n_panels - 1) // n_panels
        t = 0
        while t + 2 * lanes(points) <= n_points:
            _put_panel(tile, points, projections, rank, d, t, first, n, lines(2))
            t += 2 * lanes(points)
        if t < n_points:
            _put_panel(tile, points, projections, rank, d, t, first, n, lines(1))
        first += n
        n_panels -= 1


@inline
def _put_panel(
    tile: Any, points: Any, projections: Any, rank: int, d: int, t: int, first: int, n: int, columns: Any
) -> None:
    """Of n factors from ``first`` on, which the compiler has to know."""
    if n == 1:
        _put_rows(tile, points, projections, rank, d, t, first, lines(1), columns)
    elif n == 2:
        _put_rows(tile, points, projections, rank, d, t, first, lines(2), columns)
    elif n == 3:
        _put_rows(tile, points, projections, rank, d, t, first, lines(3), columns)
    elif n == 4:
        _put_rows(tile, points, projections, rank, d, t, first, lines(4), columns)
    elif n == 5:
        _put_rows(tile, points, projections, rank, d, t, first, lines(5), columns)
    elif n == 6:
        _put_rows(tile, points, projections, rank, d, t, first, lines(6), columns)
    elif n == 7:
        _put_rows(tile, points, projections, rank, d, t, first, lines(7), columns)
    else:
        _put_rows(tile, points, projections, rank, d, t, first, lines(8), columns)


@inline
def _put_rows(
    tile: Any, points: Any, projections: Any, rank: int, d: int, t: int, first: int, rows: Any, columns: Any
) -> None:
    z = zeros(points, rows, columns)
    for j in range(d):
        x = subtract_center(load_panel(points, j * tile.stride + t, 0, lines(1), columns), tile.center, j)
        z = add_column(z, projections, j * rank + first, 1, x)
    store_panel(tile.z, first * tile.stride + t, tile.stride, z)


@inline
def _squared_norm(prepared: Any, tile: Any, d: int, t: int, k: int, line: int, margin: float) -> Any:
    """‖z‖² + ‖y‖² of two vectors of points, or part of it where that is enough."""
    rank = prepared.rank
    q = zeros(tile.z, lines(1), lines(2))
    for factor in range(rank):
        q = add_squares(q, load_panel(tile.z, factor * tile.stride + t, 0, lines(1), lines(2)))
    inverse, loadings = pointer(prepared.inverse_deviations, k * d), pointer(prepared.loadings, k * d * rank)
    j = 0
    while j + _MOST_ROWS <= d:
        q = _add_unexplained(q, tile, inverse, loadings, rank, t, j, lines(_MOST_ROWS))
        j += _MOST_ROWS
        if (
            j & (FEATURES_BEFORE_A_LOOK - 1) == 0
            and j < d
            and line > 0
            and _is_negligible(prepared, tile, t, k, q, margin)
        ):
            return q
    while j < d:
        q = _add_unexplained(q, tile, inverse, loadings, rank, t, j, lines(1))
        j += 1
    return q


@inline
def _add_unexplained(q: Any, tile: Any, inverse: Any, loadings: Any, rank: int, t: int, j: int, rows: Any) -> Any:
    """Add the squares of y of the features from j on."""
    two = lines(2)
    x = load_panel(tile.points, j * tile.stride + t, tile.stride, rows, two)
    y = scale_each(subtract_center(x, tile.center, j), inverse, j)
    for factor in range(rank):
        z = load_panel(tile.z, factor * tile.stride + t, 0, lines(1), two)
        y = add_column(y, loadings, j * rank + factor, rank, z)
    return add_squares(q, y)


@inline
def _is_negligible(prepared: Any, tile: Any, t: int, k: int, q: Any, margin: float) -> bool:
    """Whether the joint log-densities are too far below the largest already; more features can only lower them."""
    width = lanes(tile.z)
    c, h, distance = broadcast(prepared.log_constants, k), broadcast(prepared.halves, k), constant(tile.z, margin)
    above0 = lanes_less(load(tile.largest, t) - distance, c - h * vector_of(q, 0))
    above1 = lanes_less(load(tile.largest, t + width) - distance, c - h * vector_of(q, 1))
    return (above0 | above1) == 0


@inner
def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    """Add s, the squares and C of component k."""
    rank = prepared.rank
    set_center(tile, pointer(prepared.means, k * d), d)
    put_factors(tile, points, prepared, d, n_points, k)
    for factor in range(rank):
        for t in range(0, n_points, lanes(points)):
            at = factor * tile.stride + t
            one = lines(1)
            store_panel(tile.z, at, 0, scale_rows(load_panel(tile.z, at, 0, one, one), load(weights, t)))
    sums = pointer(slot.first, k * d), pointer(slot.second, k * d), pointer(slot.extra, k * d * rank)
    j = 0
    while j + 4 <= d:
        _add_features(tile, points, weights, n_points, sums, rank, j, lines(4))
        j += 4
    while j < d:
        _add_features(tile, points, weights, n_points, sums, rank, j, lines(1))
        j += 1


@inline
def _add_features(tile: Any, points: Any, weights: Any, n_points: int, sums: Any, rank: int, j: int, rows: Any) -> None:
    """Those of the features from j on; ``tile.z`` holds weighted factors."""
    first, second, extra = sums
    one = lines(1)
    s = zeros(points, one, rows)
    squares = zeros(points, one, rows)
    for t in range(0, n_points, lanes(points)):
        x = subtract_center(load_panel(points, j * tile.stride + t, tile.stride, rows, one), tile.center, j)
        weighted = scale_rows(x, load(weights, t))
        s = add_vectors(s, weighted)
        squares = add_products(squares, weighted, x)
    add_panel_sums(first, j, 0, s)
    add_panel_sums(second, j, 0, squares)
    factor = 0
    while factor + 4 <= rank:
        _add_cross(tile, points, n_points, extra, rank, j, factor, rows, lines(4))
        factor += 4
    if rank - factor == 1:
        _add_cross(tile, points, n_points, extra, rank, j, factor, rows, lines(1))
    elif rank - factor == 2:
        _add_cross(tile, points, n_points, extra, rank, j, factor, rows, lines(2))
    elif rank - factor == 3:
        _add_cross(tile, points, n_points, extra, rank, j, factor, rows, lines(3))


@inline
def _add_cross(
    tile: Any, points: Any, n_points: int, extra: Any, rank: int, j: int, factor: int, rows: Any, columns: Any
) -> None:
    """C of the features from j on with the factors from ``factor`` on."""
    one = lines(1)
    sums = zeros(points, rows, columns)
    for t in range(0, n_points, lanes(points)):
        x = subtract_center(load_panel(points, j * tile.stride + t, tile.stride, rows, one), tile.center, j)
        z = load_panel(tile.z, factor * tile.stride + t, tile.stride, columns, one)
        sums = add_outer(sums, x, z)
    add_panel_sums(extra, j * rank + factor, rank, sums)
