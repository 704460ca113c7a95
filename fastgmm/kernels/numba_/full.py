"""Kernels of the full family: every component has its own covariance matrix.

Joint log-density of a point x and component k, with L⁻¹ₖ the inverse Cholesky factor of Σₖ:
    log wₖ + log N(x | μₖ, Σₖ) = cₖ − ½‖y‖²,   y = L⁻¹ₖ(x − μₖ),   cₖ = log wₖ + log det L⁻¹ₖ − (d/2) log 2π
Moments about the current means, with w·r the weighted responsibilities:
    s = Σ wr(x − μ),   S = Σ wr(x − μ)(x − μ)ᵀ = Σ uuᵀ  with  u = √(wr)·(x − μ)   (lower triangle)

Both triangles are cut into panels of four rows, and one panel of the rows that remain, whose sums stay in registers.
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.panels import (
    add_column,
    add_lower_outer,
    add_outer,
    add_panel_sums,
    add_scaled,
    add_squares,
    add_triangle,
    lines,
    load_panel,
    scale_rows,
    store_panel,
    subtract_center,
    vector_of,
    zeros,
)
from fastgmm.kernels.numba_.tile import put_joint, set_center
from fastgmm.kernels.numba_.vector import broadcast, constant, fma, lanes, lanes_less, load, pointer, store, where_less
from fastgmm.parameters import PreparedFull

# Responsibilities come as square roots, which make S a sum of outer products of a vector with itself.
POWER = 0.5
# Each time so many rows of L⁻¹(x − μ) are computed, we look whether the component is already too far away to matter:
# two panels of four. It was chosen by hand; a power of 2.
ROWS_BEFORE_A_LOOK = 8
# Columns of a panel of S with four rows: as many sums as leave registers for their factors, of 32 or 16.
_COLUMNS = 4 if VECTOR_BYTES == 64 else 2


@inline
def packing_repays(prepared: Any, d: int, n_active: int, n_points: int) -> bool:
    """Packing costs d copies of every point that counts, and saves about d²/2 multiply-adds for every other one."""
    return d >= 4 and 2 * n_active <= n_points


@inline
def pointers_of(prepared: Any) -> Any:
    """The parameters as pointers, which are cheaper to hand on than arrays."""
    return PreparedFull(
        pointer(prepared.log_constants, 0),
        pointer(prepared.means, 0),
        pointer(prepared.inverse_cholesky, 0),
    )


@inline
def prepare_tile(prepared: Any, tile: Any, d: int, n_points: int) -> None:
    """Nothing is common to all components."""


@inner
def joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, margin: float) -> None:
    """Write ``cₖ − ½‖L⁻¹ₖ(x − μₖ)‖²``, or, once it is ``margin`` below another one of the point, what it then is."""
    width = lanes(tile.points)
    set_center(tile, pointer(prepared.means, k * d), d)
    factor = pointer(prepared.inverse_cholesky, k * d * d)
    c = broadcast(prepared.log_constants, k)
    minus_half = constant(tile.points, -0.5)
    for t in range(0, n_points, 2 * width):
        q = _squared_norm(tile, t, factor, d, line, c, margin)
        put_joint(tile, line, t, fma(minus_half, vector_of(q, 0), c))
        put_joint(tile, line, t + width, fma(minus_half, vector_of(q, 1), c))
        if d > ROWS_BEFORE_A_LOOK:
            note_largest(tile, line, t)
            note_largest(tile, line, t + width)


@inline
def note_largest(tile: Any, line: int, t: int) -> None:
    """Keep the largest joint log-density so far."""
    joint = load(tile.joint, line * tile.stride + t)
    largest = load(tile.largest, t)
    store(tile.largest, t, where_less(largest, joint, joint, largest) if line > 0 else joint)


@inline
def _squared_norm(tile: Any, t: int, factor: Any, d: int, line: int, c: Any, margin: float) -> Any:
    """‖y‖² of two vectors of points, four rows of y at a time."""
    q = zeros(tile.z, lines(1), lines(2))
    i = 0
    while i + 4 <= d:
        q = _add_rows(q, tile, t, factor, d, i, lines(4))
        i += 4
        if i & (ROWS_BEFORE_A_LOOK - 1) == 0 and i < d and line > 0 and _is_negligible(tile, t, q, c, margin):
            return q
    if d - i == 1:
        q = _add_rows(q, tile, t, factor, d, i, lines(1))
    elif d - i == 2:
        q = _add_rows(q, tile, t, factor, d, i, lines(2))
    elif d - i == 3:
        q = _add_rows(q, tile, t, factor, d, i, lines(3))
    return q


@inline
def _add_rows(q: Any, tile: Any, t: int, factor: Any, d: int, i: int, rows: Any) -> Any:
    """Add the squares of the rows from i on; differences of their features are computed here and kept."""
    two = lines(2)
    width = lanes(tile.z)
    y = zeros(tile.z, rows, two)
    for j in range(i):
        y = add_column(y, factor, i * d + j, d, load_panel(tile.z, 2 * j * width, 0, lines(1), two))
    x = load_panel(tile.points, i * tile.stride + t, tile.stride, rows, two)
    z = subtract_center(x, tile.center, i)
    if i + 4 < d:
        store_panel(tile.z, 2 * i * width, 2 * width, z)
    return add_squares(q, add_triangle(y, factor, i * d + i, d, z))


@inline
def _is_negligible(tile: Any, t: int, q: Any, c: Any, margin: float) -> bool:
    """Whether the joint log-densities are too far below the largest already; more rows can only lower them."""
    minus_half, distance = constant(tile.z, -0.5), constant(tile.z, margin)
    width = lanes(tile.z)
    above0 = lanes_less(load(tile.largest, t) - distance, fma(minus_half, vector_of(q, 0), c))
    above1 = lanes_less(load(tile.largest, t + width) - distance, fma(minus_half, vector_of(q, 1), c))
    return (above0 | above1) == 0


@inner
def add_moments(prepared: Any, tile: Any, points: Any, weights: Any, d: int, n_points: int, k: int, slot: Any) -> None:
    """Add s and the lower triangle of S of component k."""
    set_center(tile, pointer(prepared.means, k * d), d)
    add_matrix_moments(tile, points, weights, d, n_points, pointer(slot.first, k * d), pointer(slot.second, k * d * d))


@inner
def add_matrix_moments(tile: Any, points: Any, weights: Any, d: int, n_points: int, first: Any, second: Any) -> None:
    """Add s and S about the tile's center; ``weights`` are square roots."""
    i = 0
    while i + 4 <= d:
        _diagonal_panel(tile, points, weights, n_points, first, second, d, i, lines(4))
        for j in range(0, i, _COLUMNS):
            _square_panel(tile, n_points, second, d, i, j, lines(4))
        i += 4
    if d - i == 1:
        _last_rows(tile, points, weights, n_points, first, second, d, i, lines(1))
    elif d - i == 2:
        _last_rows(tile, points, weights, n_points, first, second, d, i, lines(2))
    elif d - i == 3:
        _last_rows(tile, points, weights, n_points, first, second, d, i, lines(3))


