"""The M-step: moments into new parameters."""

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import BoolArray, FloatArray, Parameters

# scikit-learn's floor of the points of a component, here a share so that scaling all weights changes nothing.
SMALLEST_SHARE = 10 * float(np.finfo(np.float64).eps)


def maximize(
    family: CovarianceFamily, moments: Moments, regularization: FloatArray, before: FloatArray | None = None
) -> Parameters:
    """Weights N/ΣN, means μ' = μ + δ with δ = s/N, and the family's covariances plus ``regularization`` (d,).

    Where components share something of their covariances these are constrained to it at last. μ is what the moments are
    about. A component that lost all its points keeps its mean, a weight of rounding size and no scatter. One that sees
    no value of a feature keeps its variance ``before`` as well.
    """
    counts = counts_of(moments)
    if (of_features := moments.counts_of_features) is not None:
        return _maximize_by_feature(family, moments, of_features, counts, regularization, before)
    shifts = moments.first / counts[:, np.newaxis]
    covariances = family.regularize(family.maximized(moments, counts, shifts, before), regularization)
    covariances = family.constrained(covariances, counts, before)
    return Parameters(family.name, counts / counts.sum(), moments.about + shifts, covariances)


def counts_of(moments: Moments) -> FloatArray:
    """N (K,), which for no component is less than the smallest share of all."""
    counts: FloatArray = np.maximum(moments.counts, SMALLEST_SHARE * moments.total_weight)
    return counts


def _maximize_by_feature(
    family: CovarianceFamily,
    moments: Moments,
    of_features: FloatArray,
    counts: FloatArray,
    regularization: FloatArray,
    before: FloatArray | None,
) -> Parameters:
    """The same where every feature has counts (K, d) of its own."""
    unseen = of_features <= SMALLEST_SHARE * moments.total_weight
    shifts = np.where(unseen, 0.0, moments.first / np.where(unseen, 1.0, of_features))
    covariances = family.regularize(family.maximize(moments, counts, shifts), regularization)
    if before is not None:
        covariances = keeping_unseen(unseen, covariances, before)
    covariances = constrained_by_feature(family, covariances, counts, of_features, before)
    return Parameters(family.name, counts / counts.sum(), moments.about + shifts, covariances)


def keeping_unseen(unseen: BoolArray, covariances: FloatArray, before: FloatArray) -> FloatArray:
    """Variances, but those before of features (K, d) that a component never sees."""
    return np.where(unseen if covariances.ndim == 2 else unseen.all(axis=1), before, covariances)


def constrained_by_feature(
    family: CovarianceFamily,
    covariances: FloatArray,
    counts: FloatArray,
    of_features: FloatArray,
    before: FloatArray | None,
) -> FloatArray:
    """Variances that are constrained as though the values that a component does not see varied as ``before``.

    So says EM of what is missing: −½(N − Nⱼ)(log v + v₀/v) is largest at v = v₀, and to add it makes a step no better.
    """
    if family.constrain is None or before is None:
        return family.constrained(covariances, counts, before)
    seen = np.minimum(of_features / counts[:, np.newaxis], 1.0)
    share = seen if covariances.ndim == 2 else seen.mean(axis=1)
    return family.constrained(share * covariances + (1.0 - share) * before, counts, before)
