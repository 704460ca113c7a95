"""Kernels of the spherical family, and the squared distances that the tied family shares.

Joint log-density: cₖ − ½‖x − μₖ‖²/σₖ²; second moment: S = Σ wr‖x − μ‖².
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inline, inner
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


@inline
def squared_distance(points: Any, stride: int, t: int, centers: Any, k: int, d: int) -> Any:
    """‖x − center_k‖² of two vectors of points."""
    q0 = constant(points, 0.0)
    q1 = q0
    for j in range(d):
        at = j * stride + t
        z0 = subtract_scalar(load(points, at), centers, k * d + j)
        z1 = subtract_scalar(load(points, at + lanes(points)), centers, k * d + j)
        q0 = fma(z0, z0, q0)
        q1 = fma(z1, z1, q1)
    return q0, q1


@inner
def joint_density(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int) -> None:
    points, joint = scratch.points[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    width = lanes(points)
    centers = prepared.means.reshape(-1)
    constants = prepared.log_constants
    minus_half = constant(points, -0.5)
    for k in range(constants.size):
        c = broadcast(constants, k)
        factor = minus_half * broadcast(prepared.precisions, k)
        for t in range(0, n_points, 2 * width):
            q0, q1 = squared_distance(points, stride, t, centers, k, rows.n_features)
            store(joint, k * stride + t, finite_or_lowest(fma(factor, q0, c)))
            store(joint, k * stride + t + width, finite_or_lowest(fma(factor, q1, c)))


@inner
def add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> None:
    points, joint = scratch.points[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    zero = constant(points, 0.0)
    means = prepared.means.reshape(-1)
    first, second = slots.first[chunk].reshape(-1), slots.second[chunk].reshape(-1)
    for k in range(prepared.log_constants.size):
        square = zero
        for j in range(d):
            s = zero
            for t in range(0, n_points, lanes(points)):
                z = subtract_scalar(load(points, j * stride + t), means, k * d + j)
                weighted = load(joint, k * stride + t) * z
                s = s + weighted
                square = fma(weighted, z, square)
            add_sum(first, k * d + j, s)
        add_sum(second, k, square)
