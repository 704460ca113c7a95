"""Pieces of large arrays: a call of NumPy on one takes milliseconds, and signals are answered between them."""

from collections.abc import Iterator
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


def converted(array: Array, dtype: Any) -> Array:
    """A copy in another dtype and the same order of memory."""
    result = np.empty_like(array, dtype=dtype)
    for part in pieces(len(array), result[:1].nbytes):
        result[part] = array[part]
    return result