@inline
def _last_rows(
    tile: Any, points: Any, roots: Any, n_points: int, first: Any, second: Any, d: int, i: int, rows: Any
) -> None:
    _diagonal_panel(tile, points, roots, n_points, first, second, d, i, rows)
    for j in range(0, i, _COLUMNS):
        _square_panel(tile, n_points, second, d, i, j, rows)


@inline
def _diagonal_panel(
    tile: Any, points: Any, roots: Any, n_points: int, first: Any, second: Any, d: int, i: int, rows: Any
) -> None:
    """Add s of the features from i on and S of these with each other; keep their u."""
    one = lines(1)
    s = zeros(tile.z, one, rows)
    sums = zeros(tile.z, rows, rows)
    for t in range(0, n_points, lanes(tile.z)):
        root = load(roots, t)
        x = load_panel(points, i * tile.stride + t, tile.stride, rows, one)
        u = scale_rows(subtract_center(x, tile.center, i), root)
        if d > 4:  # more than this panel
            store_panel(tile.z, i * tile.stride + t, tile.stride, u)
        s = add_scaled(s, root, u)
        sums = add_lower_outer(sums, u)
    # Zeros stand where a row of the panel reaches into the upper triangle.
    add_panel_sums(second, i * d + i, d, sums)
    add_panel_sums(first, i, 0, s)


@inline
def _square_panel(tile: Any, n_points: int, second: Any, d: int, i: int, j: int, rows: Any) -> None:
    """Add S of the features from i on with the features from j on."""
    one = lines(1)
    sums = zeros(tile.z, rows, lines(_COLUMNS))
    for t in range(0, n_points, lanes(tile.z)):
        left = load_panel(tile.z, i * tile.stride + t, tile.stride, rows, one)
        right = load_panel(tile.z, j * tile.stride + t, tile.stride, lines(_COLUMNS), one)
        sums = add_outer(sums, left, right)
    add_panel_sums(second, i * d + j, d, sums)
