"""Rows that lack few values, by W, the inverse factor of a component's whole covariance, with components in lanes.

With z = W of differences that are 0 where values are missing, the missing differences are those that make
|z + W_M δ_M| smallest. With an orthogonal Q and a triangular T, W_M = QT,
    E[δ_M | x_O] = −T⁻¹Qᵀz,   C = (TᵀT)⁻¹,   |y|² = |z − QQᵀz|²,   det Σ_OO = det Σ (det T)²,
by modified Gram-Schmidt, which is as good as Householder's reflections where z is among the vectors (Å. Björck,
"Numerical Methods for Least Squares Problems", SIAM 1996, 2.4). It begins with the last feature, since W is lower
triangular: column j is 0 before row j. T is then lower triangular as well.

Q stands where L would, column after column, behind it T, with 1/T_mm on the diagonal, and T⁻¹.
"""

from typing import Any

from fastgmm.kernels.numba_.elementary import logarithm
from fastgmm.kernels.numba_.incomplete_desk import GROUP
from fastgmm.kernels.numba_.jit import inline, inner
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


@inline
def is_by_inverses(blocks: Any, d: int, n_missing: int) -> bool:
    """Below a third of the features W takes fewer multiply-adds than L."""
    return bool(blocks.has_inverses and 3 * n_missing <= d)


@inline
def _orthogonal(desk: Any, d: int, f: int) -> Any:
    """Q: entry i of column m at m·d + i."""
    return pointer(desk.lower, f * desk.panels * (desk.columns + 1) * 4 * lanes(desk.lower))


@inline
def _triangle(desk: Any, d: int, n_missing: int, f: int) -> Any:
    """T: entry a of row m at m·n_missing + a; T⁻¹ stands so behind it."""
    return pointer(_orthogonal(desk, d, f), n_missing * d * lanes(desk.lower))


@inline
def _inverse_column(desk: Any, d: int, f: int, feature: int) -> Any:
    """A column of W."""
    return pointer(desk.inverses, (f * d + feature) * d * lanes(desk.lower))


@inner
def arrange_inverse(desk: Any, blocks: Any, d: int, f: int) -> None:
    """W of a block, and Σ log L_jj = −Σ log W_jj; lanes beyond the last component have W of the last."""
    width = lanes(desk.lower)
    total = constant(desk.lower, 0.0)
    for j in range(d):
        column = _inverse_column(desk, d, f, j)
        for lane in range(width):
            k = min(f * width + lane, blocks.n_components - 1)
            for i in range(j, d):
                put(column, i * width + lane, number(blocks.inverses, (k * d + i) * d + j))
        total = total - logarithm(load(column, j * width))
    store(desk.log_determinants, f * width, total)


@inline
def _project(q: Any, x: Any, begin: int, d: int) -> Any:
    """s = qᵀx, and x := x − s·q, of entries from ``begin`` on."""
    width = lanes(q)
    total, other = constant(q, 0.0), constant(q, 0.0)
    for i in range(begin, d - 1, 2):
        total = fma(load(q, i * width), load(x, i * width), total)
        other = fma(load(q, (i + 1) * width), load(x, (i + 1) * width), other)
    if (d - begin) % 2 == 1:
        total = fma(load(q, (d - 1) * width), load(x, (d - 1) * width), total)
    s = total + other
    negative = constant(q, 0.0) - s
    for i in range(begin, d):
        store(x, i * width, fma(negative, load(q, i * width), load(x, i * width)))
    return s


@inner
def orthogonalize(desk: Any, pattern: Any, d: int, f_begin: int, f_end: int) -> None:
    """Q and T, and Σ log L_jj of what is observed, of some blocks in turn: each waits for its own columns alone."""
    width, n_missing = lanes(desk.lower), pattern.n_missing
    missing = pointer(desk.features, pattern.n_columns)
    for f in range(f_begin, f_end):
        store(desk.log_deviations, f * width, load(desk.log_determinants, f * width))
        for m in range(n_missing):
            column = pointer(_orthogonal(desk, d, f), m * d * width)
            w = _inverse_column(desk, d, f, number(missing, m))
            for i in range(number(missing, m), d):
                store(column, i * width, load(w, i * width))
    for m in range(n_missing - 1, -1, -1):
        begin = number(missing, m)
        for f in range(f_begin, f_end):
            row = pointer(_triangle(desk, d, n_missing, f), m * n_missing * width)
            squared = _normalize(pointer(_orthogonal(desk, d, f), m * d * width), begin, d, pointer(row, m * width))
            log_deviation = fma(constant(row, 0.5), logarithm(squared), load(desk.log_deviations, f * width))
            store(desk.log_deviations, f * width, log_deviation)
        for a in range(m):
            for f in range(f_begin, f_end):
                columns, row = _orthogonal(desk, d, f), pointer(_triangle(desk, d, n_missing, f), m * n_missing * width)
                s = _project(pointer(columns, m * d * width), pointer(columns, a * d * width), begin, d)
                store(row, a * width, s)


