"""The vocabulary of ``vector.py`` on short NumPy arrays, for ``NUMBA_DISABLE_JIT=1``: slow, easy to step through."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Eight float64 as in one AVX-512 register; the width changes the order of sums, never their meaning.
_VECTOR_BYTES = 64
_MANTISSA_BITS = {8: 52, 4: 23}
_ROOT_HALF_BITS = {8: 0x3FE6A09E667F3BCD, 4: 0x3F3504F3}


def _integer_type(vector: Array) -> Any:
    return np.int64 if vector.dtype.itemsize == 8 else np.int32


def lanes(array: Array) -> int:
    return _VECTOR_BYTES // array.dtype.itemsize


def is_single(vector: Array) -> bool:
    return vector.dtype.itemsize == 4


def load(array: Array, index: int) -> Array:
    return array[index : index + lanes(array)].copy()


def store(array: Array, index: int, vector: Array) -> None:
    array[index : index + lanes(array)] = vector


def broadcast(array: Array, index: int) -> Array:
    return np.full(lanes(array), number(array, index), array.dtype)


def constant(like: Array, value: float) -> Array:
    return np.full(lanes(like), value, like.dtype)


def fma(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


def pointer(where: Array, index: int) -> Array:
    return where.reshape(-1)[index:]


def number(where: Array, index: int) -> Any:
    return where.reshape(-1)[index]


def put(where: Array, index: int, value: Any) -> None:
    where[index] = value


def prefetch(where: Array, index: int) -> None:
    pass


def gather(array: Array, starts: Any, offset: int, like: Array) -> Array:
    return array[_starts_of_lanes(starts, lanes(like)) + offset].astype(like.dtype)


def _starts_of_lanes(starts: Any, count: int) -> Array:
    return starts[0] + starts[1] * np.arange(count) if isinstance(starts, tuple) else starts[:count]


def square_root(vector: Array) -> Array:
    return np.sqrt(vector)


def lanes_less(a: Array, b: Array) -> int:
    return sum(1 << lane for lane in np.flatnonzero(a < b).tolist())


def count_ones(bits: int) -> int:
    return bits.bit_count()


def lowest_one(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def where_less(a: Array, b: Array, then: Array, otherwise: Array) -> Array:
    return np.where(a < b, then, otherwise)


def add_exponent(vector: Array, shifted: Array) -> Array:
    integer = _integer_type(vector)
    powers = shifted.view(integer) << integer(_MANTISSA_BITS[vector.dtype.itemsize])
    return (vector.view(integer) + powers).view(vector.dtype)


def _binary_exponent(vector: Array) -> Array:
    integer = _integer_type(vector)
    above = vector.view(integer) - integer(_ROOT_HALF_BITS[vector.dtype.itemsize])
    return above >> integer(_MANTISSA_BITS[vector.dtype.itemsize])


def exponent(vector: Array) -> Array:
    return _binary_exponent(vector).astype(vector.dtype)


def mantissa(vector: Array) -> Array:
    integer = _integer_type(vector)
    powers = _binary_exponent(vector) << integer(_MANTISSA_BITS[vector.dtype.itemsize])
    return (vector.view(integer) - powers).view(vector.dtype)


def largest_lane(vector: Array) -> Any:
    return vector.max()


def add_sum(array: Array, index: int, vector: Array) -> None:
    array[index] += vector.sum(dtype=np.float64)


# Panels are arrays of shape (rows, columns, lanes).


def lines(count: int) -> int:
    return count


def count_of(count: int) -> int:
    return count


def zeros(like: Array, rows: int, columns: int) -> Array:
    return np.zeros((rows, columns, lanes(like)), like.dtype)


def vector_of(panel: Array, index: int) -> Array:
    return panel.reshape(-1, panel.shape[2])[index]


def load_panel(where: Array, start: int, step: int, rows: int, columns: int) -> Array:
    size = columns * lanes(where)
    return np.stack([where[start + row * step :][:size] for row in range(rows)]).reshape(rows, columns, -1)


def store_panel(where: Array, start: int, step: int, panel: Array) -> None:
    for row, vectors in enumerate(panel):
        where[start + row * step :][: vectors.size] = vectors.reshape(-1)


def load_transposed(where: Array, starts: Any, offset: int, like: Array, columns: int) -> Array:
    at = _starts_of_lanes(starts, lanes(like)) + offset + np.arange(columns)[:, np.newaxis]
    return where[at].astype(like.dtype).reshape(columns, 1, -1)


def subtract_center(panel: Array, center: Array, feature: int) -> Array:
    parts = center[2 * feature : 2 * (feature + len(panel))].reshape(-1, 2, 1, 1)
    return (panel - parts[:, 0]) - parts[:, 1]


def scale_rows(panel: Array, vector: Array) -> Array:
    return panel * vector


def scale_each(panel: Array, where: Array, start: int) -> Array:
    return panel * where[start : start + len(panel)].reshape(-1, 1, 1)


def add_scaled(sums: Array, vector: Array, panel: Array) -> Array:
    return sums + (vector * panel).reshape(sums.shape)


def add_vectors(sums: Array, panel: Array) -> Array:
    return sums + panel.reshape(sums.shape)


def add_products(sums: Array, x: Array, y: Array) -> Array:
    return sums + (x * y).reshape(sums.shape)


def add_column(y: Array, factor: Array, at: int, step: int, z: Array) -> Array:
    return y + factor[at + step * np.arange(len(y))].reshape(-1, 1, 1) * z


def add_triangle(y: Array, factor: Array, at: int, step: int, z: Array) -> Array:
    rows = np.arange(len(y))
    lower = np.tril(factor[at + step * rows[:, np.newaxis] + rows])
    return y + np.einsum("rj,jcl->rcl", lower, z)


def add_squares(sums: Array, panel: Array) -> Array:
    return sums + np.square(panel).sum(axis=0)


def add_outer(sums: Array, x: Array, y: Array) -> Array:
    return sums + x * y.reshape(1, len(y), -1)


def add_lower_outer(sums: Array, x: Array) -> Array:
    return sums + np.tri(len(x), dtype=x.dtype)[:, :, np.newaxis] * add_outer(np.zeros_like(sums), x, x)


def add_panel_sums(array: Array, start: int, step: int, panel: Array) -> None:
    for row, sums in enumerate(panel.sum(axis=2, dtype=np.float64)):
        array[start + row * step :][: len(sums)] += sums


def load_scattered(where: Array, rows_at: Array, columns_at: Array, rows: int, columns: int) -> Array:
    at = rows_at[:rows, np.newaxis] + columns_at[:columns]
    return where[at[:, :, np.newaxis] + np.arange(lanes(where))]


def load_columns(where: Array, start: int, step: int, rows: int, columns: int) -> Array:
    return load_panel(where, start, step, columns, rows).swapaxes(0, 1)


def store_columns(where: Array, start: int, step: int, panel: Array) -> None:
    store_panel(where, start, step, panel.swapaxes(0, 1))


def factor(negative: Array) -> Array:
    lower = np.zeros_like(negative)
    for j in range(len(negative)):
        lower[j, j] = np.sqrt(-(negative[j, j] + np.square(lower[j, :j]).sum(axis=0)))
        for i in range(j + 1, len(negative)):
            lower[i, j] = -(negative[i, j] + (lower[i, :j] * lower[j, :j]).sum(axis=0)) / lower[j, j]
    return lower


def negative_inverses(square: Array) -> Array:
    return np.stack([[-1.0 / square[j, j] for j in range(len(square))]])


def solve_rows(negative: Array, triangle: Array, scales: Array) -> Array:
    solved = np.zeros_like(negative)
    for j in range(negative.shape[1]):
        total = negative[:, j]
        for i in range(j):  # in this order whatever the number of rows
            total = total + solved[:, i] * triangle[j, i]
        solved[:, j] = total * scales[0, j]
    return solved
