"""Memory of large arrays that goes back to the system when they do."""

import math
import mmap
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray


def large_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros in pages of their own; ``MemoryError`` where there are none.

    The allocator of C keeps what threads give back, each in an arena of its own: where one thread makes arrays that
    another one uses up, dozens of megabytes pile up there.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if not n_bytes:
        return np.zeros(shape, dtype)
    return np.frombuffer(_pages(n_bytes), dtype).reshape(shape)


def _pages(n_bytes: int) -> mmap.mmap:
    try:
        if os.name == "nt":
            return mmap.mmap(-1, n_bytes)
        # Shared pages, which are the default, would stay in common with a child after a fork.
        return mmap.mmap(-1, n_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no memory for {n_bytes:,} bytes") from error
