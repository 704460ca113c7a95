"""SQUAREM: squared extrapolation along the path of EM, which is slow and straight where components overlap.

Of three iterates in a row, θ₀, θ₁ = EM(θ₀), θ₂ = EM(θ₁), with r = θ₁ − θ₀ and v = (θ₂ − θ₁) − r:

    θ' = θ₀ − 2αr + α²v,    α = −‖r‖/‖v‖

the third step length of R. Varadhan and C. Roland, "Simple and globally convergent methods for accelerating the
convergence of any EM algorithm", Scandinavian Journal of Statistics 35 (2008). α = −1 is θ₂. The next sweep tries θ':
its log-likelihood must reach that of θ₁, the last that is known (that of θ₂ would take a sweep of its own), and
otherwise EM goes on from θ₂. So no jump makes the accepted log-likelihood fall, and a bad one costs one sweep. (EM's
own steps may lower it a little where the regularization is felt, accelerated or not: that is no part of the
likelihood.) Of several maxima a jump may still lead to another one than EM finds, better or worse.

Coordinates are those in which anything is a mixture: the logarithms of weights, means, and the coordinates that a
covariance family has of its own, all as displacements from θ₁. Lengths are those of the Fisher information of rows
whose components are known,

    ‖θ − θ₁‖² = Σₖ wₖ ((log wₖ)² + ‖Lₖ⁻¹μₖ‖² + ‖coordinates of Σₖ‖²)    (each as a displacement)

the metric in which EM's linear part is symmetric, so that −α lies between the extremes of 1/(1 − λ) over its rates λ.
No unit of a feature enters, and a component without points counts for nothing.
"""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.fit.em import Iterate, first_iterate, iterate_after
from fastgmm.fit.update import GaussianUpdate, NoModelError
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters

# Weights below the M-step's floor are at the floor: a weight of 0 has no logarithm.
_SMALLEST_WEIGHT = 10 * float(np.finfo(np.float64).eps)
# The limit of −α to begin with, and the factor by which it grows with success and shrinks with failure, as in the
# authors' package SQUAREM (`mstep`). With these, 40 fits at tol 1e-5 took 1430 sweeps instead of EM's 3500; with
# half or twice of one of them they took 1470 to 1500.
_LONGEST_STEP = 4.0
_GROWTH = 4.0
# We extrapolate only where two steps of EM point nearly the same way, since a path that turns may be left for another
# maximum; for the same reason a jump ends no farther than this from θ₂, in the metric above, whose unit is a deviation.
# In 320 fits at tol 1e-5 these two guards and the two small steps that `Stopping` asks for took the number of ends that
# are worse than EM's from 24 to 10. A cosine of 0.8 or 0.95, and half or twice the jump, changed the number of sweeps
# by up to 3 % at tol 1e-5, and the cosine by 9 % at 1e-7, where 0.8 took fewer.
_SMALLEST_COSINE = 0.9
_LONGEST_JUMP = 0.5


@dataclass(frozen=True, eq=False)
class Displacement:
    """Parameters in unconstrained coordinates about a reference, which is 0."""

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray


@dataclass(frozen=True, eq=False)
class Jump:
    """An extrapolated model, and the step length −α > 1 it was found with."""

    model: Model
    step: float


@dataclass(frozen=True, eq=False)
class Trail:
    """What is remembered from sweep to sweep.

    Attributes
    ----------
    iterates : tuple of Parameters
        Up to three iterates of EM in a row.
    longest_step : float
        The limit of −α, which grows when it was reached with success, and shrinks with failure.
    has_jumped : bool
        Whether an extrapolation was accepted.
    """

    iterates: tuple[Parameters, ...]
    longest_step: float = _LONGEST_STEP
    has_jumped: bool = False

    def after(self, parameters: Parameters, jump: Jump | None, accepted: bool) -> "Trail":
        """With the parameters that a sweep led to; after a jump that is a new beginning."""
        if jump is None:
            return replace(self, iterates=(*self.iterates, parameters)[-3:])
        if not accepted:
            return Trail((parameters,), max(_LONGEST_STEP, self.longest_step / _GROWTH), self.has_jumped)
        longest = self.longest_step * (_GROWTH if jump.step == self.longest_step else 1.0)
        return Trail((parameters,), longest, has_jumped=True)


@dataclass(frozen=True, eq=False)
class Memory:
    """What is remembered beside an iterate: the trail, and the step length where it asks for a jump."""

    trail: Trail
    step: float | None


def accelerated(
    update: GaussianUpdate, start: Parameters | Iterate, lower_bound: float = -np.inf
) -> Generator[Iterate, Moments, None]:
    """The iterates of ``em``, some of which ask for the moments of extrapolated parameters instead of their own.

    An extrapolation that leads to a degenerate component counts as one that falls short.
    """
    iterate = first_iterate(update, start, lower_bound)
    memory = iterate.memory or Memory(Trail((iterate.model.parameters,)), None)
    trail, jump = memory.trail, None if memory.step is None else Jump(iterate.asked, memory.step)
    while True:
        moments = yield iterate
        if jump is None:
            iterate = iterate_after(update, iterate, moments)
        else:
            iterate = _iterate_after_jump(update, iterate, moments)
        trail = trail.after(iterate.model.parameters, jump, iterate.accepted)
        jump = extrapolate(update, trail)
        asked = iterate.model if jump is None else jump.model
        memory = Memory(trail, None if jump is None else jump.step)
        iterate = replace(iterate, asked=asked, has_jumped=trail.has_jumped, memory=memory)


