"""Roots of precisions as people set them by hand: R with RRᵀ the precision, or ±1/σ."""

from collections.abc import Callable

import numpy as np

from fastgmm.families import CovarianceFamily
from fastgmm.parameters import FloatArray


def _lower(upper: FloatArray, rng: np.random.Generator) -> FloatArray:
    return np.linalg.cholesky(upper @ np.swapaxes(upper, -1, -2))


def _symmetric(upper: FloatArray, rng: np.random.Generator) -> FloatArray:
    left, singular_values, _ = np.linalg.svd(upper)
    return (left * singular_values[..., np.newaxis, :]) @ np.swapaxes(left, -1, -2)


def _rotated(upper: FloatArray, rng: np.random.Generator) -> FloatArray:
    rotation, _ = np.linalg.qr(rng.normal(size=upper.shape))
    return upper @ rotation


def _with_signs(upper: FloatArray, rng: np.random.Generator) -> FloatArray:
    return upper * rng.choice([-1.0, 1.0], (*upper.shape[:-2], 1, upper.shape[-1]))


ROOTS: dict[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "upper": lambda upper, rng: upper,
    "lower": _lower,
    "symmetric": _symmetric,
    "rotated": _rotated,
    "negative": lambda upper, rng: -upper,
    "with signs": _with_signs,
}


def any_root(fitted: FloatArray, kind: str, family: CovarianceFamily, rng: np.random.Generator) -> FloatArray:
    """Another root of the same precisions; of variances there are two."""
    if family.has_matrices:
        return ROOTS[kind](fitted, rng)
    return fitted if kind == "upper" else fitted * rng.choice([-1.0, 1.0], fitted.shape)
