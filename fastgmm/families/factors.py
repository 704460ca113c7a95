"""Triangular factors shared by the families with covariance matrices, and the log-constant of all."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import import_alone, import_whole
from fastgmm.parameters import BoolArray, FloatArray

# OpenBLAS factors larger matrices on several threads, for which it may wait for milliseconds where a core is busy. Up
# to twice as many rows the products of two blocks stay on one thread as well; beyond that all of it would have to wait.
_ROWS_OF_ONE_THREAD = 64
# SciPy factors, inverts and multiplies so many with Python's lock taken, in some ten milliseconds.
_ROWS_WITH_THE_LOCK = 1024
# A share of the largest number that rounding may leave, for each of d numbers that are added up.
ROUNDING = 10 * float(np.finfo(np.float64).eps)

_NOT_POSITIVE_DEFINITE = "the matrix is not positive definite"


def inverse_cholesky(covariances: FloatArray) -> FloatArray:
    """L⁻¹ (K, d, d), lower triangular, of Σ = LLᵀ.

    Raises ``NotPositiveDefiniteError`` also where a matrix is singular but for rounding errors, since its factor
    would be made of them: scaled to a unit diagonal it has a smallest eigenvalue of at least 1/trace of its inverse,
    and the factorization is that of a matrix some d·eps away.
    """
    inverses = np.empty(covariances.shape if len(covariances) > 1 else 0)
    inverse_of = _small_inverse() if covariances.shape[-1] <= _ROWS_OF_ONE_THREAD else _large_inverse
    for part in pieces(len(covariances), covariances[:1].nbytes):
        for k in range(part.start, part.stop):
            try:
                inverse = inverse_of(covariances[k])
            except np.linalg.LinAlgError:
                raise NotPositiveDefiniteError(k) from None
            if len(covariances) > 1:
                inverses[k] = inverse
            else:  # without copying a single large one
                inverses = inverse[np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):
            of_precisions = np.einsum("kij,kij->kj", inverses[part], inverses[part])
            traces = np.einsum("kj,kjj->k", of_precisions, covariances[part])
        # Where anything is not finite a trace is NaN.
        unsound = ~(traces * (ROUNDING * covariances.shape[-1]) <= 1.0)
        if unsound.any():
            raise NotPositiveDefiniteError(part.start + int(np.argmax(unsound)))
    return inverses


def _small_inverse() -> Callable[[FloatArray], FloatArray]:
    """A function that gives L⁻¹ of a small matrix; it calls LAPACK itself, since detours would take as long."""
    lapack = _lapack()
    factor, invert = lapack.dpotrf, lapack.dtrtri

    def inverse(matrix: FloatArray) -> FloatArray:
        upper, failed = factor(matrix.T, lower=0, clean=1)
        if failed:
            raise np.linalg.LinAlgError(_NOT_POSITIVE_DEFINITE)
        result: FloatArray = invert(upper, lower=0, overwrite_c=1)[0].T
        return result

    return inverse


def _large_inverse(matrix: FloatArray) -> FloatArray:
    return factor_and_inverse(matrix)[1]


def factor_and_inverse(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """L and L⁻¹ of a matrix = LLᵀ, of which the lower triangle is read; raises ``LinAlgError`` where there is none.

    Sizes for which OpenBLAS would needlessly ask several threads are factored in blocks:  L = [A 0; B C],
    L⁻¹ = [A⁻¹ 0; −C⁻¹BA⁻¹ C⁻¹]  with B = QA⁻ᵀ of the block Q below the diagonal, and CCᵀ what BBᵀ leaves of the last
    one. To multiply by A⁻¹ is less exact than to solve with A, by the condition of A, so each product is corrected by
    what it leaves of its equation.
    """
    if not _ROWS_OF_ONE_THREAD < len(matrix) <= 2 * _ROWS_OF_ONE_THREAD:
        factor = _factor(matrix)
        return factor, _inverse_of_triangle(factor)
    half = len(matrix) // 2
    corner, corner_inverse = factor_and_inverse(matrix[:half, :half])
    with np.errstate(over="ignore", invalid="ignore"):  # what overflowed has no inverse that is finite
        below = _solved_from_the_right(matrix[half:, :half], corner.T, corner_inverse.T)
        last, last_inverse = factor_and_inverse(matrix[half:, half:] - below @ below.T)
        below_inverse = _solved_from_the_right(-last_inverse @ below, corner, corner_inverse)
    return _lower_of(corner, below, last), _lower_of(corner_inverse, below_inverse, last_inverse)


def _factor(matrix: FloatArray) -> FloatArray:
    if len(matrix) > _ROWS_WITH_THE_LOCK:
        return np.asarray(np.linalg.cholesky(matrix), np.float64)
    # LAPACK has columns where NumPy has rows: the transpose, and its upper triangle, are read without copying about.
    upper, failed = _lapack().dpotrf(matrix.T, lower=0, clean=1)
    if failed:
        raise np.linalg.LinAlgError(_NOT_POSITIVE_DEFINITE)
    factor: FloatArray = upper.T
    return factor


def _inverse_of_triangle(factor: FloatArray) -> FloatArray:
    """[A 0; B C]⁻¹ = [A⁻¹ 0; −C⁻¹BA⁻¹ C⁻¹]"""
    if len(factor) <= _ROWS_WITH_THE_LOCK:
        inverse, singular = _lapack().dtrtri(factor.T, lower=0)
        if singular:
            raise np.linalg.LinAlgError(_NOT_POSITIVE_DEFINITE)
        result: FloatArray = inverse.T
        return result
    half, multiply = len(factor) // 2, import_whole("scipy.linalg.blas").dtrmm
    corner, last = _inverse_of_triangle(factor[:half, :half]), _inverse_of_triangle(factor[half:, half:])
    # Transposed, as above: B'A'⁻¹ with triangles, which takes half of the work of products.
    above = multiply(-1.0, corner.T, factor[half:, :half].T)
    above = multiply(1.0, last.T, above, side=1, overwrite_b=1)
    return _lower_of(corner, above.T, last)


def _solved_from_the_right(right: FloatArray, factor: FloatArray, inverse: FloatArray) -> FloatArray:
    """X with X·factor = right."""
    solution = right @ inverse
    solution += (right - solution @ factor) @ inverse
    return solution


def _lower_of(corner: FloatArray, below: FloatArray, last: FloatArray) -> FloatArray:
    """[corner 0; below last]"""
    half, size = len(corner), len(corner) + len(last)
    result = np.zeros((size, size))
    result[:half, :half], result[half:, :half], result[half:, half:] = corner, below, last
    return result


def _lapack() -> Any:
    """LAPACK, loaded when first needed, and without scipy.linalg, which takes longer to import than all of fastgmm."""
    return import_alone("scipy.linalg._flapack", "scipy.linalg.lapack")


def coloring(covariance: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """What gives standard normal numbers (n, d) the covariance LLᵀ: every row z becomes Lz."""
    # By its multiplications, since BLAS waits for threads where there are more than 64 features.
    factor = np.linalg.cholesky(covariance)

    def color(normal: FloatArray) -> FloatArray:
        result: FloatArray = normal @ factor.T
        return result

    return color


def log_constants(weights: FloatArray, log_determinants: FloatArray, n_features: int) -> FloatArray:
    """cₖ = log wₖ + log det L⁻¹ₖ − (d/2) log 2π; −inf for a weight of zero."""
    with np.errstate(divide="ignore"):
        result: FloatArray = np.log(weights) + log_determinants - 0.5 * n_features * math.log(2 * math.pi)
    return result


def add_to_diagonals(matrices: FloatArray, variances: FloatArray) -> FloatArray:
    """The matrices (..., d, d) themselves, with ``variances`` (d,) added to their diagonals."""
    diagonals = np.einsum("...ii->...i", matrices)  # a view
    diagonals += variances
    return matrices


def symmetric_from_lower(matrices: FloatArray) -> FloatArray:
    """Both triangles of matrices (..., d, d) of which only the lower one is filled."""
    order = np.arange(matrices.shape[-1])
    return np.where(order[:, np.newaxis] >= order, matrices, np.swapaxes(matrices, -1, -2))


def times_transpose(factor: FloatArray) -> FloatArray:
    """FFᵀ of matrices (..., d, d): Σ of L, Σ⁻¹ of U = L⁻ᵀ."""
    product: FloatArray = factor @ np.swapaxes(factor, -1, -2)
    return product


def inverses_of_precisions(precisions: FloatArray) -> FloatArray:
    """Σ (K, d, d) of Σ⁻¹ = MMᵀ (Cholesky): Σ = M⁻ᵀM⁻¹, symmetric by construction; raises as ``inverse_cholesky``."""
    return times_transpose(np.swapaxes(inverse_cholesky(precisions), 1, 2))


def smallest_eigenvalues(covariances: FloatArray, units: FloatArray) -> FloatArray:
    """The smallest eigenvalue of every matrix (..., d, d), with feature j measured in units of ``units[j]``."""
    scaled = covariances / np.outer(units, units)
    smallest: FloatArray = np.linalg.eigvalsh(scaled)[..., 0].astype(np.float64)
    return smallest


def have_smaller_eigenvalues(
    covariances: FloatArray, roots: FloatArray | None, units: FloatArray, limit: float
) -> BoolArray:
    """Which matrices (K, d, d) have an eigenvalue of at most ``limit``, feature j measured in units of ``units[j]``.

    Those from which limit·I cannot be subtracted and leave a Cholesky factor. Eigenvalues would cost thirty times more,
    and on a busy machine far more than that where BLAS computes them on several threads. Not asked are matrices of
    whose inverse the trace is less than 1/limit, which no eigenvalue of the inverse exceeds: it is that of UUᵀ for the
    ``roots`` U of the precisions, where they are known.
    """
    asked, result = np.arange(len(covariances)), np.zeros(len(covariances), bool)
    if roots is not None:
        traces = np.einsum("kij,kij->ki", roots, roots) @ np.square(units)
        asked = np.flatnonzero(~(limit * traces < 1.0))
    for k in asked:
        result[k] = not _has_factor(covariances[k] / np.outer(units, units) - limit * np.eye(len(units)))
    return result


def _has_factor(matrix: FloatArray) -> bool:
    try:
        _factor(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def movement_of_factors(before: FloatArray, after: FloatArray, shifts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """s and δ with ‖L⁻¹'(x − μ')‖ ≥ s·‖L⁻¹(x − μ)‖ − δ for factors L⁻¹ (K or 1, d, d) and ``shifts`` μ' − μ (K, d).

    s = 1/(1 + ‖A − I‖) with A = L⁻¹·L', since ‖y‖ = ‖A·A⁻¹y‖ ≤ ‖A‖₂·‖A⁻¹y‖ and the norm of Frobenius is no less than
    that of the spectrum; δ = ‖L⁻¹'(μ' − μ)‖. Noise, whose factor is 0, stays where it is.
    """
    before, after = before.astype(np.float64), after.astype(np.float64)
    unit, is_noise = np.eye(before.shape[-1]), (after == 0).all(axis=(1, 2), keepdims=True)
    try:
        changes = np.where(is_noise, unit, before) @ np.linalg.inv(np.where(is_noise, unit, after)) - unit
    except np.linalg.LinAlgError:  # a factor of float32 that underflowed: nothing is known
        return np.zeros(len(shifts)), np.zeros(len(shifts))
    shrink = 1.0 / (1.0 + np.sqrt(np.square(changes).sum(axis=(1, 2))))
    drift = np.sqrt(np.square(after @ shifts[:, :, np.newaxis]).sum(axis=(1, 2)))
    return np.broadcast_to(shrink, drift.shape).copy(), drift
