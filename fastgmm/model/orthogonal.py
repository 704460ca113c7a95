"""QR factorizations and inverses of triangles, stacked and on one thread, however many features there are.

LAPACK's would do for few. It multiplies by BLAS, which shares out larger products among threads and waits for them
(``machine/small_products.py``). So wide matrices are orthogonalized a panel of columns after another, each twice
against those before it, which leaves no more than rounding (block Gram-Schmidt with reorthogonalization [1]_).

References
----------
.. [1] J. L. Barlow and A. Smoktunowicz, "Reorthogonalized block classical Gram-Schmidt", Numerische Mathematik 123
   (2013).
"""

import numpy as np

from fastgmm.machine.small_products import NUMBERS_OF_ONE_THREAD, product
from fastgmm.parameters import FloatArray

# Larger triangles are inverted by their blocks.
_ROWS_OF_A_TRIANGLE = 64


def orthogonal_and_triangle(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q (..., n, m) and R (..., m, m), upper triangular, of matrices (..., n, m) = QR with n ≥ m."""
    n, m = matrices.shape[-2:]
    width = max(1, NUMBERS_OF_ONE_THREAD // n)
    if m <= width:
        return _of_few(matrices)
    q, r = np.empty(matrices.shape), np.zeros((*matrices.shape[:-2], m, m))
    for begin in range(0, m, width):
        panel = slice(begin, min(begin + width, m))
        rest, corner = _of_few(matrices[..., panel]) if not begin else _orthogonal_to(q, r, matrices, panel)
        q[..., panel], r[..., panel, panel] = rest, corner
    return q, r


def _of_few(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    q, r = np.linalg.qr(columns)
    return q.astype(np.float64, copy=False), r.astype(np.float64, copy=False)


def _orthogonal_to(q: FloatArray, r: FloatArray, matrices: FloatArray, panel: slice) -> tuple[FloatArray, FloatArray]:
    """Q and R of what the columns before a panel leave of it; fills in the block of R above."""
    before = slice(0, panel.start)
    others = q[..., before]
    rest, corner = matrices[..., panel], np.eye(panel.stop - panel.start)
    for _ in range(2):
        shares = product(np.swapaxes(others, -1, -2), rest)
        rest, triangle = _of_few(rest - product(others, shares))
        r[..., before, panel] += product(shares, corner)
        corner = triangle @ corner
    return rest, corner


def inverse_of_triangle(r: FloatArray) -> FloatArray:
    """[A B; 0 C]⁻¹ = [A⁻¹ −A⁻¹BC⁻¹; 0 C⁻¹] of upper triangles (..., m, m)."""
    m = r.shape[-1]
    if m <= _ROWS_OF_A_TRIANGLE:
        return np.linalg.inv(r).astype(np.float64, copy=False)
    first, last, result = slice(0, m // 2), slice(m // 2, m), np.zeros(r.shape)
    result[..., first, first] = inverse_of_triangle(r[..., first, first])
    result[..., last, last] = inverse_of_triangle(r[..., last, last])
    above = product(result[..., first, first], r[..., first, last])
    result[..., first, last] = -product(above, result[..., last, last])
    return result
