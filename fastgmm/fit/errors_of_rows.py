"""A start where the errors of rows are known: what was measured varies by them, too."""

from dataclasses import replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.sweeps.uncertain import UncertainSweep

# A start keeps so much of what was measured and errors together, at least: EM comes down from there as far as the rows
# say, and is slow near 0.
_LEAST_SHARE = 0.1


def less_errors(sweep: UncertainSweep, start: Parameters) -> Parameters:
    """A start of what was measured, less the mean covariance E of the errors, of which each component has as much.

    With Σ + E = RRᵀ, and λ the variances of E in its units, what is left is R·max(I − 2Λ, least)·Rᵀ: Σ − E, but never
    singular as long as there are errors, as the covariance of what a single row has named is.
    """
    family, errors = sweep.family, mean_errors(sweep.facts)
    counts = start.weights * sweep.facts.total_weight
    covariances = _left_of(family, start.covariances, errors)
    return replace(start, covariances=family.constrained(covariances, counts, start.covariances))


def _left_of(family: CovarianceFamily, covariances: FloatArray, errors: FloatArray) -> FloatArray:
    if not family.has_matrices:
        variances = np.diagonal(errors)
        own = variances if covariances.ndim == 2 else np.full(1, variances.mean())
        left: FloatArray = np.maximum(covariances - own, _LEAST_SHARE * (covariances + own))
        return left
    try:
        roots = np.linalg.cholesky(covariances.reshape(-1, *errors.shape) + errors)
    except np.linalg.LinAlgError:  # which the fit will refuse
        return covariances
    inverses = np.linalg.inv(roots)
    shares, axes = np.linalg.eigh(inverses @ errors @ np.swapaxes(inverses, 1, 2))
    across = roots @ axes
    left = (across * np.maximum(1.0 - 2.0 * shares, _LEAST_SHARE)[:, np.newaxis, :]) @ np.swapaxes(across, 1, 2)
    symmetric: FloatArray = 0.5 * (left + np.swapaxes(left, 1, 2))
    return symmetric.reshape(covariances.shape)


def mean_errors(facts: Facts) -> FloatArray:
    """The mean covariance (d, d) of the errors of a sample, each entry over the rows that have both features.

    Errors that are larger than the variance of what was measured say that nothing is known, however much larger they
    are: a single row must not rule the mean.
    """
    rows = facts.sample
    assert rows.errors is not None
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    there = (~np.isnan(rows.values)).astype(np.float64)
    total = (there.T * weights) @ there
    errors = _at_most(facts.variances, rows.errors.astype(np.float64))
    sums = np.diag(weights @ errors) if errors.ndim == 2 else np.tensordot(weights, errors, 1)
    mean: FloatArray = sums / np.where(total > 0, total, 1.0)
    return mean


def _at_most(variances: FloatArray, errors: FloatArray) -> FloatArray:
    """Errors of which no variance is larger than those (d,): covariances keep their form."""
    if errors.ndim == 2:
        return np.minimum(errors, variances)
    own = np.diagonal(errors, axis1=1, axis2=2)
    factors = np.divide(variances, own, out=np.ones_like(own), where=own > variances).min(axis=1)
    capped: FloatArray = errors * factors[:, np.newaxis, np.newaxis]
    return capped
