"""Kernels of the tied family: rows are whitened once, then the arithmetic is the spherical one.

Joint log-density: cₖ − ½‖z − νₖ‖² with z = L⁻¹(x − pivot) and νₖ = L⁻¹(μₖ − pivot). There are no second moments to
collect: the scatter of all rows does not change during a fit.
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inner
from fastgmm.kernels.numba_.spherical import squared_distance
from fastgmm.kernels.numba_.tile import finite_or_lowest
from fastgmm.kernels.numba_.vector import (
    add_sum,
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
    whitened, joint = scratch.differences[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    width = lanes(whitened)
    _whiten(
        scratch.points[worker],
        prepared.pivot,
        prepared.inverse_cholesky.reshape(-1),
        rows.n_features,
        n_points,
        stride,
        scratch.centered[worker],
        whitened,
    )
    centers = prepared.whitened_means.reshape(-1)
    constants = prepared.log_constants
    minus_half = constant(whitened, -0.5)
    for k in range(constants.size):
        c = broadcast(constants, k)
        for t in range(0, n_points, 2 * width):
            q0, q1 = squared_distance(whitened, stride, t, centers, k, rows.n_features)
            store(joint, k * stride + t, finite_or_lowest(fma(minus_half, q0, c)))
            store(joint, k * stride + t + width, finite_or_lowest(fma(minus_half, q1, c)))


@inner
def _whiten(
    points: Any, pivot: Any, factor: Any, d: int, n_points: int, stride: int, centered: Any, whitened: Any
) -> None:
    """z = L⁻¹(x − pivot), four rows of L⁻¹ at a time; the zeros above its diagonal do no harm."""
    zero = constant(points, 0.0)
    for t in range(0, n_points, lanes(points)):
        for j in range(d):
            store(centered, j * lanes(points), subtract_scalar(load(points, j * stride + t), pivot, j))
        i = 0
        while i + 4 <= d:
            y0 = zero
            y1 = zero
            y2 = zero
            y3 = zero
            for j in range(i + 4):
                x = load(centered, j * lanes(points))
                y0 = fma(broadcast(factor, i * d + j), x, y0)
                y1 = fma(broadcast(factor, (i + 1) * d + j), x, y1)
                y2 = fma(broadcast(factor, (i + 2) * d + j), x, y2)
                y3 = fma(broadcast(factor, (i + 3) * d + j), x, y3)
            store(whitened, i * stride + t, y0)
            store(whitened, (i + 1) * stride + t, y1)
            store(whitened, (i + 2) * stride + t, y2)
            store(whitened, (i + 3) * stride + t, y3)
            i += 4
        while i < d:
            y0 = zero
            for j in range(i + 1):
                y0 = fma(broadcast(factor, i * d + j), load(centered, j * lanes(points)), y0)
            store(whitened, i * stride + t, y0)
            i += 1


@inner
def add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> None:
    points, joint = scratch.points[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    zero = constant(points, 0.0)
    means = prepared.means.reshape(-1)
    first = slots.first[chunk].reshape(-1)
    for k in range(prepared.log_constants.size):
        for j in range(d):
            s = zero
            for t in range(0, n_points, lanes(points)):
                z = subtract_scalar(load(points, j * stride + t), means, k * d + j)
                s = fma(load(joint, k * stride + t), z, s)
            add_sum(first, k * d + j, s)
