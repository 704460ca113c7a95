"""A tile: a few hundred rows copied feature by feature, and what every family does with its joint log-densities.

Arrays of a tile are flat; feature j (or component k) of point t stands at ``j·stride + t``, where the stride is a
cache line longer than the tile, lest all features of a point fall into the same set of the cache.
Rows beyond the end of the data and rows of weight 0 hold the first mean and weigh nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.elementary import exponential, logarithm
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.vector import add_sum, constant, is_single, lanes, load, store, where_less

CACHE_LINE = 64


class FlatRows(NamedTuple):
    """The data as a kernel reads them: a flat view and two strides, so that every layout has the same Numba type."""

    values: NDArray[Any]
    row_stride: int
    column_stride: int
    weights: NDArray[np.float64]
    weight_stride: int
    n_rows: int
    n_features: int


class Scratch(NamedTuple):
    """Working memory, one row for each worker, in the dtype of the arithmetic: that of the prepared parameters."""

    points: NDArray[Any]
    differences: NDArray[Any]
    centered: NDArray[Any]
    joint: NDArray[Any]
    weights: NDArray[Any]
    log_density: NDArray[Any]
    labels: NDArray[Any]


def allocate_scratch(n_workers: int, tile_rows: int, n_features: int, n_components: int, dtype: Any) -> Scratch:
    stride = tile_rows + CACHE_LINE // np.dtype(dtype).itemsize

    def table(n_lines: int) -> NDArray[Any]:
        return np.zeros((n_workers, n_lines * stride), dtype)

    return Scratch(
        points=table(n_features),
        differences=table(n_features),
        centered=np.zeros((n_workers, n_features * CACHE_LINE // np.dtype(dtype).itemsize), dtype),
        joint=table(n_components),
        weights=table(1),
        log_density=table(1),
        labels=table(1),
    )


@inner
def load_tile(rows: Any, first: int, n_valid: int, n_points: int, padding: Any, points: Any, weights: Any) -> None:
    """Copy rows ``first … first + n_valid`` into the tile, and pad it to ``n_points``."""
    stride = weights.size
    for t in range(n_points):
        weight = 0.0
        if t < n_valid:
            weight = rows.weights[(first + t) * rows.weight_stride]
        weights[t] = weight
        if weight > 0.0:
            start = (first + t) * rows.row_stride
            for j in range(rows.n_features):
                points[j * stride + t] = rows.values[start + j * rows.column_stride]
        else:
            for j in range(rows.n_features):
                points[j * stride + t] = padding[j]


@inline
def finite_or_lowest(joint: Any) -> Any:
    """−inf and NaN (from inf − inf) become the lowest number, so that differences of joint densities stay numbers."""
    lowest = _lowest(joint)
    return where_less(lowest, joint, joint, lowest)


@inline
def _lowest(like: Any) -> Any:
    return constant(like, -3.0e38) if is_single(like) else constant(like, -1.7e308)


@inner
def responsibilities(joint: Any, weights: Any, n_components: int, n_points: int, totals: Any, chunk: int) -> None:
    """Turn joint log-densities into weighted responsibilities, and add Σw and Σw·log p(x) to the chunk's totals.

    log p(x) = m + log Σₖ exp(joint_k − m),  w·r_k = exp(joint_k − m) · w / Σₖ exp(joint_k − m),  m = maxₖ joint_k
    """
    stride = weights.size
    zero = constant(weights, 0.0)
    sum_weights = zero
    sum_log_density = zero
    for t in range(0, n_points, lanes(weights)):
        log_density, total = _exponentials(joint, t, stride, n_components)
        weight = load(weights, t)
        scale = weight / total
        for k in range(n_components):
            store(joint, k * stride + t, load(joint, k * stride + t) * scale)
        sum_weights = sum_weights + weight
        sum_log_density = sum_log_density + where_less(zero, weight, weight * log_density, zero)
    add_sum(totals, 2 * chunk, sum_weights)
    add_sum(totals, 2 * chunk + 1, sum_log_density)


@inner
def add_counts(joint: Any, n_points: int, stride: int, counts: Any) -> None:
    """Add N = Σ wr of every component, from weighted responsibilities."""
    for k in range(counts.size):
        count = constant(joint, 0.0)
        for t in range(0, n_points, lanes(joint)):
            count = count + load(joint, k * stride + t)
        add_sum(counts, k, count)


@inline
def _exponentials(joint: Any, t: int, stride: int, n_components: int) -> Any:
    """Replace the joint log-densities of the points at t by exp(joint − m); return log p(x) and the exponentials' sum.

    log p(x) is −inf where every joint log-density is.
    """
    largest = load(joint, t)
    for k in range(1, n_components):
        value = load(joint, k * stride + t)
        largest = where_less(largest, value, value, largest)
    total = constant(joint, 0.0)
    for k in range(n_components):
        value = exponential(load(joint, k * stride + t) - largest)
        store(joint, k * stride + t, value)
        total = total + value
    nowhere = constant(joint, -np.inf)
    return where_less(_lowest(largest), largest, largest + logarithm(total), nowhere), total


@inner
def largest_component(joint: Any, labels: Any, n_components: int, n_points: int) -> None:
    """The component with the largest joint log-density, the first of equals."""
    stride = labels.size
    for t in range(0, n_points, lanes(joint)):
        largest = load(joint, t)
        label = constant(joint, 0.0)
        for k in range(1, n_components):
            value = load(joint, k * stride + t)
            label = where_less(largest, value, constant(joint, float(k)), label)
            largest = where_less(largest, value, value, largest)
        store(labels, t, label)


@inner
def log_sum_exp(joint: Any, log_density: Any, n_components: int, n_points: int, normalize: bool) -> None:
    """log p(x) = log Σₖ exp(joint_k), and where asked the joint log-densities turned into responsibilities."""
    stride = log_density.size
    for t in range(0, n_points, lanes(joint)):
        density, total = _exponentials(joint, t, stride, n_components)
        store(log_density, t, density)
        if normalize:
            scale = constant(joint, 1.0) / total
            for k in range(n_components):
                store(joint, k * stride + t, load(joint, k * stride + t) * scale)