def _iterate_after_jump(update: GaussianUpdate, before: Iterate, moments: Moments) -> Iterate:
    """The iterate that moments of an extrapolation lead to, or the one before it where it fell short of its bound."""
    change = -np.inf
    with suppress(NoModelError):
        reached = iterate_after(update, before, moments)
        if reached.change >= 0.0:
            return replace(reached, is_jump=True)
        change = reached.change
    return replace(before, change=change, accepted=False, is_jump=True)


def extrapolate(update: GaussianUpdate, trail: Trail) -> Jump | None:
    """Where the path of EM seems to lead.

    Where a covariance came out smaller than what every M-step adds, that of θ₂ is kept.

    Returns
    -------
    Jump or None
        None where there are not yet three iterates, where they do not lie nearly on a straight line, and where the
        result is not finite or cannot be factored.
    """
    if len(trail.iterates) < 3:
        return None
    family, (before, reference, after) = update.family, trail.iterates
    with np.errstate(all="ignore"):  # what is not finite is recognized below
        try:
            first, second = displacement(family, before, reference), displacement(family, after, reference)
            step = _step_length(family, first, second, reference, trail.longest_step)
            if step is None:
                return None
            # θ' − θ₂ in coordinates where θ₁ is 0, so that r = −θ₀ and v = θ₀ + θ₂.
            leap = combine((step - 1) ** 2, first, step**2 - 1, second)
            reach = length(family, leap, reference)
            share = 1.0 if reach <= _LONGEST_JUMP else _LONGEST_JUMP / reach
            target = displaced(family, combine(share, leap, 1.0, second), reference)
            target = _not_below(family, target, after, update.regularization)
            return Jump(update.prepare(target), step)
        except (NoModelError, NotPositiveDefiniteError, np.linalg.LinAlgError):
            return None


def displacement(family: CovarianceFamily, parameters: Parameters, reference: Parameters) -> Displacement:
    """The coordinates of ``parameters`` about ``reference``; raises ``LinAlgError`` where there are none."""
    d = reference.n_features
    return Displacement(
        _log_weights(parameters) - _log_weights(reference),
        parameters.means - reference.means,
        family.coordinates.of(parameters.covariances, reference.covariances, d),
    )


def displaced(family: CovarianceFamily, step: Displacement, reference: Parameters) -> Parameters:
    """The parameters at given coordinates about ``reference``: the inverse of ``displacement``."""
    logarithms = _log_weights(reference) + step.log_weights
    weights = np.exp(logarithms - logarithms.max())
    covariances = family.coordinates.covariances(step.covariances, reference.covariances, reference.n_features)
    return Parameters(family.name, weights / weights.sum(), reference.means + step.means, covariances)


def combine(a: float, one: Displacement, b: float, other: Displacement) -> Displacement:
    """a·one + b·other."""
    return Displacement(
        a * one.log_weights + b * other.log_weights,
        a * one.means + b * other.means,
        a * one.covariances + b * other.covariances,
    )


def length(family: CovarianceFamily, step: Displacement, reference: Parameters) -> float:
    """The length by the Fisher information at ``reference`` of rows whose components are known."""
    whitened = family.coordinates.whiten(step.means, reference.covariances)
    by_component = step.log_weights**2 + (whitened**2).sum(axis=1)
    if family.is_shared:
        of_covariances = float((step.covariances**2).sum())
    else:
        squares = (step.covariances**2).reshape(len(step.covariances), -1).sum(axis=1)
        of_covariances = float(reference.weights @ squares)
    return float(np.sqrt(reference.weights @ by_component + of_covariances))


def _log_weights(parameters: Parameters) -> FloatArray:
    logarithms: FloatArray = np.log(np.maximum(parameters.weights, _SMALLEST_WEIGHT))
    return logarithms


def _step_length(
    family: CovarianceFamily, first: Displacement, second: Displacement, reference: Parameters, longest: float
) -> float | None:
    """−α = ‖r‖/‖v‖ up to ``longest``, or None where there is nothing to extrapolate."""
    r, q = length(family, first, reference), length(family, second, reference)  # q = θ₂ − θ₁ = r + v
    v = length(family, combine(1.0, first, 1.0, second), reference)
    cosine_is_large = r**2 + q**2 - v**2 >= 2 * _SMALLEST_COSINE * r * q
    if not (cosine_is_large and r > v > 0.0):
        return None
    return min(r / v, longest)


def _not_below(
    family: CovarianceFamily, target: Parameters, after: Parameters, regularization: FloatArray
) -> Parameters:
    """``target`` where it is at least the regularization, else the covariances of ``after``; all must be finite.

    Components that share something of their covariances keep them together.
    """
    arrays = (target.weights, target.means, target.covariances)
    if not all(np.isfinite(array).all() for array in arrays):
        raise NotPositiveDefiniteError(-1)
    if family.is_floor:
        return replace(target, covariances=family.regularize(target.covariances, regularization))
    if not (regularization > 0).all():
        return target
    below = family.have_smaller_variances(target.covariances, None, np.sqrt(regularization), 1.0)
    if family.ties_components:
        below[:] = below.any()
    below = below.reshape(below.shape + (1,) * (target.covariances.ndim - 1))
    below = np.broadcast_to(below, (len(target.covariances), *below.shape[1:]))
    covariances = np.where(below, after.covariances, target.covariances)
    return Parameters(family.name, target.weights, target.means, covariances)