@inline
def _normalize(q: Any, begin: int, d: int, scale: Any) -> Any:
    """|q|² of entries from ``begin`` on, which become those of length 1; ``scale`` becomes 1/|q|."""
    width = lanes(q)
    squared, other = constant(q, 0.0), constant(q, 0.0)
    for i in range(begin, d):
        squared, other = fma(load(q, i * width), load(q, i * width), other), squared
    squared = squared + other
    inverse = constant(q, 1.0) / square_root(squared)
    store(scale, 0, inverse)
    for i in range(begin, d):
        store(q, i * width, load(q, i * width) * inverse)
    return squared


@inline
def _of_row(desk: Any, b: int, place: int) -> Any:
    """The place of z of a row."""
    return pointer(desk.y, (b * GROUP + place) * desk.columns * lanes(desk.y))


@inline
def _put_product(desk: Any, pattern: Any, d: int, b: int, differences: Any, z: Any) -> None:
    """z = W of differences, four columns at a time; those that fill up the last four have differences of 0."""
    width = lanes(z)
    for i in range(d):
        store(z, i * width, constant(z, 0.0))
    for j in range(0, pattern.n_columns, 4):
        w0 = _inverse_column(desk, d, b, number(desk.features, j))
        w1 = _inverse_column(desk, d, b, min(number(desk.features, j + 1), d - 1))
        w2 = _inverse_column(desk, d, b, min(number(desk.features, j + 2), d - 1))
        w3 = _inverse_column(desk, d, b, min(number(desk.features, j + 3), d - 1))
        x0, x1 = load(differences, j * width), load(differences, (j + 1) * width)
        x2, x3 = load(differences, (j + 2) * width), load(differences, (j + 3) * width)
        for i in range(number(desk.features, j), d):
            at = i * width
            total = fma(load(w1, at), x1, fma(load(w0, at), x0, load(z, at)))
            store(z, at, fma(load(w3, at), x3, fma(load(w2, at), x2, total)))


@inner
def put_residuals(desk: Any, pattern: Any, d: int, b_begin: int, b_end: int, place: int) -> None:
    """|z − QQᵀz|² of a row, of some blocks in turn, in place of the first −δ; E[δ_M | x_O] then stands where z did."""
    width, n_missing, step = lanes(desk.y), pattern.n_missing, desk.columns * lanes(desk.y)
    missing = pointer(desk.features, pattern.n_columns)
    for b in range(b_begin, b_end):
        _put_product(desk, pattern, d, b, pointer(desk.differences, (b - b_begin) * step), _of_row(desk, b, place))
    for m in range(n_missing - 1, -1, -1):
        for b in range(b_begin, b_end):
            q = pointer(_orthogonal(desk, d, b), m * d * width)
            s = _project(q, _of_row(desk, b, place), number(missing, m), d)
            store(desk.differences, (b - b_begin) * step + m * width, s)
    for b in range(b_begin, b_end):
        z, products = _of_row(desk, b, place), pointer(desk.differences, (b - b_begin) * step)
        squared, other = constant(z, 0.0), constant(z, 0.0)
        for i in range(d):
            squared, other = fma(load(z, i * width), load(z, i * width), other), squared
        for m in range(n_missing):
            row = pointer(_triangle(desk, d, n_missing, b), m * n_missing * width)
            total = load(products, m * width)
            for a in range(m):
                total = total - load(row, a * width) * load(z, a * width)
            store(z, m * width, total * load(row, m * width))
        store(products, 0, squared + other)


@inner
def copy_expected(desk: Any, pattern: Any, b: int, place: int, e: Any) -> None:
    """E[δ_M | x_O] of a row, where its features have their places."""
    width, z = lanes(desk.lower), _of_row(desk, b, place)
    for m in range(pattern.n_missing):
        store(e, number(desk.features, pattern.n_columns + m) * width, load(z, m * width))


@inner
def add_conditional_by_inverses(desk: Any, pattern: Any, d: int, f: int) -> None:
    """Add Σwr·C of the run, C = T⁻¹T⁻ᵀ."""
    width, n_missing = lanes(desk.lower), pattern.n_missing
    triangle = _triangle(desk, d, n_missing, f)
    inverse = pointer(triangle, n_missing * n_missing * width)
    for column in range(n_missing):
        store(inverse, (column * n_missing + column) * width, load(triangle, (column * n_missing + column) * width))
        for m in range(column + 1, n_missing):
            total = constant(triangle, 0.0)
            for a in range(column, m):
                entry = load(triangle, (m * n_missing + a) * width)
                total = total - entry * load(inverse, (a * n_missing + column) * width)
            scale = load(triangle, (m * n_missing + m) * width)
            store(inverse, (m * n_missing + column) * width, total * scale)
    share, zero = load(desk.shares, f * width), constant(desk.shares, 0.0)
    second = pointer(desk.second, f * desk.width * desk.width * width)
    for a in range(n_missing):
        for b in range(a + 1):
            total = zero
            for column in range(b + 1):
                left = load(inverse, (a * n_missing + column) * width)
                total = fma(left, load(inverse, (b * n_missing + column) * width), total)
            features = pointer(desk.features, pattern.n_columns)
            at = (number(features, a) * desk.width + number(features, b)) * width
            store(second, at, load(second, at) + where_less(zero, share, share * total, zero))
