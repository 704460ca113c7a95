"""Kernels of the full family: every component has its own covariance matrix.

Joint log-density of a point x and component k, with L⁻¹ₖ the inverse Cholesky factor of Σₖ:
    log wₖ + log N(x | μₖ, Σₖ) = cₖ − ½‖y‖²,   y = L⁻¹ₖ(x − μₖ),   cₖ = log wₖ + log det L⁻¹ₖ − (d/2) log 2π
Moments about the current means, with w·r the weighted responsibilities:
    N = Σ wr,   s = Σ wr(x − μ),   S = Σ wr(x − μ)(x − μ)ᵀ   (lower triangle)

Both triangles are cut into blocks of four rows whose sums stay in registers; the rows that remain come
one at a time. The repeated lines are these blocks unrolled by hand: in a loop the sums would live in memory.
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inner
from fastgmm.kernels.numba_.tile import finite_or_lowest
from fastgmm.kernels.numba_.vector import (
    add_sum,
    add_sums,
    broadcast,
    constant,
    fma,
    lanes,
    load,
    store,
    subtract_scalar,
)


@inner
def joint_density(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int) -> None:
    """Write ``cₖ − ½‖L⁻¹ₖ(x − μₖ)‖²`` of the tile's points to ``scratch.joint``."""
    points, joint, differences = scratch.points[worker], scratch.joint[worker], scratch.differences[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    width = lanes(points)
    minus_half = constant(points, -0.5)
    means = prepared.means.reshape(-1)
    constants = prepared.log_constants
    for k in range(constants.size):
        factor = prepared.inverse_cholesky[k].reshape(-1)
        for t in range(0, n_points, 2 * width):
            for j in range(d):
                at = j * stride + t
                store(differences, 2 * j * width, subtract_scalar(load(points, at), means, k * d + j))
                store(differences, (2 * j + 1) * width, subtract_scalar(load(points, at + width), means, k * d + j))
            q0, q1 = _squared_norm(differences, factor, d, width)
            c = broadcast(constants, k)
            store(joint, k * stride + t, finite_or_lowest(fma(minus_half, q0, c)))
            store(joint, k * stride + t + width, finite_or_lowest(fma(minus_half, q1, c)))


@inner
def _squared_norm(z: Any, factor: Any, d: int, width: int) -> Any:
    """‖y‖² of y = L⁻¹z for two vectors of points, four rows of the triangle at a time."""
    zero = constant(z, 0.0)
    q0 = zero
    q1 = zero
    i = 0
    while i + 4 <= d:
        a, b, c, e = i * d, (i + 1) * d, (i + 2) * d, (i + 3) * d  # where the four rows of L⁻¹ begin
        y00 = zero
        y01 = zero
        y10 = zero
        y11 = zero
        y20 = zero
        y21 = zero
        y30 = zero
        y31 = zero
        for j in range(i + 1):
            z0 = load(z, 2 * j * width)
            z1 = load(z, (2 * j + 1) * width)
            f = broadcast(factor, a + j)
            y00 = fma(f, z0, y00)
            y01 = fma(f, z1, y01)
            f = broadcast(factor, b + j)
            y10 = fma(f, z0, y10)
            y11 = fma(f, z1, y11)
            f = broadcast(factor, c + j)
            y20 = fma(f, z0, y20)
            y21 = fma(f, z1, y21)
            f = broadcast(factor, e + j)
            y30 = fma(f, z0, y30)
            y31 = fma(f, z1, y31)
        # The triangle at the end of the block.
        z0 = load(z, 2 * (i + 1) * width)
        z1 = load(z, (2 * (i + 1) + 1) * width)
        f = broadcast(factor, b + i + 1)
        y10 = fma(f, z0, y10)
        y11 = fma(f, z1, y11)
        f = broadcast(factor, c + i + 1)
        y20 = fma(f, z0, y20)
        y21 = fma(f, z1, y21)
        f = broadcast(factor, e + i + 1)
        y30 = fma(f, z0, y30)
        y31 = fma(f, z1, y31)
        z0 = load(z, 2 * (i + 2) * width)
        z1 = load(z, (2 * (i + 2) + 1) * width)
        f = broadcast(factor, c + i + 2)
        y20 = fma(f, z0, y20)
        y21 = fma(f, z1, y21)
        f = broadcast(factor, e + i + 2)
        y30 = fma(f, z0, y30)
        y31 = fma(f, z1, y31)
        f = broadcast(factor, e + i + 3)
        y30 = fma(f, load(z, 2 * (i + 3) * width), y30)
        y31 = fma(f, load(z, (2 * (i + 3) + 1) * width), y31)
        q0 = fma(y00, y00, fma(y10, y10, fma(y20, y20, fma(y30, y30, q0))))
        q1 = fma(y01, y01, fma(y11, y11, fma(y21, y21, fma(y31, y31, q1))))
        i += 4
    while i < d:
        y0 = zero
        y1 = zero
        for j in range(i + 1):
            f = broadcast(factor, i * d + j)
            y0 = fma(f, load(z, 2 * j * width), y0)
            y1 = fma(f, load(z, (2 * j + 1) * width), y1)
        q0 = fma(y0, y0, q0)
        q1 = fma(y1, y1, q1)
        i += 1
    return q0, q1


@inner
def add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> None:
    """Add the tile's s and the lower triangle of S of every component to the chunk's slot."""
    points, joint, z = scratch.points[worker], scratch.joint[worker], scratch.differences[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    width = lanes(points)
    means = prepared.means.reshape(-1)
    first = slots.first[chunk].reshape(-1)
    for k in range(prepared.log_constants.size):
        second = slots.second[chunk, k].reshape(-1)
        r = joint[k * stride : k * stride + n_points]
        for t in range(0, n_points, width):
            for j in range(d):
                store(z, j * stride + t, subtract_scalar(load(points, j * stride + t), means, k * d + j))
        i = 0
        while i + 4 <= d:
            for j in range(0, i, 4):
                _square_block(r, z, stride, i, j, second, d)
            _diagonal_block(r, z, stride, i, second, first, k, d)
            i += 4
        while i < d:
            _single_row(r, z, stride, i, second, first, k, d)
            i += 1


@inner
def _square_block(r: Any, z: Any, stride: int, i: int, j: int, second: Any, d: int) -> None:
    """Add S of the features i … i+3 with the features j … j+3, j + 4 ≤ i."""
    zero = constant(z, 0.0)
    a00 = zero
    a01 = zero
    a02 = zero
    a03 = zero
    a10 = zero
    a11 = zero
    a12 = zero
    a13 = zero
    a20 = zero
    a21 = zero
    a22 = zero
    a23 = zero
    a30 = zero
    a31 = zero
    a32 = zero
    a33 = zero
    for t in range(0, r.size, lanes(z)):
        weight = load(r, t)
        y0 = load(z, j * stride + t)
        y1 = load(z, (j + 1) * stride + t)
        y2 = load(z, (j + 2) * stride + t)
        y3 = load(z, (j + 3) * stride + t)
        x = weight * load(z, i * stride + t)
        a00 = fma(x, y0, a00)
        a01 = fma(x, y1, a01)
        a02 = fma(x, y2, a02)
        a03 = fma(x, y3, a03)
        x = weight * load(z, (i + 1) * stride + t)
        a10 = fma(x, y0, a10)
        a11 = fma(x, y1, a11)
        a12 = fma(x, y2, a12)
        a13 = fma(x, y3, a13)
        x = weight * load(z, (i + 2) * stride + t)
        a20 = fma(x, y0, a20)
        a21 = fma(x, y1, a21)
        a22 = fma(x, y2, a22)
        a23 = fma(x, y3, a23)
        x = weight * load(z, (i + 3) * stride + t)
        a30 = fma(x, y0, a30)
        a31 = fma(x, y1, a31)
        a32 = fma(x, y2, a32)
        a33 = fma(x, y3, a33)
    add_sums(second, i * d + j, a00, a01, a02, a03)
    add_sums(second, (i + 1) * d + j, a10, a11, a12, a13)
    add_sums(second, (i + 2) * d + j, a20, a21, a22, a23)
    add_sums(second, (i + 3) * d + j, a30, a31, a32, a33)


@inner
def _diagonal_block(r: Any, z: Any, stride: int, i: int, second: Any, first: Any, k: int, d: int) -> None:
    """Add s of the features i … i+3 and S of these features with each other."""
    zero = constant(z, 0.0)
    s0 = zero
    s1 = zero
    s2 = zero
    s3 = zero
    a00 = zero
    a10 = zero
    a11 = zero
    a20 = zero
    a21 = zero
    a22 = zero
    a30 = zero
    a31 = zero
    a32 = zero
    a33 = zero
    for t in range(0, r.size, lanes(z)):
        weight = load(r, t)
        y0 = load(z, i * stride + t)
        y1 = load(z, (i + 1) * stride + t)
        y2 = load(z, (i + 2) * stride + t)
        y3 = load(z, (i + 3) * stride + t)
        x = weight * y0
        s0 = s0 + x
        a00 = fma(x, y0, a00)
        a10 = fma(x, y1, a10)
        a20 = fma(x, y2, a20)
        a30 = fma(x, y3, a30)
        x = weight * y1
        s1 = s1 + x
        a11 = fma(x, y1, a11)
        a21 = fma(x, y2, a21)
        a31 = fma(x, y3, a31)
        x = weight * y2
        s2 = s2 + x
        a22 = fma(x, y2, a22)
        a32 = fma(x, y3, a32)
        x = weight * y3
        s3 = s3 + x
        a33 = fma(x, y3, a33)
    # Zeros stand where a row of the block reaches into the upper triangle.
    add_sums(second, i * d + i, a00, zero, zero, zero)
    add_sums(second, (i + 1) * d + i, a10, a11, zero, zero)
    add_sums(second, (i + 2) * d + i, a20, a21, a22, zero)
    add_sums(second, (i + 3) * d + i, a30, a31, a32, a33)
    add_sums(first, k * d + i, s0, s1, s2, s3)


@inner
def _single_row(r: Any, z: Any, stride: int, i: int, second: Any, first: Any, k: int, d: int) -> None:
    """Add s of feature i and S of feature i with the features 0 … i."""
    zero = constant(z, 0.0)
    width = lanes(z)
    j = 0
    while j + 4 <= i:
        a0 = zero
        a1 = zero
        a2 = zero
        a3 = zero
        for t in range(0, r.size, width):
            x = load(r, t) * load(z, i * stride + t)
            a0 = fma(x, load(z, j * stride + t), a0)
            a1 = fma(x, load(z, (j + 1) * stride + t), a1)
            a2 = fma(x, load(z, (j + 2) * stride + t), a2)
            a3 = fma(x, load(z, (j + 3) * stride + t), a3)
        add_sums(second, i * d + j, a0, a1, a2, a3)
        j += 4
    while j < i:
        a0 = zero
        for t in range(0, r.size, width):
            a0 = fma(load(r, t) * load(z, i * stride + t), load(z, j * stride + t), a0)
        add_sum(second, i * d + j, a0)
        j += 1
    s = zero
    a0 = zero
    for t in range(0, r.size, width):
        y = load(z, i * stride + t)
        x = load(r, t) * y
        s = s + x
        a0 = fma(x, y, a0)
    add_sum(first, k * d + i, s)
    add_sum(second, i * d + i, a0)
