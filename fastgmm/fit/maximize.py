"""The M-step: moments into new parameters."""

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters

# scikit-learn's floor of the points of a component, here a share so that scaling all weights changes nothing.
SMALLEST_SHARE = 10 * float(np.finfo(np.float64).eps)


def maximize(family: CovarianceFamily, moments: Moments, regularization: FloatArray) -> Parameters:
    """Weights N/ΣN, means μ' = μ + δ with δ = s/N, and the family's covariances plus ``regularization`` (d,).

    μ is what the moments are about. A component that lost all its points keeps its mean, a weight of rounding size and
    no scatter.
    """
    counts = np.maximum(moments.counts, SMALLEST_SHARE * moments.total_weight)
    shifts = moments.first / counts[:, np.newaxis]
    covariances = family.regularize(family.maximize(moments, counts, shifts), regularization)
    return Parameters(family.name, counts / counts.sum(), moments.about + shifts, covariances)
