"""A tile: a few hundred rows copied feature by feature, and what every family does with its joint log-densities.

Arrays of a tile are lines of ``stride`` numbers, one for each feature or component, and point t stands at t of each.
The stride is a cache line longer than the tile, lest all features of a point fall into the same set of the cache.
Rows beyond the end of the data and rows of weight 0 hold the first mean and weigh nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.elementary import SMALLEST_EXPONENT, SMALLEST_EXPONENT_SINGLE, exponential, logarithm
from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.vector import (
    add_sum,
    constant,
    count_ones,
    fma,
    is_single,
    lanes,
    lanes_less,
    load,
    lowest_one,
    number,
    pointer,
    put,
    square_root,
    store,
    where_less,
)

CACHE_LINE = 64
# Rows that lie between components stand among others that do, so only one vector in so many is looked at again.
_VECTORS_TO_A_LOOK = 16


class Scratch(NamedTuple):
    """Working memory, one row for each worker: ``numbers`` in the dtype of the arithmetic, and ``integers``."""

    numbers: NDArray[Any]
    integers: NDArray[np.int64]


class Tile(NamedTuple):
    """Pointers into one worker's scratch.

    Lines of features: ``points``, ``z`` (differences from a mean, of the family's making) and ``packed`` (points that
    count for one component). Lines of components: ``joint``, log-densities and then responsibilities. Single lines:
    ``largest`` joint log-density, ``scales`` that normalize, ``weights``, ``packed_weights``, ``output``. ``center``
    is a mean in two parts, ``positions`` says which points are packed, ``members`` whose the lines of ``joint`` are.
    """

    stride: int
    points: Any
    z: Any
    packed: Any
    joint: Any
    largest: Any
    scales: Any
    weights: Any
    packed_weights: Any
    output: Any
    center: Any
    positions: Any
    members: Any


def allocate_scratch(n_workers: int, tile_rows: int, n_features: int, n_components: int, dtype: Any) -> Scratch:
    stride = tile_rows + CACHE_LINE // np.dtype(dtype).itemsize
    n_numbers = (3 * n_features + n_components + 5) * stride + 2 * n_features
    return Scratch(
        zeros_in_lines(n_workers, n_numbers, dtype),
        zeros_in_lines(n_workers, tile_rows + n_components, np.int64),
    )


def zeros_in_lines(n_workers: int, size: int, dtype: Any) -> NDArray[Any]:
    """Zeros for every worker that begin with a cache line, since a vector in two lines is loaded twice."""
    size = _whole_lines(size)
    numbers = np.zeros(n_workers * size + CACHE_LINE, dtype)
    skipped = -numbers.ctypes.data % CACHE_LINE // numbers.itemsize
    aligned: NDArray[Any] = numbers[skipped : skipped + n_workers * size].reshape(n_workers, size)
    return aligned


def _whole_lines(size: int) -> int:
    # Two workers never write to the same cache line.
    return -(-size // CACHE_LINE) * CACHE_LINE


@inline
def tile_of(scratch: Any, worker: int, tile_rows: int, d: int, n_components: int) -> Any:
    """The worker's scratch cut into lines, as ``allocate_scratch`` counted them."""
    start = pointer(scratch.numbers, worker * scratch.numbers.shape[1])
    stride = tile_rows + CACHE_LINE // scratch.numbers.itemsize
    singles = 3 * d + n_components
    return Tile(
        stride,
        start,
        pointer(start, d * stride),
        pointer(start, 2 * d * stride),
        pointer(start, 3 * d * stride),
        pointer(start, singles * stride),
        pointer(start, (singles + 1) * stride),
        pointer(start, (singles + 2) * stride),
        pointer(start, (singles + 3) * stride),
        pointer(start, (singles + 4) * stride),
        pointer(start, (singles + 5) * stride),
        pointer(scratch.integers, worker * scratch.integers.shape[1]),
        pointer(scratch.integers, worker * scratch.integers.shape[1] + tile_rows),
    )


