"""Pieces of large arrays: a call of NumPy on one takes milliseconds, and signals are answered between them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgmm.parameters import Array

# Two milliseconds of memory touched for the first time, half a second-level cache, and too little for BLAS to wait for
# threads on a busy machine.
_PIECE_BYTES = 2**20


def pieces(length: int, n_bytes: int, at_least: int = 1) -> Iterator[slice]:
    """Consecutive slices of ``length`` items of ``n_bytes`` each, ``at_least`` so many; few items are one piece."""
    step = max(at_least, _PIECE_BYTES // max(1, n_bytes))
    for begin in range(0, length, step):
        yield slice(begin, min(begin + step, length))


def by_piece(function: Callable[..., Array], *arrays: Array) -> Array:
    """``function`` of arrays whose entries along the first axis it takes each for itself, of some at a time."""
    if all(array.nbytes <= _PIECE_BYTES for array in arrays):
        return function(*arrays)
    length, result = len(arrays[0]), np.empty(0)
    for part in pieces(length, max(array[:1].nbytes for array in arrays)):
        values = function(*(array[part] for array in arrays))
        if len(values) == length:
            return values
        if part.start == 0:
            result = np.empty((length, *values.shape[1:]), values.dtype)
        result[part] = values
    return result


def converted(array: Array, dtype: Any) -> Array:
    """A copy in another dtype and the same order of memory."""
    if array.nbytes <= _PIECE_BYTES:
        return array.astype(dtype)
    result = np.empty_like(array, dtype=dtype)
    for part in pieces(len(array), result[:1].nbytes):
        result[part] = array[part]
    return result
