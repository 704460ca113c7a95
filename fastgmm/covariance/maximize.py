"""The M-step: moments into new parameters."""

import numpy as np

from fastgmm.covariance.family import CovarianceFamily
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters


def maximize(family: CovarianceFamily, moments: Moments, means: FloatArray, regularization: FloatArray) -> Parameters:
    """Weights N/ΣN, means μ' = μ + δ with δ = s/N, and the family's covariances plus ``regularization`` (d,).

    A component that lost all its points keeps its mean, a weight of rounding size and no scatter; the floor is
    scikit-learn's ``10 eps``, here a share of the total weight so that scaling all weights changes nothing.
    """
    floor = 10 * np.finfo(np.float64).eps * moments.total_weight
    counts = np.maximum(moments.counts, floor)
    shifts = moments.first / counts[:, np.newaxis]
    covariances = family.regularize(family.maximize(moments, counts, shifts), regularization)
    return Parameters(family.name, counts / counts.sum(), means + shifts, covariances)
