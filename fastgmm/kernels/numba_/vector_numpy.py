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
    return np.full(lanes(array), array[index], array.dtype)


def constant(like: Array, value: float) -> Array:
    return np.full(lanes(like), value, like.dtype)


def fma(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


def subtract_scalar(vector: Array, array: Array, index: int) -> Array:
    return (vector - array[index]).astype(vector.dtype)


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


def add_sum(array: Array, index: int, vector: Array) -> None:
    array[index] += vector.sum(dtype=np.float64)


def add_sums(array: Array, index: int, v0: Array, v1: Array, v2: Array, v3: Array) -> None:
    for offset, vector in enumerate((v0, v1, v2, v3)):
        add_sum(array, index + offset, vector)
