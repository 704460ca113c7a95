"""Roots of precisions, Σ⁻¹ = RRᵀ: kernels read the one that is upper triangular and positive on the diagonal.

A fit has it already. Set by hand, a root may be lower triangular, symmetric, or any other that gives the precision.
The RQ decomposition R = UQ, in which Q is orthogonal, makes it upper triangular, RRᵀ = UQQᵀUᵀ = UUᵀ, without ever
forming the precision, whose condition is the square of the root's.
"""

import numpy as np

from fastgmm.families.factors import ROUNDING, times_transpose
from fastgmm.parameters import FloatArray

# So few numbers, half a megabyte, are copied at once.
_FEW_NUMBERS = 2**16
_UNSOUND = "precisions_cholesky_ should be finite and of full rank, a root R of the precisions RRᵀ (1/σ of variances)"


def upper_roots(roots: FloatArray) -> FloatArray:
    """U (K, d, d), upper triangular with a positive diagonal, and UUᵀ = RRᵀ for roots R; those that are so already.

    Raises ``ValueError`` where one is not finite, or singular but for rounding errors.
    """
    return roots if _are_upper(roots) else _made_upper(roots)


def _are_upper(roots: FloatArray) -> bool:
    positive = (np.diagonal(roots, axis1=1, axis2=2) > 0).all()
    return bool(positive and np.isfinite(roots).all() and not _have_numbers_below(roots))


def _have_numbers_below(roots: FloatArray) -> bool:
    """Whether any is below the diagonal, where every fit has none: many row by row, since ``np.tril`` copies them."""
    if roots.size <= _FEW_NUMBERS:
        return bool(np.tril(roots, -1).any())
    return any(bool(roots[:, row, :row].any()) for row in range(1, roots.shape[1]))


def _made_upper(roots: FloatArray) -> FloatArray:
    if not np.isfinite(roots).all():
        raise ValueError(_UNSOUND)
    errors = np.zeros(roots.shape[:2])
    if _have_numbers_below(roots):
        # NumPy has QR: that of R with its rows reversed, transposed, is RQ seen in a mirror.
        mirrored = np.linalg.qr(np.swapaxes(roots[:, ::-1], 1, 2), mode="r")
        roots = np.swapaxes(mirrored, 1, 2)[:, ::-1, ::-1]
        # Those of a row are in proportion to its length.
        errors = ROUNDING * roots.shape[1] * np.abs(roots).max(axis=2)
    diagonals = np.diagonal(roots, axis1=1, axis2=2)
    if (np.abs(diagonals) <= errors).any():
        raise ValueError(_UNSOUND)
    upper: FloatArray = roots * np.sign(diagonals)[:, np.newaxis, :]
    return upper


def positive_roots(roots: FloatArray) -> FloatArray:
    """1/σ of roots ±1/σ; raises ``ValueError`` where one is zero or not finite."""
    if not (np.isfinite(roots).all() and roots.all()):
        raise ValueError(_UNSOUND)
    return np.abs(roots)


def covariances_of_upper_roots(roots: FloatArray) -> FloatArray:
    """Σ = U⁻ᵀU⁻¹ of upper triangular roots (..., d, d)."""
    inverses = np.linalg.inv(roots).astype(np.float64, copy=False)
    return times_transpose(np.swapaxes(inverses, -1, -2))


def variances_of_roots(roots: FloatArray) -> FloatArray:
    """σ² of roots 1/σ."""
    return np.square(1.0 / roots)
