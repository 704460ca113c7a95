"""Moments of rows that lack values, with components in lanes: Σwr, Σwr·e and Σwr(e·eᵀ + C), as far as a tile goes."""

from typing import Any

from fastgmm.kernels.numba_.incomplete_desk import GROUP
from fastgmm.kernels.numba_.incomplete_inverses import add_conditional_by_inverses, copy_expected
from fastgmm.kernels.numba_.incomplete_patterns import (
    PANEL_COLUMNS,
    add_rows,
    lower_of,
    negative_of,
    solve_panel,
    whitened,
)
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.panels import add_outer, count_of, lines, load_panel, store_panel, zeros
from fastgmm.kernels.numba_.triangles import load_scattered
from fastgmm.kernels.numba_.vector import (
    constant,
    fma,
    lanes,
    load,
    number,
    pointer,
    put,
    square_root,
    store,
    where_less,
)


@inner
def add_group(desk: Any, blocks: Any, pattern: Any, n_rows: int, n_waiting: int) -> None:
    """Add the rows' counts and first moments, and have their √(wr)·e wait; ``joint`` holds their wr."""
    width = lanes(desk.lower)
    zero = constant(desk.lower, 0.0)
    for b in range(blocks.n_blocks):
        total = zero
        largest = 0.0
        for place in range(n_rows):
            share = load(desk.joint, (place * blocks.n_blocks + b) * width)
            total = total + share
            for lane in range(width):
                largest = max(largest, number(desk.joint, (place * blocks.n_blocks + b) * width + lane))
        if largest > 0.0:
            f = min(b, blocks.n_factors - 1)
            if number(desk.is_solved, f) == 0:
                put(desk.is_solved, f, 1)
                if not pattern.by_inverses:
                    _solve_missing(desk, blocks, pattern, f)
            store(desk.counts, b * width, load(desk.counts, b * width) + total)
            store(desk.shares, f * width, load(desk.shares, f * width) + total)
            if pattern.by_inverses:
                _add_known(desk, blocks, pattern, b, n_rows, n_waiting)
            elif n_rows == 1:
                _add_expected(desk, blocks, pattern, b, n_rows, n_waiting, lines(1), lines(4))
            else:
                _add_expected(desk, blocks, pattern, b, n_rows, n_waiting, lines(GROUP), lines(PANEL_COLUMNS))


