"""Variances along given axes, of which volumes or shapes are the same in all components.

A component's variances are vⱼ = λaⱼ: the volume λ, their geometric mean, times the shape a, whose product is 1. From
variances sₖⱼ that the rows have and counts nₖ, each function finds those that minimize

    f = Σₖ nₖ Σⱼ (log vₖⱼ + sₖⱼ/vₖⱼ)

among its own, the first letter for the volume and the second for the shape, E where all components share it and V where
each has its own [1]_. What has no minimum ends in variances that are not positive, or not finite.

References
----------
.. [1] G. Celeux and G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28 (1995), section 4.
"""

from collections.abc import Callable

import numpy as np

from fastgmm.parameters import FloatArray

# f falls less than this in an iteration that is the last, per unit of weight. Only where it is hardly decided at all do
# iterations become so many.
SETTLED, MOST_ITERATIONS = 1e-13, 1000

# Of variances (K, d), counts (K,) and the volumes (K,) to begin with, or None.
Spectrum = Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]


def volumes_of(variances: FloatArray) -> FloatArray:
    """λ (K,), the geometric means of variances (K, d)."""
    volumes: FloatArray = np.exp(np.log(variances).mean(axis=-1))
    return volumes


def _shared(variances: FloatArray, counts: FloatArray, volumes: FloatArray | None) -> FloatArray:
    """v = Σₖ nₖsₖ/n."""
    return np.broadcast_to(counts @ variances / counts.sum(), variances.shape).copy()


def _of_one_shape(variances: FloatArray, counts: FloatArray, volumes: FloatArray | None) -> FloatArray:
    """In turn aⱼ ∝ Σₖ nₖsₖⱼ/λₖ and λₖ = Σⱼ sₖⱼ/(daⱼ), either of which is the best for the other.

    In logarithms f is convex, so that there is one minimum; of it remains f = Σₖ nₖ(log λₖ + Σⱼ log aⱼ/d) + 1.
    """
    scales = variances.mean(axis=1) if volumes is None else volumes
    if not (scales > 0).all():
        return variances
    before = np.inf
    for _ in range(MOST_ITERATIONS):
        shape = (counts / scales) @ variances
        scales = (variances / shape).mean(axis=1)
        reached = counts @ np.log(scales) / counts.sum() + np.log(shape).mean()
        if not reached < before - SETTLED:
            break
        before = reached
    found: FloatArray = scales[:, np.newaxis] * shape
    return found


def _of_one_volume(variances: FloatArray, counts: FloatArray, volumes: FloatArray | None) -> FloatArray:
    """λ = Σₖ nₖgₖ/n and aₖ = sₖ/gₖ with the geometric means gₖ of sₖ."""
    own = volumes_of(variances)
    found: FloatArray = variances * (counts @ own / counts.sum() / own)[:, np.newaxis]
    return found


def _free(variances: FloatArray, counts: FloatArray, volumes: FloatArray | None) -> FloatArray:
    return variances


SPECTRA: dict[str, Spectrum] = {"EE": _shared, "VE": _of_one_shape, "EV": _of_one_volume, "VV": _free}
