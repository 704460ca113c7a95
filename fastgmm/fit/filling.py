"""A sample of rows without holes, for starts: missing values become their expectation under a single Gaussian.

Nobody else should see it, since what is filled varies too little.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.data.patterns import patterns_of_one_shape
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.fit.em import em
from fastgmm.fit.regularization import relative_regularization
from fastgmm.fit.update import Likelihood, NoModelError
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import check
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing
from fastgmm.sweeps.over_blocks import OverBlocks
from fastgmm.sweeps.sweep import DeadlineError, Sweep

_MOST_STEPS = 20
# In mean log-likelihood: the default ``tol`` of a fit.
_SETTLED = 1e-3


@dataclass(frozen=True, eq=False)
class Filled:
    """Rows with all values, and the mean (d, d) of the covariances that were left of what they lacked."""

    rows: Rows
    left_over: FloatArray


def filled(sweep: IncompleteSweep, members: NDArray[np.intp]) -> Filled:
    """Some rows of a sweep, each with an observed value, less their origin."""
    some = sweep.facts.rows.take(members)
    # What is taken is a copy already, which the sample's own values are written into.
    some = replace(some, values=np.ascontiguousarray(some.points()), origin=None)
    facts = Facts(replace(some, groups=None, group_prior=None))
    gaussian = single_gaussian(sweep, facts, facts.sample)
    left_over = _fill(facts, gaussian)
    return Filled(replace(some, has_missing=False), left_over)


def filled_by_centers(
    sweep: IncompleteSweep, members: NDArray[np.intp], centers: FloatArray, scale: FloatArray | None
) -> Filled:
    """The same where centers (K, d) are given: what a row lacks is that of the nearest of those it may belong to.

    By what it has, so that this center is the nearest of the filled row, too [1]_. Expectations lie amid the clusters,
    and would lead rows that lack much to the center there.

    References
    ----------
    .. [1] J. T. Chi, E. C. Chi and R. G. Baraniuk, "k-POD: a method for k-means clustering of missing data", The
       American Statistician 70 (2016).
    """
    sample, some = filled(sweep, members), sweep.facts.rows.take(members)
    values, unit = sample.rows.values, 1.0 if scale is None else scale
    for part in pieces(len(values), 2 * some.values[:1].nbytes):
        block = some.take(part)
        points = block.points()
        distances = np.stack([np.nansum(np.square((points - center) / unit), axis=1) for center in centers], axis=1)
        if block.groups is not None:
            distances[block.log_beliefs() == -np.inf] = np.inf
        values[part] = np.where(np.isnan(points), centers[np.argmin(distances, axis=1)], points)
    return sample


def single_gaussian(sweep: IncompleteSweep | OverBlocks, facts: Facts, some: Rows | None = None) -> Parameters:
    """Some steps of EM with one component, on all rows or some; without correlations where the family has none.

    At the sweep's deadline it is where they have led to, and the fit ends at its own first sweep.
    """
    family = FAMILIES["full" if sweep.family.has_matrices else "diag"]
    is_sound = (facts.variances >= np.finfo(np.float64).tiny) & (facts.variances < np.inf)
    variances = np.where(is_sound, facts.variances, 1.0)
    covariances = np.diag(variances)[np.newaxis] if family.has_matrices else variances[np.newaxis]
    center = np.where(np.isfinite(facts.center), facts.center, 0.0)  # of absurd numbers, which the fit will refuse
    start = Parameters(family.name, np.ones(1), center[np.newaxis], covariances)
    visits = _visits_of_one(sweep, family, facts.rows if some is None else some)
    update = Likelihood(family, relative_regularization(variances), facts.rows.values.dtype)
    iterates = em(update, start)
    iterate = next(iterates)
    for _ in range(_MOST_STEPS):
        try:
            following = iterates.send(visits([iterate.asked])[0])
        except (NoModelError, DeadlineError):
            break
        iterate, has_settled = following, following.change < _SETTLED
        if has_settled:
            break
    return iterate.model.parameters


def _visits_of_one(sweep: IncompleteSweep | OverBlocks, family: CovarianceFamily, some: Rows) -> Sweep:
    """Visits to rows of one component, of which there is nothing to believe."""
    if isinstance(sweep, OverBlocks):
        return sweep.of_one_gaussian(family)
    unlabelled = replace(some, groups=None, group_prior=None)
    return suited_to_missing(Facts(unlabelled), family, sweep.backend, sweep.n_threads, sweep.complete.deadline)


def _fill(facts: Facts, gaussian: Parameters) -> FloatArray:
    """Write μ_M + Σ_MO Σ_OO⁻¹ (x_O − μ_O) for what is missing; the mean of Σ_MM − Σ_MO Σ_OO⁻¹ Σ_OM.

    Patterns of one shape are computed together.
    """
    family, rows, order = FAMILIES[gaussian.covariance_type], facts.rows, facts.patterns.incomplete
    mean, n_features = gaussian.means[0], gaussian.n_features
    covariance = family.matrices(gaussian.covariances, 1, n_features)[0]
    values, left_over = rows.values, np.zeros((n_features, n_features))
    for members, missing, observed in patterns_of_one_shape(np.isnan(values)[order]):
        for few in pieces(len(members), 8 * n_features * (n_features + members.shape[1])):
            check()
            places, of_missing, of_observed = order[members[few]], missing[few], observed[few]
            across = _blocks(covariance, of_observed, of_missing)
            slopes = np.linalg.solve(_blocks(covariance, of_observed, of_observed), across)
            differences = values[_pairs(places, of_observed)] - mean[of_observed][:, np.newaxis]
            values[_pairs(places, of_missing)] = mean[of_missing][:, np.newaxis] + differences @ slopes
            conditional = _blocks(covariance, of_missing, of_missing) - np.swapaxes(across, 1, 2) @ slopes
            weights = (np.ones(places.shape) if rows.weights is None else rows.weights[places]).sum(axis=1)
            np.add.at(left_over, _pairs(of_missing, of_missing), weights[:, np.newaxis, np.newaxis] * conditional)
    result: FloatArray = (left_over + left_over.T) / (2 * rows.total_weight)  # symmetric but for rounding
    return result


def _pairs(some: NDArray[Any], others: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Indices (P, m, n) of all pairs of P times m and n places."""
    return some[:, :, np.newaxis], others[:, np.newaxis, :]


def _blocks(matrix: FloatArray, some: NDArray[np.intp], others: NDArray[np.intp]) -> FloatArray:
    blocks: FloatArray = matrix[_pairs(some, others)]
    return blocks


def with_left_over(family: CovarianceFamily, start: Parameters, left_over: FloatArray) -> Parameters:
    """A start of filled rows whose covariances have what was left over added to them."""
    added = left_over
    if not family.has_matrices:
        diagonal = np.diagonal(left_over)
        added = diagonal if start.covariances.ndim == 2 else np.full(1, diagonal.mean())
    return replace(start, covariances=start.covariances + added)
