"""Kernels of matrices for rows that lack values: what ``kernels/incomplete.py`` says, with components in lanes.

Σ with the observed features before the missing ones is factored as far as the observed ones go: rows of L are the
first of them, and those below are Vᵀ; what is left of the corner is C. The y of a row of data is one more such row.
Rows of L that a pattern shares with the one before, as a beginning of its observed features, are kept.
"""

import math
from typing import Any, NamedTuple

from fastgmm.kernels.numba_.elementary import LN2_HIGH, LN2_LOW, logarithm
from fastgmm.kernels.numba_.incomplete_desk import GROUP
from fastgmm.kernels.numba_.incomplete_inverses import arrange_inverse, is_by_inverses, orthogonalize, put_residuals
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.panels import (
    add_lower_outer,
    add_outer,
    count_of,
    lines,
    load_panel,
    store_panel,
)
from fastgmm.kernels.numba_.rows import place_of
from fastgmm.kernels.numba_.tile import lowest_number
from fastgmm.kernels.numba_.triangles import (
    factor,
    load_columns,
    load_scattered,
    negative_inverses,
    solve_rows,
    store_columns,
)
from fastgmm.kernels.numba_.vector import (
    broadcast,
    constant,
    exponent,
    fma,
    lanes,
    load,
    mantissa,
    number,
    pointer,
    put,
    store,
    where_less,
)

# Columns of a panel of four rows: as many sums as leave registers for their factors, of 32 or 16.
PANEL_COLUMNS = 4 if VECTOR_BYTES == 64 else 2
# Blocks that are computed in turn, lest roots and quotients be waited for; so few that their factors stay in a cache.
_TOGETHER = 2
_BLOCKS_OF_ONE_ROW = 4


class Pattern(NamedTuple):
    """Numbers of observed and of missing features, and of the columns of L: the observed ones in whole panels.

    ``n_known`` of these stand on the desk: none where the pattern is computed ``by_inverses``.
    """

    n_observed: int
    n_missing: int
    n_columns: int
    n_known: int
    by_inverses: bool


NO_PATTERN = Pattern(0, 0, 0, 0, False)


@inner
def read_row(rows: Any, at: int, desk: Any, place: int) -> bool:
    """Read a row into ``desk.x``; whether it lacks what ``desk.is_missing`` says."""
    d, row = rows.n_features, place_of(rows, at)
    alike = True
    for j in range(d):
        put(desk.x, place * desk.size + j, number(rows.values, row * rows.row_stride + j * rows.column_stride))
        value = number(desk.x, place * desk.size + j)
        if rows.has_origin:
            put(desk.x, place * desk.size + j, value - number(rows.origin, j))
        alike = alike and (value != value) == (number(desk.is_missing, j) != 0)
    return alike