@inner
def set_center(tile: Any, mean: Any, d: int) -> None:
    """Put a mean into ``tile.center``, each feature as the nearest number of the dtype and what is missing from it.

    So x − μ is right to two units of its own last place wherever float32 data lie; in float64 nothing is missing.
    """
    for j in range(d):
        put(tile.center, 2 * j, number(mean, j))
        put(tile.center, 2 * j + 1, number(mean, j) - number(tile.center, 2 * j))


@inline
def put_joint(tile: Any, line: int, t: int, joint: Any) -> None:
    """Store joint log-densities of the points at t."""
    # −inf and NaN (from inf − inf) become the lowest number, so that differences of joint densities stay numbers.
    lowest = lowest_number(joint)
    store(tile.joint, line * tile.stride + t, where_less(lowest, joint, joint, lowest))


@inline
def lowest_number(like: Any) -> Any:
    return constant(like, -3.0e38) if is_single(like) else constant(like, -1.7e308)


@inline
def largest_joint(tile: Any, t: int, n_components: int) -> Any:
    """m = maxₖ joint_k of the points at t."""
    largest = load(tile.joint, t)
    for k in range(1, n_components):
        joint = load(tile.joint, k * tile.stride + t)
        largest = where_less(largest, joint, joint, largest)
    return largest


@inline
def log_density_of(largest: Any, total: Any) -> Any:
    """log p(x) = m + log Σₖ exp(joint_k − m), −inf where every joint log-density is."""
    return where_less(lowest_number(largest), largest, largest + logarithm(total), constant(largest, -np.inf))


@inline
def are_settled(tile: Any, t: int, n_components: int, largest: Any, cutoff: Any) -> bool:
    """Whether each of the points at t has one component that counts, since all others lie below the margin."""
    n_counted = 0
    for k in range(n_components):
        n_counted += count_ones(lanes_less(cutoff, load(tile.joint, k * tile.stride + t) - largest))
    return n_counted == lanes(tile.joint)


@inline
def exponentials(tile: Any, t: int, n_components: int, largest: Any, margin: float, power: float) -> Any:
    """Turn the joint log-densities of the points at t into exp(power·(joint − m)); return Σ exp(joint − m)."""
    zero = constant(tile.joint, 0.0)
    exponent = constant(tile.joint, power)
    cutoff = constant(tile.joint, -margin)
    smallest = cutoff * exponent
    total = zero
    for k in range(n_components):
        x = load(tile.joint, k * tile.stride + t) - largest
        if lanes_less(cutoff, x) != 0:
            value = exponential(exponent * x, smallest)
            store(tile.joint, k * tile.stride + t, value)
            total = fma(value, value, total) if power == 0.5 else total + value
        else:
            store(tile.joint, k * tile.stride + t, zero)
    return total


@inline
def responsibilities(tile: Any, n_components: int, n_points: int, margin: float, power: float, totals: Any) -> None:
    """Turn joint log-densities into responsibilities yet to be scaled, and add Σw and Σw·log p(x) to the totals.

    log p(x) = m + log Σₖ exp(joint_k − m),  r_k = exp(joint_k − m) / Σₖ exp(joint_k − m),  m = maxₖ joint_k
    With ``power`` ½ the square roots of the exponentials are kept, and the scales are √(w/Σ) instead of w/Σ. What lies
    more than ``margin`` below m is 0: it would not change the last place of the sum. Settled points need no
    exponential, and no branch that would be guessed wrong.
    """
    zero = constant(tile.joint, 0.0)
    one = constant(tile.joint, 1.0)
    cutoff = constant(tile.joint, -margin)
    sum_weights = zero
    sum_log_density = zero
    settled = True
    for t in range(0, n_points, lanes(tile.joint)):
        largest = largest_joint(tile, t, n_components)
        if settled or t % (_VECTORS_TO_A_LOOK * lanes(tile.joint)) == 0:
            settled = are_settled(tile, t, n_components, largest, cutoff)
        total = one
        if settled:
            for k in range(n_components):
                joint = load(tile.joint, k * tile.stride + t)
                store(tile.joint, k * tile.stride + t, where_less(joint, largest, zero, one))
        else:
            total = exponentials(tile, t, n_components, largest, margin, power)
        weight = load(tile.weights, t)
        scale = weight / total
        store(tile.scales, t, square_root(scale) if power == 0.5 else scale)
        sum_weights = sum_weights + weight
        weighted = weight * log_density_of(largest, total)
        sum_log_density = sum_log_density + where_less(zero, weight, weighted, zero)
    add_sum(totals, 0, sum_weights)
    add_sum(totals, 1, sum_log_density)


