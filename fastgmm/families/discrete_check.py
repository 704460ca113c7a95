"""Whether arrays make a mixture of counts or categories."""

import numpy as np

from fastgmm.families.discrete import DiscreteFamily
from fastgmm.parameters import Array, FloatArray, Parameters


def check_discrete(family: DiscreteFamily, weights: Array, means: Array) -> Parameters:
    """Parameters in arrays of their own, of probabilities or rates that make a mixture; ``ValueError`` where not."""
    weights, means = np.array(weights, np.float64), np.array(means, np.float64, order="C")
    if weights.ndim != 1 or means.ndim != 2 or len(weights) != len(means) or 0 in means.shape:
        raise ValueError(f"weights of shape {weights.shape} and means of shape {means.shape} make no mixture")
    if not np.isfinite(weights).all() or (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-6:
        raise ValueError("weights must be shares that sum to 1")
    if not np.isfinite(means).all() or (means < 0).any() or (family.name != "poisson" and (means > 1).any()):
        raise ValueError("probabilities must lie from 0 to 1, and rates must be finite and not negative")
    bounded = family.maximize(means, np.ones(means.shape), 0.0, np.zeros(means.shape[1]))
    if np.abs(bounded - means).max() > 1e-6:
        raise ValueError("probabilities of one feature must sum to 1")
    # Those of a fit stay as they are, to the bit.
    means = np.where(np.abs(bounded - means) <= 1e-14 * bounded, means, bounded)
    nothing: FloatArray = np.empty((len(weights), 0))
    return Parameters(family.name, weights, means, nothing)
