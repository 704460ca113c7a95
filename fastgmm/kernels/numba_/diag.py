"""Kernels of the diag family.

Joint log-density: cₖ − ½ Σⱼ ((xⱼ − μₖⱼ)/σₖⱼ)²; second moments: Sⱼ = Σ wr(xⱼ − μⱼ)².
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inner
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
    points, joint = scratch.points[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    width = lanes(points)
    means = prepared.means.reshape(-1)
    scales = prepared.inverse_deviations.reshape(-1)
    constants = prepared.log_constants
    minus_half = constant(points, -0.5)
    for k in range(constants.size):
        c = broadcast(constants, k)
        for t in range(0, n_points, 2 * width):
            q0 = constant(points, 0.0)
            q1 = constant(points, 0.0)
            for j in range(d):
                at = j * stride + t
                scale = broadcast(scales, k * d + j)
                y0 = scale * subtract_scalar(load(points, at), means, k * d + j)
                y1 = scale * subtract_scalar(load(points, at + width), means, k * d + j)
                q0 = fma(y0, y0, q0)
                q1 = fma(y1, y1, q1)
            store(joint, k * stride + t, finite_or_lowest(fma(minus_half, q0, c)))
            store(joint, k * stride + t + width, finite_or_lowest(fma(minus_half, q1, c)))


@inner
def add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> None:
    points, joint = scratch.points[worker], scratch.joint[worker]
    stride = scratch.weights.shape[1]
    d = rows.n_features
    zero = constant(points, 0.0)
    means = prepared.means.reshape(-1)
    first, second = slots.first[chunk].reshape(-1), slots.second[chunk].reshape(-1)
    for k in range(prepared.log_constants.size):
        for j in range(d):
            s = zero
            square = zero
            for t in range(0, n_points, lanes(points)):
                z = subtract_scalar(load(points, j * stride + t), means, k * d + j)
                weighted = load(joint, k * stride + t) * z
                s = s + weighted
                square = fma(weighted, z, square)
            add_sum(first, k * d + j, s)
            add_sum(second, k * d + j, square)