@inline
def scale_and_count(tile: Any, line: int, n_points: int, power: float, count: Any) -> int:
    """Scale a component's responsibilities and add N = Σ wr; return how many points are not 0."""
    zero = constant(tile.joint, 0.0)
    total = zero
    n_active = 0
    for t in range(0, n_points, lanes(tile.joint)):
        value = load(tile.joint, line * tile.stride + t) * load(tile.scales, t)
        store(tile.joint, line * tile.stride + t, value)
        total = fma(value, value, total) if power == 0.5 else total + value
        n_active += count_ones(lanes_less(zero, value))
    add_sum(count, 0, total)
    return n_active


@inner
def pack(tile: Any, line: int, d: int, n_points: int) -> int:
    """Copy the points with a responsibility in a line of ``joint`` to ``packed``; return how many, in whole vectors."""
    width = lanes(tile.joint)
    zero = constant(tile.joint, 0.0)
    n_packed = 0
    for t in range(0, n_points, width):
        active = lanes_less(zero, load(tile.joint, line * tile.stride + t))
        while active != 0:
            put(tile.positions, n_packed, t + lowest_one(active))
            active &= active - 1
            n_packed += 1
    for a in range(n_packed):
        put(tile.packed_weights, a, number(tile.joint, line * tile.stride + number(tile.positions, a)))
    for j in range(d):
        feature = pointer(tile.points, j * tile.stride)
        for a in range(n_packed):
            put(tile.packed, j * tile.stride + a, number(feature, number(tile.positions, a)))
    n_whole = (n_packed + width - 1) // width * width
    for a in range(n_packed, n_whole):
        put(tile.packed_weights, a, 0.0)
        for j in range(d):
            put(tile.packed, j * tile.stride + a, number(tile.packed, j * tile.stride))
    return n_whole


@inner
def largest_component(tile: Any, n_components: int, n_points: int) -> None:
    """The component with the largest joint log-density, the first of equals, to ``output``."""
    for t in range(0, n_points, lanes(tile.joint)):
        largest = load(tile.joint, t)
        label = constant(tile.joint, 0.0)
        for k in range(1, n_components):
            value = load(tile.joint, k * tile.stride + t)
            label = where_less(largest, value, constant(tile.joint, float(k)), label)
            largest = where_less(largest, value, value, largest)
        store(tile.output, t, label)


@inner
def log_sum_exp(tile: Any, n_components: int, n_points: int, margin: float, normalize: bool) -> None:
    """log p(x) = log Σₖ exp(joint_k) to ``output``; where asked the joint log-densities become responsibilities.

    The sum leaves out what lies more than ``margin`` below the largest, as if it had been abandoned. For
    responsibilities, what its additions lose is added up beside it (D. E. Knuth, "Seminumerical Algorithms", 4.2.2), so
    that they sum to 1 however many they are.
    """
    zero = constant(tile.joint, 0.0)
    cutoff = constant(tile.joint, -margin)
    smallest = constant(tile.joint, SMALLEST_EXPONENT_SINGLE if is_single(tile.joint) else SMALLEST_EXPONENT)
    for t in range(0, n_points, lanes(tile.joint)):
        largest = largest_joint(tile, t, n_components)
        total = zero
        lost = zero
        for k in range(n_components):
            x = load(tile.joint, k * tile.stride + t) - largest
            value = exponential(x, smallest)
            store(tile.joint, k * tile.stride + t, value)
            term = where_less(cutoff, x, value, zero)
            after = total + term
            if normalize:
                added = after - total
                lost = lost + ((total - (after - added)) + (term - added))
            total = after
        total = total + lost
        store(tile.output, t, log_density_of(largest, total))
        if normalize:
            scale = constant(tile.joint, 1.0) / total
            for k in range(n_components):
                store(tile.joint, k * tile.stride + t, load(tile.joint, k * tile.stride + t) * scale)
