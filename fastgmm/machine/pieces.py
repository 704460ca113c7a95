"""Pieces of large arrays, so that what is computed from them on the way takes little memory."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.machine.waiting import check

Place = TypeVar("Place", np.int32, np.intp)

# So much stays in a second-level cache, half of one of 2 MB, and products of it are so small that BLAS keeps to one
# thread: on a busy machine it may wait long for others. The number was chosen by hand.
_PIECE_BYTES = 2**20


def pieces(length: int, n_bytes: int, at_least: int = 1) -> Iterator[slice]:
    """Consecutive slices of ``length`` items of ``n_bytes`` each: 1 MB of them, or ``at_least`` so many items.

    Work that nobody waits for any more ends between two slices.
    """
    step = max(at_least, _PIECE_BYTES // max(1, n_bytes))
    for begin in range(0, length, step):
        check()
        yield slice(begin, min(begin + step, length))


def places_of_nonzero(array: NDArray[Any], dtype: type[Place]) -> NDArray[Place]:
    """As ``numpy.flatnonzero``, of the dtype, with no other array of that size on the way."""
    result, end = np.empty(np.count_nonzero(array), dtype), 0
    for part in pieces(len(array), np.dtype(np.intp).itemsize):
        found = part.start + np.flatnonzero(array[part])
        begin, end = end, end + len(found)
        result[begin:end] = found
    return result
