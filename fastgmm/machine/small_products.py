"""Products of matrices in parts for which BLAS keeps to one thread.

On a busy machine it may wait 100 ms for its other threads, where a product of 20 million multiply-adds takes 2 ms on
one. Where thousands of such products follow each other, that is minutes instead of seconds.
"""

import math

import numpy as np

from fastgmm.machine.waiting import check
from fastgmm.parameters import FloatArray

# OpenBLAS shares more among threads: multiply-adds of two matrices, and numbers of a matrix by a vector or of an outer
# product, which QR factorizations are made of. A product of 9,000 waited on a busy machine, one of 8,000 did not.
_MULTIPLY_ADDS = 2**18
NUMBERS_OF_ONE_THREAD = 2**13


def product(left: FloatArray, right: FloatArray) -> FloatArray:
    """left @ right of matrices (..., n, k) and (..., k, m). Work that nobody waits for any more ends in between."""
    n, k, m = *left.shape[-2:], right.shape[-1]
    most = max(1, NUMBERS_OF_ONE_THREAD // max(1, k))
    n_columns = max(1, min(m, most, math.isqrt(_MULTIPLY_ADDS // max(1, k))))
    n_rows = max(1, min(most, _MULTIPLY_ADDS // max(1, k * n_columns)))
    if n <= n_rows and m <= n_columns:
        result: FloatArray = left @ right
        return result
    result = np.empty((*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), n, m))
    for begin in range(0, n, n_rows):
        rows = slice(begin, begin + n_rows)
        check()
        for first in range(0, m, n_columns):
            columns = slice(first, first + n_columns)
            result[..., rows, columns] = left[..., rows, :] @ right[..., columns]
    return result