@inner
def _solve_missing(desk: Any, blocks: Any, pattern: Any, f: int) -> None:
    """Vᵀ."""
    begin = pattern.n_columns // 4
    for j in range(0, pattern.n_columns, PANEL_COLUMNS):
        for i in range(begin, begin + (pattern.n_missing + 3) // 4):
            solve_panel(desk, blocks, f, i, j)


@inline
def _add_expected(
    desk: Any, blocks: Any, pattern: Any, b: int, n_rows: int, n_waiting: int, rows: Any, columns: Any
) -> None:
    """Write √(wr)·e where it waits, and add s."""
    width = lanes(desk.lower)
    f = min(b, blocks.n_factors - 1)
    size, n_columns = desk.width, pattern.n_columns
    own = pointer(desk.roots, (b * GROUP + n_waiting) * size * width)
    for j in range(0, pattern.n_missing, count_of(columns)):
        right = pointer(lower_of(desk, f, (n_columns + j) // 4), j % 4 * width)
        expected = add_rows(
            zeros(desk.lower, rows, columns), whitened(desk, b), right, n_columns, rows, columns, lines(1)
        )
        store_panel(desk.square, 0, count_of(columns) * width, expected)
        for place in range(n_rows):
            for column in range(count_of(columns)):
                at = place * size + number(desk.features, n_columns + j + column)
                store(own, at * width, load(desk.square, (place * count_of(columns) + column) * width))
    for place in range(n_rows):
        _scale_row(desk, blocks, pattern, b, place, pointer(own, place * size * width))


@inner
def _add_known(desk: Any, blocks: Any, pattern: Any, b: int, n_rows: int, n_waiting: int) -> None:
    """The same where e is there already."""
    step = desk.width * lanes(desk.lower)
    for place in range(n_rows):
        own = pointer(desk.roots, (b * GROUP + n_waiting + place) * step)
        copy_expected(desk, pattern, b, place, own)
        _scale_row(desk, blocks, pattern, b, place, own)


@inner
def _scale_row(desk: Any, blocks: Any, pattern: Any, b: int, place: int, own: Any) -> None:
    width = lanes(desk.lower)
    means = pointer(blocks.means, b * desk.size * width)
    share = load(desk.joint, (place * blocks.n_blocks + b) * width)
    zero, root = constant(share, 0.0), square_root(share)
    first = pointer(desk.first, b * desk.width * width)
    for position in range(pattern.n_columns + pattern.n_missing):
        feature = number(desk.features, position)
        if position < pattern.n_observed:
            x = number(desk.x, place * desk.size + feature)
            e = constant(share, x) - load(means, feature * width)
        else:
            e = load(own, feature * width)
        # A component without a share may have no e.
        u = where_less(zero, share, root * e, zero)
        if position < pattern.n_observed or position >= pattern.n_columns:
            store(own, feature * width, u)
            store(first, feature * width, fma(root, u, load(first, feature * width)))


@inner
def add_products_of_rows(desk: Any, blocks: Any) -> None:
    """Add Σ wr·e·eᵀ of the rows that wait, and have none wait."""
    width, four, one = lanes(desk.lower), lines(4), lines(1)
    step = desk.width * width
    for b in range(blocks.n_blocks):
        waiting = pointer(desk.roots, b * GROUP * step)
        second = pointer(desk.second, min(b, blocks.n_factors - 1) * desk.width * step)
        for i in range(0, desk.columns, 4):
            for j in range(0, i + 4, PANEL_COLUMNS):
                sums = load_panel(second, i * step + j * width, step, four, lines(PANEL_COLUMNS))
                for place in range(GROUP):
                    x = load_panel(waiting, place * step + i * width, width, four, one)
                    y = load_panel(waiting, place * step + j * width, width, lines(PANEL_COLUMNS), one)
                    sums = add_outer(sums, x, y)
                store_panel(second, i * step + j * width, step, sums)
        for at in range(0, GROUP * step, width):
            store(waiting, at, constant(waiting, 0.0))


@inner
def end_pattern(desk: Any, blocks: Any, pattern: Any, d: int) -> None:
    """Add Σwr·C of the run."""
    for f in range(blocks.n_factors):
        if pattern.by_inverses and number(desk.is_solved, f) != 0:
            add_conditional_by_inverses(desk, pattern, d, f)
        elif number(desk.is_solved, f) != 0:
            negative = negative_of(desk, blocks, f)
            begin = pattern.n_columns // 4
            for i in range(begin, begin + (pattern.n_missing + 3) // 4):
                for j in range(pattern.n_columns, 4 * i + 4, PANEL_COLUMNS):
                    _add_conditional(desk, negative, pattern, f, i, j)


@inline
def _add_conditional(desk: Any, negative: Any, pattern: Any, f: int, i: int, j: int) -> None:
    width, four, columns = lanes(desk.lower), lines(4), lines(PANEL_COLUMNS)
    start = load_scattered(negative, pointer(desk.rows_at, 4 * i), pointer(desk.columns_at, j), four, columns)
    right = pointer(lower_of(desk, f, j // 4), j % 4 * width)
    sums = add_rows(start, lower_of(desk, f, i), right, pattern.n_columns, four, columns, lines(1))
    store_panel(desk.square, 0, PANEL_COLUMNS * width, sums)
    share, zero = load(desk.shares, f * width), constant(desk.shares, 0.0)
    second = pointer(desk.second, f * desk.width * desk.width * width)
    for row in range(4):
        for column in range(PANEL_COLUMNS):
            if j + column <= 4 * i + row and 4 * i + row < pattern.n_columns + pattern.n_missing:
                at = number(desk.features, 4 * i + row) * desk.width + number(desk.features, j + column)
                added = where_less(zero, share, share * load(desk.square, (row * PANEL_COLUMNS + column) * width), zero)
                store(second, at * width, load(second, at * width) - added)
