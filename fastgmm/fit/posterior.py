"""The posterior density as what EM makes rise: a prior, and parameters that stay as they are.

A conjugate prior is worth rows: it adds to the counts and to the scatter about the new means, of which the family's own
M-step then makes covariances. Rows of weight w count w times, so the weights' unit matters here.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.fit.degenerate import Degenerate
from fastgmm.fit.fixed import Fixed
from fastgmm.fit.maximize import SMALLEST_SHARE, constrained_by_feature, counts_of, keeping_unseen
from fastgmm.fit.prior import LogPrior, numbers_of_a_row
from fastgmm.fit.update import GaussianUpdate, Likelihood, NoModelError
from fastgmm.moments import SECOND_MOMENTS, Moments
from fastgmm.parameters import BoolArray, FloatArray, Model, Parameters

# The default prior is the only one that need not be positive definite.
_SINGULAR_SCALE = (
    " The scale of prior='default' is the covariance of all rows, which is singular as well: drop columns that are "
    "constant or follow from others, or give a Prior with a covariance of your own."
)


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a fit is held by, beside the rows."""

    prior: LogPrior
    fixed: Fixed

    @property
    def prior_of_free_weights(self) -> LogPrior:
        """What is believed of fixed weights is a constant, which is left out: of one that is 0 it would be −∞."""
        if not self.fixed.weights.any():
            return self.prior
        return replace(self.prior, excess=np.where(self.fixed.weights, 0.0, self.prior.excess))

    @property
    def advice(self) -> str:
        """What to do where a covariance is singular though it has a prior; empty where it has none."""
        is_singular = self.prior.scatter is not None and not self.prior.holds_covariances
        return _SINGULAR_SCALE if is_singular else ""

    @property
    def kept_variances(self) -> BoolArray:
        """Of which components and features (K, d) the variances in matrices stay above 0, whatever the rows are."""
        kept = np.repeat(self.fixed.covariances[:, np.newaxis], self.prior.means.shape[1], axis=1)
        if self.prior.scatter is not None:
            kept |= np.diagonal(self.prior.scatter, axis1=-2, axis2=-1) > 0
        return kept

    def of_the_rows(self, found: Degenerate) -> Degenerate:
        """Degenerate components less those whose covariance is held by something else than a few rows."""
        if self.prior.holds_covariances:
            return Degenerate()
        held = self.fixed.covariances
        components, collapsed = (tuple(k for k in each if not held[k]) for each in found[:2])
        return Degenerate(components, collapsed, tuple(pair for pair in found.unseeing if not held[pair[0]]))

    def regularization_of_start(
        self, family: CovarianceFamily, regularization: FloatArray, total_weight: float
    ) -> FloatArray:
        """For a start, which knows no prior: with what that adds to the variances (d,) of an average component."""
        scatter, shape = self.prior.scatter, self.prior.means.shape
        if scatter is None:
            return regularization
        diagonals = np.diagonal(scatter, axis1=-2, axis2=-1) if family.has_matrices else scatter.reshape(shape[0], -1)
        counted = numbers_of_a_row(family, *shape) * total_weight / shape[0]
        variances = diagonals.reshape(-1, diagonals.shape[-1]).mean(axis=0) / (counted + self.prior.exponent)
        result: FloatArray = regularization + variances
        return result


@dataclass(frozen=True, eq=False)
class Posterior:
    """The mode of the posterior density, with ``regularization`` (n_features,) added to covariances that are free.

    ``values`` are the parameters of which some are fixed. An :class:`fastgmm.fit.update.Update`.
    """

    family: CovarianceFamily
    regularization: FloatArray
    dtype: np.dtype[Any]
    constraints: Constraints
    values: Parameters

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        """Also of an extrapolation, which may have moved what is fixed."""
        parameters = self.constraints.fixed.held(parameters, self.values)
        try:
            return self.family.model_of(parameters, self.dtype)
        except NotPositiveDefiniteError as error:
            raise NoModelError(error.component, parameters, counts) from error

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        before = model.parameters.covariances
        return maximize_held(self.family, moments, self.regularization, self.constraints, self.values, before)

    def weights(self, moments: Moments) -> FloatArray:
        counts = counts_of(moments) + self.constraints.prior.excess
        return self.constraints.fixed.held_weights(counts / counts.sum(), self.values.weights)

    def objective(self, moments: Moments, model: Model) -> float:
        matrices = model.parameters, model.precisions_cholesky
        log_prior = log_density(self.constraints.prior_of_free_weights, self.family, *matrices)
        return (moments.log_likelihood + log_prior) / moments.total_weight


