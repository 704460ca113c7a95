"""A mixture under an affine map, and the product of two."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.families import FAMILIES
from fastgmm.families.component import component_matrices, component_matrix, component_variances
from fastgmm.families.factors import ROUNDING
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model.algebra_common import (
    Estimator,
    estimator_of,
    fitted_parameters_and_names,
    lower_factors,
    require_mixture,
)
from fastgmm.model.algebra_distances import log_determinants_of
from fastgmm.model.attributes import work_on
from fastgmm.parameters import FloatArray, Parameters


def transformed(self: Estimator, A: "ArrayLike", b: "ArrayLike | None" = None) -> Estimator:
    """The mixture of Ax + b, where this is that of x.

    Components have means Aμ + b and covariances AΣAᵀ [1]_. What was fitted to scaled rows comes back in the units of
    the features by ``transformed(scaler.scale_, scaler.mean_)``; with fewer rows than columns, A projects.

    Parameters
    ----------
    A : float, array-like of shape (n_features,), or array-like of shape (n_new, n_features)
        A factor of all features, one of each, or a matrix.
    b : array-like of shape (n_new,), optional
        0 by default.

    Returns
    -------
    GaussianMixture
        Full and tied stay what they are. Spherical stays where AAᵀ is a multiple of the identity, as of rotations and
        projections onto features; spherical and diag become diag where no two new features share a source of
        variance (rows of A that are orthogonal, or that have no feature in common), and full otherwise. The features
        keep their names where A is a factor, or one of each.

    Raises
    ------
    NotFittedError
    ValueError
        For shapes that do not match, and where rows of A depend on one another, so that there is no density.

    References
    ----------
    .. [1] K. V. Mardia, J. T. Kent and J. M. Bibby, "Multivariate Analysis" (1979), theorem 3.2.1.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[1.0, 2.0]], [[1.0, 4.0]], "diag")
    >>> gm.transformed([10.0, 1.0], [0.0, 5.0]).means_
    array([[10.,  7.]])
    >>> total = gm.transformed([[1.0, 1.0]])  # of x₀ + x₁
    >>> total.means_, total.covariances_
    (array([[3.]]), array([[5.]]))
    """
    parameters, names = fitted_parameters_and_names(self)
    matrix, are_factors = _matrix_of(A, parameters.n_features)
    shift = np.zeros(len(matrix)) if b is None else np.asarray(b, np.float64)
    if shift.shape not in ((), (len(matrix),)) or not np.isfinite(shift).all():
        raise ValueError(
            f"b should be {len(matrix)} finite numbers, one for each new feature; got shape {shift.shape}."
        )
    _require_independent(matrix, parameters)
    name, covariances = attended(lambda: _covariances_under(matrix, parameters), work_on(parameters.covariances))
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond the range of numbers is refused
        means = parameters.means @ matrix.T + shift
    result = Parameters(name, parameters.weights, means, covariances)
    return estimator_of(self, result, names if are_factors else None)


def _matrix_of(A: Any, n_features: int) -> tuple[FloatArray, bool]:
    """A as a matrix (m, d), and whether it is a factor for each feature."""
    given = np.asarray(A, np.float64)
    if not np.isfinite(given).all():
        raise ValueError("A should be finite.")
    if given.ndim < 2 and given.shape in ((), (n_features,)):
        return np.diag(np.broadcast_to(given, n_features)), True
    if given.ndim != 2 or given.shape[1] != n_features or not len(given):
        raise ValueError(
            f"A should be a factor, {n_features} factors, or a matrix with {n_features} columns; got shape "
            f"{given.shape}."
        )
    return given, False


def _require_independent(matrix: FloatArray, parameters: Parameters) -> None:
    """Refuse rows of A that depend on one another, seen in deviations of a component: units do not matter."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond the range of numbers is refused later
        rows = matrix @ lower_factors(component_matrix(parameters, 0))
        lengths = np.abs(rows).max(axis=1)  # whose squares may be beyond the range of numbers
        directions = rows / np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]
    if np.isfinite(directions).all() and np.linalg.matrix_rank(directions) < len(matrix):
        raise ValueError(
            f"The {len(matrix)} rows of A depend on one another, so that the result lies in a plane and has no density."
        )


@np.errstate(over="ignore", invalid="ignore")
def _covariances_under(matrix: FloatArray, parameters: Parameters) -> tuple[str, FloatArray]:
    """The smallest family that holds AΣAᵀ, which A and the family decide, and the covariances in its shape."""
    family = FAMILIES[parameters.covariance_type]
    if family.has_matrices:
        # By a factor, LᵀAᵀ, whose square is symmetric and has no negative eigenvalue.
        roots = matrix @ lower_factors(parameters.covariances)
        return family.kernel, roots @ np.swapaxes(roots, -1, -2)
    squares = matrix @ matrix.T
    lengths = np.diagonal(squares)
    is_one_variance = parameters.covariances.ndim == 1
    supports = (matrix != 0).astype(np.float64)
    limit = ROUNDING * matrix.shape[1] * np.sqrt(np.outer(lengths, lengths))
    others = (np.abs(squares) > limit) if is_one_variance else (supports @ supports.T > 0)
    if others[~np.eye(len(matrix), dtype=bool)].any():
        roots = matrix * np.sqrt(component_variances(parameters))[:, np.newaxis, :]
        return "full", roots @ np.swapaxes(roots, 1, 2)
    if is_one_variance and np.ptp(lengths) <= ROUNDING * matrix.shape[1] * lengths.max():
        return family.kernel, parameters.covariances * lengths.mean()
    return "diag", component_variances(parameters) @ np.square(matrix).T