@inner
def begin_pattern(desk: Any, blocks: Any, d: int, known: int) -> Pattern:
    """Factor for the pattern of the first row in ``desk.x``, where ``known`` columns belong to the one before."""
    for j in range(d):
        value = number(desk.x, j)
        put(desk.is_missing, j, 1 if value != value else 0)
    shared, pattern = _lay_out(desk, blocks, d, known)
    if pattern.by_inverses:
        for f in range(0, blocks.n_factors, _TOGETHER):
            orthogonalize(desk, pattern, d, f, min(f + _TOGETHER, blocks.n_factors))
    else:
        _factor(desk, blocks, shared // 4, pattern.n_columns // 4)
    for f in range(blocks.n_factors):
        put(desk.is_solved, f, 0)
        store(desk.shares, f * lanes(desk.lower), constant(desk.shares, 0.0))
    return pattern


@inner
def begin_sweep(desk: Any, blocks: Any, d: int) -> None:
    """What all patterns need of whole covariances."""
    if blocks.has_inverses:
        for f in range(blocks.n_factors):
            arrange_inverse(desk, blocks, d, f)


@inner
def _lay_out(desk: Any, blocks: Any, d: int, known: int) -> tuple[int, Pattern]:
    """Positions of the features, and how many of the observed ones are the first ``known`` of the pattern before."""
    width = lanes(desk.lower)
    shared, n_observed = 0, 0
    for j in range(d):
        if number(desk.is_missing, j) == 0:
            if shared == n_observed and n_observed < known and number(desk.features, n_observed) == j:
                shared += 1
            put(desk.features, n_observed, j)
            n_observed += 1
    n_columns = (n_observed + 3) // 4 * 4
    for at in range(n_observed, n_columns):
        put(desk.features, at, d + at - n_observed)
    n_positions = n_columns
    for j in range(d):
        if number(desk.is_missing, j) != 0:
            put(desk.features, n_positions, j)
            n_positions += 1
    for at in range(n_positions, (n_positions + 3) // 4 * 4):
        put(desk.features, at, d + at - n_positions)
    for at in range((n_positions + 3) // 4 * 4):
        put(desk.rows_at, at, number(desk.features, at) * desk.size * width)
        put(desk.columns_at, at, number(desk.features, at) * width)
    n_missing = n_positions - n_columns
    by_inverses = is_by_inverses(blocks, d, n_missing)
    return shared, Pattern(n_observed, n_missing, n_columns, 0 if by_inverses else n_columns, by_inverses)


@inner
def _factor(desk: Any, blocks: Any, begin: int, end: int) -> None:
    """L of the observed features, and Σ log L_jj, where the panels before ``begin`` are there."""
    for f in range(0, blocks.n_factors, _TOGETHER):
        _factor_observed(desk, blocks, f, min(f + _TOGETHER, blocks.n_factors), begin, end)
    for f in range(blocks.n_factors):
        _sum_logarithms(desk, f, end)


@inline
def add_rows(sums: Any, left: Any, right: Any, n: int, rows: Any, columns: Any, one: Any) -> Any:
    """``sums`` + Σ left·right over n columns; rows stand in panels of ``rows`` and of four."""
    width = lanes(left)
    left_step = count_of(rows) * width
    for m in range(n):
        x = load_panel(left, m * left_step, width, rows, one)
        y = load_panel(right, m * 4 * width, width, columns, one)
        sums = add_outer(sums, x, y)
    return sums


@inline
def lower_of(desk: Any, f: int, panel: int) -> Any:
    """A panel of four rows of L and Vᵀ."""
    return pointer(desk.lower, (f * desk.panels + panel) * (desk.columns + 1) * 4 * lanes(desk.lower))


@inner
def _factor_observed(desk: Any, blocks: Any, f_begin: int, f_end: int, begin: int, end: int) -> None:
    """Panels of four rows of L, of some blocks in turn: each waits for its own last columns, not for the others'."""
    for i in range(begin, end):
        for j in range(0, 4 * i, PANEL_COLUMNS):
            for f in range(f_begin, f_end):
                solve_panel(desk, blocks, f, i, j)
        for f in range(f_begin, f_end):
            _factor_corner(desk, blocks, f, i)


@inline
def _factor_corner(desk: Any, blocks: Any, f: int, i: int) -> None:
    """The four rows of L where they meet the diagonal."""
    width, four, one = lanes(desk.lower), lines(4), lines(1)
    own, negative = lower_of(desk, f, i), negative_of(desk, blocks, f)
    corner = load_scattered(negative, pointer(desk.rows_at, 4 * i), pointer(desk.columns_at, 4 * i), four, four)
    for m in range(4 * i):
        corner = add_lower_outer(corner, load_panel(own, m * 4 * width, width, four, one))
    triangle = factor(corner)
    store_columns(own, 16 * i * width, 4 * width, triangle)
    store_panel(desk.scales, (f * desk.columns + 4 * i) * width, 0, negative_inverses(triangle))


@inline
def negative_of(desk: Any, blocks: Any, f: int) -> Any:
    return pointer(blocks.negative, f * desk.size * desk.size * lanes(desk.lower))


@inline
def solve_panel(desk: Any, blocks: Any, f: int, i: int, j: int) -> None:
    """Some columns from j on of four rows of L or Vᵀ."""
    # The whole desk in a call of its own would cost more than the arithmetic.
    _solve_four_rows(
        negative_of(desk, blocks, f),
        pointer(desk.rows_at, 4 * i),
        pointer(desk.columns_at, j),
        lower_of(desk, f, i),
        pointer(lower_of(desk, f, j // 4), j % 4 * lanes(desk.lower)),
        pointer(desk.scales, (f * desk.columns + j) * lanes(desk.lower)),
        j,
    )


@inner
def _solve_four_rows(
    negative: Any, rows_at: Any, columns_at: Any, own: Any, of_columns: Any, scales: Any, j: int
) -> None:
    start = load_scattered(negative, rows_at, columns_at, lines(4), lines(PANEL_COLUMNS))
    _solve_columns(start, own, of_columns, scales, j, lines(4), lines(PANEL_COLUMNS))


@inline
def _solve_columns(start: Any, own: Any, of_columns: Any, scales: Any, j: int, rows: Any, columns: Any) -> None:
    """Columns from j on of rows that stand in ``own``, of which the columns before are solved."""
    width = lanes(own)
    sums = add_rows(start, own, of_columns, j, rows, columns, lines(1))
    triangle = load_columns(of_columns, 4 * j * width, 4 * width, columns, columns)
    step = count_of(rows) * width
    store_columns(own, j * step, step, solve_rows(sums, triangle, load_panel(scales, 0, 0, lines(1), columns)))


@inner
def _sum_logarithms(desk: Any, f: int, n_panels: int) -> None:
    """Σ log L_jj, from the product of their mantissas."""
    width = lanes(desk.lower)
    power, product = constant(desk.lower, 0.0), constant(desk.lower, 1.0)
    for i in range(n_panels):
        corner = pointer(lower_of(desk, f, i), 16 * i * width)
        entry0, entry1 = load(corner, 0), load(corner, 5 * width)
        entry2, entry3 = load(corner, 10 * width), load(corner, 15 * width)
        powers = (exponent(entry0) + exponent(entry1)) + (exponent(entry2) + exponent(entry3))
        of_four = (mantissa(entry0) * mantissa(entry1)) * (mantissa(entry2) * mantissa(entry3))
        product = product * of_four
        power = power + (powers + exponent(product))
        product = mantissa(product)
    low = fma(power, constant(power, LN2_LOW), logarithm(product))
    store(desk.log_deviations, f * width, fma(power, constant(power, LN2_HIGH), low))


@inner
def joint_densities(desk: Any, blocks: Any, pattern: Any, d: int, n_rows: int) -> None:
    """Joint log-densities of the rows in ``desk.x``."""
    if pattern.by_inverses:
        for place in range(n_rows):
            for b in range(0, blocks.n_blocks, _BLOCKS_OF_ONE_ROW):
                _score_by_inverses(desk, blocks, pattern, d, b, min(b + _BLOCKS_OF_ONE_ROW, blocks.n_blocks), place)
    elif n_rows == 1:
        for b in range(0, blocks.n_blocks, _BLOCKS_OF_ONE_ROW):
            end = min(b + _BLOCKS_OF_ONE_ROW, blocks.n_blocks)
            _score_blocks(desk, blocks, pattern, b, end, n_rows, lines(1), lines(4))
    else:
        for b in range(blocks.n_blocks):
            _score_blocks(desk, blocks, pattern, b, b + 1, n_rows, lines(GROUP), lines(PANEL_COLUMNS))


@inner
def _score_by_inverses(desk: Any, blocks: Any, pattern: Any, d: int, begin: int, end: int, place: int) -> None:
    for b in range(begin, end):
        _put_differences(desk, blocks, pattern, b, b - begin, place)
    put_residuals(desk, pattern, d, begin, end, place)
    for b in range(begin, end):
        squared = load(desk.differences, (b - begin) * desk.columns * lanes(desk.lower))
        _put_joint(desk, blocks, pattern, b, place, squared)


@inline
def _score_blocks(
    desk: Any, blocks: Any, pattern: Any, begin: int, end: int, n_rows: int, rows: Any, columns: Any
) -> None:
    """y by forward substitution, of some blocks in turn, and what follows from it."""
    width = lanes(desk.lower)
    for b in range(begin, end):
        for place in range(count_of(rows)):
            # Rows that a group lacks repeat the first one.
            _put_differences(desk, blocks, pattern, b, b - begin + place, place if place < n_rows else 0)
    for j in range(0, pattern.n_columns, count_of(columns)):
        for b in range(begin, end):
            at = ((b - begin) * desk.columns + j) * width
            start = load_panel(desk.differences, at, desk.columns * width, rows, columns)
            f = min(b, blocks.n_factors - 1)
            of_columns = pointer(lower_of(desk, f, j // 4), j % 4 * width)
            scales = pointer(desk.scales, (f * desk.columns + j) * width)
            _solve_columns(start, whitened(desk, b), of_columns, scales, j, rows, columns)
    for b in range(begin, end):
        for place in range(n_rows):
            squared = constant(desk.y, 0.0)
            for j in range(pattern.n_columns):
                entry = load(whitened(desk, b), (j * count_of(rows) + place) * width)
                squared = fma(entry, entry, squared)
            _put_joint(desk, blocks, pattern, b, place, squared)


@inline
def _put_differences(desk: Any, blocks: Any, pattern: Any, b: int, line: int, place: int) -> None:
    """−δ_O of a row, in a line of ``differences``."""
    width = lanes(desk.lower)
    means = pointer(blocks.means, b * desk.size * width)
    for j in range(pattern.n_columns):
        feature = number(desk.features, j)
        difference = load(means, feature * width) - broadcast(desk.x, place * desk.size + feature)
        store(desk.differences, (line * desk.columns + j) * width, difference)


@inline
def whitened(desk: Any, b: int) -> Any:
    return pointer(desk.y, b * desk.columns * GROUP * lanes(desk.y))


@inline
def _put_joint(desk: Any, blocks: Any, pattern: Any, b: int, place: int, squared: Any) -> None:
    """From |y|²."""
    width, y = lanes(desk.lower), desk.y
    normal = fma(constant(y, -0.5), squared, constant(y, -0.5 * pattern.n_observed * math.log(2.0 * math.pi)))
    normal = normal - load(desk.log_deviations, min(b, blocks.n_factors - 1) * width)
    joint = constant(y, blocks.exponent) * (load(blocks.log_weights, b * width) + normal)
    lowest = lowest_number(joint)
    store(desk.joint, (place * blocks.n_blocks + b) * width, where_less(lowest, joint, joint, lowest))