def update_of(
    family: CovarianceFamily,
    regularization: FloatArray,
    dtype: np.dtype[Any],
    constraints: Constraints | None,
    values: Parameters,
) -> GaussianUpdate:
    """Of the likelihood; of the posterior density where there is a prior, or something stays as it is in ``values``."""
    if constraints is None:
        return Likelihood(family, regularization, dtype)
    return Posterior(family, regularization, dtype, constraints, values)


def maximize_held(
    family: CovarianceFamily,
    moments: Moments,
    regularization: FloatArray,
    constraints: Constraints,
    values: Parameters,
    before: FloatArray,
) -> Parameters:
    """The M-step, with δ = (s + κ(m − μ))/(N + κ), or 0 where μ is fixed, and the prior's exponent e and scatter Λ:

    Σ' = (S − sδᵀ − δsᵀ + Nδδᵀ + κ(μ' − m)(μ' − m)ᵀ + Λ) / (N + e),    π' ∝ N + α − 1

    Of a feature that a component never sees it keeps the variance ``before``, unless variances have a prior.
    """
    prior, fixed = constraints.prior, constraints.fixed
    fewest = SMALLEST_SHARE * moments.total_weight
    counts = np.maximum(moments.counts, fewest)
    of_features, pull, change = moments.counts_of_features, prior.mean_precision, SECOND_MOMENTS[family.kernel].change
    own = counts if of_features is None else np.maximum(of_features, fewest)
    shifts = (moments.first + pull * (prior.means - moments.about)) / (own.reshape(len(own), -1) + pull)
    shifts[fixed.means] = 0.0
    means = moments.about + shifts
    if family.improve is not None:  # such a family takes no prior
        improved = family.regularize(family.improve(moments, counts, shifts, before), regularization)
        return fixed.held(Parameters(family.name, counts / counts.sum(), means, improved), values)
    second = moments.second - change(own, moments.first, shifts)
    if pull > 0:
        away = means - prior.means
        second += change(np.full(len(counts), pull), pull * away, away)
    if prior.scatter is not None:
        second += prior.scatter
    # Of spherical components every feature of a row counts.
    added = prior.exponent / (means.shape[1] if family.kernel == "spherical" else 1)
    enlarged = replace(
        moments,
        first=np.zeros_like(shifts),
        second=second,
        total_weight=moments.total_weight + added,
        extra=moments.extra if of_features is None else own + added,
    )
    covariances = family.maximize(enlarged, counts + added, np.zeros_like(shifts))
    covariances = family.regularize(covariances, regularization)
    if prior.scatter is None and of_features is not None:
        covariances = keeping_unseen(own <= fewest, covariances, before)
    if of_features is None:
        covariances = family.constrained(covariances, counts + added, before)
    else:
        covariances = constrained_by_feature(family, covariances, counts + added, own + added, before)
    weights = counts + prior.excess
    free = Parameters(family.name, weights / weights.sum(), means, covariances)
    return fixed.held(free, values)


def log_density(prior: LogPrior, family: CovarianceFamily, parameters: Parameters, roots: FloatArray) -> float:
    """The logarithm of the prior density but for a constant, P of :class:`LogPrior`, from ``precisions_cholesky``."""
    has_excess = prior.excess > 0
    with np.errstate(divide="ignore"):  # a weight of 0
        result = float(prior.excess[has_excess] @ np.log(parameters.weights[has_excess]))
    if prior.exponent:
        inverse_deviations = np.diagonal(roots, axis1=-2, axis2=-1) if family.has_matrices else roots
        result += prior.exponent * float(np.log(inverse_deviations).sum())
    if prior.scatter is not None:  # tr(RᵀΛR), the trace of a product of which one factor is needed as it is
        product = prior.scatter @ roots if family.has_matrices else prior.scatter * roots
        result -= 0.5 * float((roots * product).sum())
    if prior.mean_precision:
        away = parameters.means - prior.means
        whitened = away[:, np.newaxis, :] @ roots if family.has_matrices else away * roots.reshape(len(away), -1)
        result -= 0.5 * prior.mean_precision * float(np.square(whitened).sum())
    return result