def product(self: Estimator, other: object) -> tuple[Estimator, float]:
    """The normalized product of the densities of two mixtures, p(x) q(x)/Z, and log Z.

    Of Gaussians, N(x | a, A) N(x | b, B) = N(a | b, A + B) N(x | c, C) with C = (A⁻¹ + B⁻¹)⁻¹ and
    c = C(A⁻¹a + B⁻¹b) [1]_; a mixture of I components and one of J have a product of I·J, with weights in proportion to
    wᵢvⱼ N(aᵢ | bⱼ, Aᵢ + Bⱼ). It is what two independent observers know of x together, to whom all x were alike before.

    Parameters
    ----------
    other : GaussianMixture
        Of the same features.

    Returns
    -------
    mixture : GaussianMixture
        Component i·J + j is of i and j; the weight of one that is out of the question may be 0. Two of one family
        stay in it, spherical and diag are diag, and others full.
    log_integral : float
        log Z = log ∫ p(x) q(x) dx.

    Raises
    ------
    NotFittedError
    ValueError
        Where the other mixture has other features.

    See Also
    --------
    reduced : fewer components.

    References
    ----------
    .. [1] K. B. Petersen and M. S. Pedersen, "The Matrix Cookbook" (2012), section 8.1.8.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> one = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> other = GaussianMixture.from_parameters([1.0], [[4.0]], [1.0], "spherical")
    >>> both, log_integral = one.product(other)
    >>> both.means_, both.covariances_, round(log_integral, 4)
    (array([[2.]]), array([0.5]), -5.2655)
    """
    (p, names), (q, others) = fitted_parameters_and_names(self), fitted_parameters_and_names(require_mixture(other))
    if p.n_features != q.n_features:
        raise ValueError(f"The other mixture has {q.n_features} features, and this one {p.n_features}.")
    if names is not None and others is not None and not np.array_equal(names, others):
        raise ValueError("The other mixture has features of other names, or in another order.")
    name = _common_family(p.covariance_type, q.covariance_type)
    multiply = _product_of_matrices if FAMILIES[name].has_matrices else _product_of_variances
    work = float(p.n_components * q.n_components) * p.n_features**3
    means, covariances, log_constants = attended(lambda: multiply(p, q, name), work)
    with np.errstate(divide="ignore"):  # a weight of 0
        joint = np.log(p.weights)[:, np.newaxis] + np.log(q.weights) + log_constants
    largest = joint.max()
    if not np.isfinite(largest):
        raise ValueError("The mixtures are so far apart that the logarithm of their product is beyond all numbers.")
    weights = np.exp(joint - largest).ravel()
    total = weights.sum()
    result = Parameters(name, weights / total, means.reshape(-1, p.n_features), covariances)
    return estimator_of(self, result, others if names is None else names), float(largest + math.log(total))


def _common_family(one: str, other: str) -> str:
    if FAMILIES[one].kernel == FAMILIES[other].kernel:
        return FAMILIES[one].kernel
    return "diag" if not (FAMILIES[one].has_matrices or FAMILIES[other].has_matrices) else "full"


def _product_of_variances(p: Parameters, q: Parameters, name: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """c (I, J, d), C in the shape of the family, and log N(aᵢ | bⱼ, Aᵢ + Bⱼ) (I, J)."""
    of_p, of_q = component_variances(p)[:, np.newaxis], component_variances(q)[np.newaxis]
    total, difference = of_p + of_q, q.means - p.means[:, np.newaxis]
    means = p.means[:, np.newaxis] + of_p / total * difference
    variances = (of_p * (of_q / total)).reshape(-1, p.n_features)
    with np.errstate(over="ignore"):
        log_constants = -0.5 * (np.log(2 * np.pi * total) + difference**2 / total).sum(axis=2)
    return means, variances[:, 0] if p.covariances.ndim == q.covariances.ndim == 1 else variances, log_constants


def _product_of_matrices(p: Parameters, q: Parameters, name: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The same, with L the factor of A + B: c = a + A(A + B)⁻¹(b − a) and C = A(A + B)⁻¹B = (L⁻¹A)ᵀ(L⁻¹B).

    C is the same of all pairs where both mixtures are tied.
    """
    n_pairs = 1 if FAMILIES[name].is_shared else q.n_components
    of_p, of_q = component_matrices(p), component_matrices(q)[:n_pairs]
    means = np.empty((p.n_components, q.n_components, p.n_features))
    covariances = np.empty((p.n_components, n_pairs, p.n_features, p.n_features))
    log_constants = np.empty(means.shape[:2])
    for part in pieces(p.n_components, 4 * covariances[:1].nbytes):
        A, difference = of_p[part, np.newaxis], q.means - p.means[part, np.newaxis]
        factors = lower_factors(A + of_q)
        whitened = np.linalg.solve(factors, difference[..., np.newaxis])
        left, right = np.linalg.solve(factors, np.broadcast_to(A, factors.shape)), np.linalg.solve(factors, of_q)
        means[part] = p.means[part, np.newaxis] + (np.swapaxes(left, -1, -2) @ whitened)[..., 0]
        both = np.swapaxes(left, -1, -2) @ right
        covariances[part] = 0.5 * (both + np.swapaxes(both, -1, -2))
        with np.errstate(over="ignore"):
            squares = np.square(whitened[..., 0]).sum(axis=-1)
        constants = log_determinants_of(factors) + p.n_features * math.log(2 * math.pi)
        log_constants[part] = -0.5 * (constants + squares)
    shape = (p.n_features, p.n_features)
    return means, covariances[0, 0] if FAMILIES[name].is_shared else covariances.reshape(-1, *shape), log_constants
