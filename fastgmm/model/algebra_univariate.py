"""A feature for itself: distribution functions, quantiles, and the points where the most probable component changes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.features import indices_of
from fastgmm.families.component import component_variances
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import import_whole
from fastgmm.model.algebra_common import (
    attributes_of,
    fitted_parameters,
    fitted_parameters_and_names,
)
from fastgmm.model.scoring import scorer_of
from fastgmm.parameters import FloatArray, IntArray, Parameters
from fastgmm.rows import Rows

# Each third of these halves what encloses a root, so that they suffice whatever Newton's steps do.
_MOST_STEPS = 400
# What rounding leaves of the logarithm of a sum, and so of a root that is found.
_NEAR = 8 * float(np.finfo(np.float64).eps)


def cdf(self: Any, x: "ArrayLike", feature: "int | str | None" = None) -> FloatArray:
    """The distribution function P(X ≤ x) = Σₖ wₖ Φ((x − μₖ)/σₖ) of a feature.

    Parameters
    ----------
    x : array-like
        Of any shape; −inf and inf are 0 and 1.
    feature : int or str, optional
        Its number, counted from 0, or its name; not needed where there is only one.

    Returns
    -------
    ndarray of float64, in the shape of x
        Exact to some ulp also where it is as small as 1e-300.

    Raises
    ------
    NotFittedError
    ValueError
        For NaN, and where the feature is not there, or was not said.

    See Also
    --------
    quantile : its inverse.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 1.0], "spherical")
    >>> gm.cdf([0.0, 4.0, 8.0]).round(4)
    array([0.25, 0.5 , 0.75])
    """
    weights, means, deviations = _components_of(self, feature)
    points = np.asarray(x, np.float64)
    if np.isnan(points).any():
        raise ValueError("x holds NaN, which is below no number and above none.")
    flat, ndtr = points.reshape(-1), import_whole("scipy.special").ndtr
    result = np.empty(len(flat))
    for part in pieces(len(flat), 8 * len(weights)):
        result[part] = ndtr((flat[part, np.newaxis] - means) / deviations) @ weights
    return np.minimum(result, 1.0).reshape(points.shape)


def quantile(self: Any, q: "ArrayLike", feature: "int | str | None" = None) -> FloatArray:
    """Quantiles of a feature: the x with P(X ≤ x) = q.

    A quantile of a mixture lies between the smallest and the largest of its components. There Newton's method finds the
    root of log P(X ≤ x) − log q, above the median that of log P(X > x) − log(1 − q), which are nearly straight in the
    tails; where a step leaves what encloses the root, or is the third in a row, that is halved instead.

    Parameters
    ----------
    q : array-like
        Probabilities, of any shape; 0 and 1 are −inf and inf.
    feature : int or str, optional
        Its number, counted from 0, or its name; not needed where there is only one.

    Returns
    -------
    ndarray of float64, in the shape of q

    Raises
    ------
    NotFittedError
    ValueError
        For what is no probability, and where the feature is not there, or was not said.

    See Also
    --------
    cdf : its inverse.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[1.0], [9.0]], [1.0, 1.0], "spherical")
    >>> gm.quantile([0.25, 0.5, 0.75]).round(4)
    array([1., 5., 9.])
    """
    components = _components_of(self, feature)
    probabilities = np.asarray(q, np.float64)
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("q should hold probabilities, numbers from 0 to 1.")
    flat = probabilities.reshape(-1)
    result = np.where(flat > 0.0, np.inf, -np.inf)
    inside = np.flatnonzero((flat > 0.0) & (flat < 1.0))
    for part in pieces(len(inside), 32 * len(components[0])):
        result[inside[part]] = _quantiles(flat[inside[part]], *components)
    return result.reshape(probabilities.shape)


def _quantiles(q: FloatArray, weights: FloatArray, means: FloatArray, deviations: FloatArray) -> FloatArray:
    """Of probabilities (n,) between 0 and 1."""
    special = import_whole("scipy.special")
    side = np.where(q <= 0.5, 1.0, -1.0)  # which tail: that of −x is where probabilities are above a half
    target = np.log(np.where(q <= 0.5, q, 1.0 - q))
    of_components = means + deviations * special.ndtri(q)[:, np.newaxis]
    low, high = of_components.min(axis=1), of_components.max(axis=1)
    x, sought = 0.5 * low + 0.5 * high, np.arange(len(q))
    for step in range(_MOST_STEPS):
        here, tail = x[sought], target[sought]
        z = (here[:, np.newaxis] - means) / deviations
        log_tail = _log_sum(special.log_ndtr(side[sought, np.newaxis] * z), weights)
        log_density = _log_sum(-0.5 * z**2, weights / deviations) - 0.5 * np.log(2 * np.pi)
        excess = side[sought] * (log_tail - tail)  # positive right of the root
        below = low[sought] = np.where(excess <= 0, here, low[sought])
        above = high[sought] = np.where(excess >= 0, here, high[sought])
        with np.errstate(over="ignore"):
            proposed = here - excess * np.exp(log_tail - log_density)
        is_wild = ~((proposed >= below) & (proposed <= above))
        is_found = (np.abs(excess) <= _NEAR * np.maximum(1.0, np.abs(tail))) | (above - below <= _NEAR * np.abs(here))
        is_halved = is_wild | ((step % 3 == 2) & ~is_found)
        x[sought] = np.where(is_halved, 0.5 * below + 0.5 * above, proposed)
        sought = sought[~is_found]
        if not len(sought):
            break
    return np.asarray(x, np.float64)


def _log_sum(logarithms: FloatArray, weights: FloatArray) -> FloatArray:
    """log Σ wₖ exp(aₖ) of every row (n, K)."""
    largest = logarithms.max(axis=1)
    result: FloatArray = largest + np.log(np.exp(logarithms - largest[:, np.newaxis]) @ weights)
    return result


def decision_points(self: Any) -> tuple[FloatArray, IntArray]:
    """Where the most probable component changes, of a mixture of one feature.

    Between two components that is at the roots of a quadratic equation,
    log(wᵢ/σᵢ) − (x − μᵢ)²/2σᵢ² = log(wⱼ/σⱼ) − (x − μⱼ)²/2σⱼ² [1]_; of these roots those count at which no third
    component is more probable than both.

    Returns
    -------
    points : ndarray of shape (n_points,)
        In ascending order.
    components : ndarray of int64, shape (n_points + 1,)
        The most probable one left of all points, between two of them in a row, and right of all.

    Raises
    ------
    NotFittedError
    ValueError
        Where there are more features than one: ``marginal`` makes a mixture of one of them.

    References
    ----------
    .. [1] R. O. Duda, P. E. Hart and D. G. Stork, "Pattern Classification", 2nd edition (2001), section 2.6.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[8.0], [0.0]], [1.0, 1.0], "spherical")
    >>> gm.decision_points()
    (array([4.]), array([1, 0]))
    """
    attributes = attributes_of(self)
    parameters = fitted_parameters(attributes)
    if parameters.n_features != 1:
        raise ValueError(
            f"decision_points is of mixtures of one feature; this one has {parameters.n_features}. "
            "marginal(feature) makes a mixture of one of them."
        )
    roots = np.unique(_roots_of_pairs(parameters))
    ends = np.array([parameters.means.min() - 1.0]), np.array([parameters.means.max() + 1.0])
    if len(roots):
        # Beyond the last root nothing changes, however far that is.
        beyond = 1.0 + np.abs(roots[[0, -1]])
        ends = roots[:1] - beyond[0], roots[-1:] + beyond[1]
    between = np.concatenate([ends[0], 0.5 * roots[:-1] + 0.5 * roots[1:], ends[1]])
    rows = Rows(between[: len(roots) + 1, np.newaxis])
    labels = scorer_of(attributes).evaluate(rows, self.n_threads, "labels")
    changes = np.flatnonzero(labels[1:] != labels[:-1])
    return roots[changes], np.concatenate([labels[:1], labels[changes + 1]])


def _roots_of_pairs(parameters: Parameters) -> FloatArray:
    """Where two components are equally probable, for all pairs that have any weight.

    In t = x − μᵢ, with δ = μⱼ − μᵢ, at² − 2bt + c = 0 for a = 1/σⱼ² − 1/σᵢ², b = δ/σⱼ², c = δ²/σⱼ² + 2 log(wᵢσⱼ/wⱼσᵢ).
    """
    is_there = parameters.weights > 0
    means, weights = parameters.means[is_there, 0], parameters.weights[is_there]
    deviations = np.sqrt(component_variances(parameters)[is_there, 0])
    roots = [np.empty(0)]
    for i in range(len(means) - 1):
        others = slice(i + 1, None)
        # All in units of σᵢ, lest squares leave the range of numbers.
        delta, scale = (means[others] - means[i]) / deviations[i], deviations[others] / deviations[i]
        a, b = (1.0 - scale) * (1.0 + scale), delta
        c = delta**2 + 2.0 * scale**2 * (np.log(weights[i] / weights[others]) + np.log(scale))
        discriminant = b**2 - a * c
        with np.errstate(invalid="ignore", divide="ignore"):  # no root, or one alone
            q = b + np.where(b >= 0, 1.0, -1.0) * np.sqrt(discriminant)
            found = np.concatenate([q / a, c / q])
        roots.append(means[i] + deviations[i] * found[np.isfinite(found)])
    return np.concatenate(roots)


def _components_of(estimator: Any, feature: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights, means and standard deviations of a feature, of the components that have any weight."""
    parameters, names = fitted_parameters_and_names(estimator)
    if feature is None and parameters.n_features > 1:
        raise ValueError(f"Say which of the {parameters.n_features} features is meant: feature=0, or its name.")
    (index,) = indices_of(0 if feature is None else feature, parameters.n_features, names, "feature")[:1]
    is_there = parameters.weights > 0
    deviations = np.sqrt(component_variances(parameters)[is_there, index])
    return parameters.weights[is_there], parameters.means[is_there, index], deviations
