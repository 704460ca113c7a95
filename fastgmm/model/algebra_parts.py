"""Some of the features: their marginal distribution, and that of the others where they are known.

For a component with L the Cholesky factor of Σ in which the given features a come before the others b,

    Σ = LLᵀ,  L = [L_aa 0; L_ba L_bb],   B = L_ba L_aa⁻¹,
    E[x_b | x_a] = μ_b + B(x_a − μ_a),   Cov[x_b | x_a] = Σ_bb − Σ_ba Σ_aa⁻¹ Σ_ab = L_bb L_bbᵀ

No covariance is inverted or subtracted, so that none comes out with a negative eigenvalue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.features import indices_of
from fastgmm.families import FAMILIES
from fastgmm.families.component import component_matrices, in_matrices
from fastgmm.machine.waiting import attended
from fastgmm.model.algebra_common import (
    Estimator,
    as_fitted,
    attributes_of,
    estimator_of,
    fitted_names,
    fitted_parameters_and_names,
    given_values,
    lower_factors,
)
from fastgmm.model.attributes import work_on
from fastgmm.parameters import FloatArray, Parameters

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Conditional:
    """Distributions of the features b of every component, given the values of the features a.

    Attributes
    ----------
    given, targets : ndarray of shape (a,), (b,)
        Numbers of the features.
    marginal : Parameters
        Of the features that are given.
    centers : ndarray of shape (K, b)
    coefficients : ndarray of shape (K, b, a), or None
        B, or None where no component has correlations.
    covariances : ndarray
        Of the features b, in the shape of the family.
    """

    given: Indices
    targets: Indices
    marginal: Parameters
    centers: FloatArray
    coefficients: FloatArray | None
    covariances: FloatArray

    def matrices(self) -> FloatArray:
        """The conditional covariances (K, b, b)."""
        return component_matrices(
            Parameters(self.marginal.covariance_type, self.marginal.weights, self.centers, self.covariances)
        )


def marginal_parameters(parameters: Parameters, features: Indices) -> Parameters:
    """Of some of the features: sub-vectors and sub-blocks, which need not share what the whole ones do."""
    family, covariances = FAMILIES[parameters.covariance_type], parameters.covariances
    if family.rank is not None:
        return _marginal_of_loadings(parameters, features, family.rank)
    if family.has_matrices:
        covariances = covariances[..., features[:, np.newaxis], features]
    elif covariances.ndim == 2:  # a variance of each feature; where one stands for all it stays
        covariances = covariances[:, features]
    return Parameters(family.kernel, parameters.weights, parameters.means[:, features], covariances)


def _marginal_of_loadings(parameters: Parameters, features: Indices, rank: int) -> Parameters:
    """Rows of loadings; with as many factors as features, a matrix has fewer numbers."""
    covariances = np.ascontiguousarray(parameters.covariances[:, features])
    own = replace(parameters, means=parameters.means[:, features], covariances=covariances)
    return own if rank <= max(1, len(features) - 1) else in_matrices(own)


def conditional_of(parameters: Parameters, given: Indices) -> Conditional:
    """What is known of the other features once the values of some are."""
    targets = np.setdiff1d(np.arange(parameters.n_features), given)
    marginal, others = marginal_parameters(parameters, given), marginal_parameters(parameters, targets)
    if not FAMILIES[parameters.covariance_type].has_matrices:
        return Conditional(given, targets, marginal, others.means, None, others.covariances)
    order, n_given = np.concatenate([given, targets]), len(given)
    factors = lower_factors(marginal_parameters(parameters, order).covariances)
    corners, below = factors[..., :n_given, :n_given], factors[..., n_given:, :n_given]
    coefficients = np.swapaxes(np.linalg.solve(np.swapaxes(corners, -1, -2), np.swapaxes(below, -1, -2)), -1, -2)
    last = factors[..., n_given:, n_given:]
    every = np.broadcast_to(coefficients, (parameters.n_components, *coefficients.shape[-2:]))
    return Conditional(given, targets, marginal, others.means, every, last @ np.swapaxes(last, -1, -2))


def marginal(self: Estimator, features: "ArrayLike") -> Estimator:
    """The mixture of some of the features: what is known of them where nothing is of the others.

    A Gaussian's marginal is that of sub-vectors and sub-blocks, N(x_a | μ_a, Σ_aa) [1]_, and a mixture's has the same
    weights.

    Parameters
    ----------
    features : int, str, or array-like of shape (n_kept,)
        Numbers of features, counted from 0, or their names, in the order in which they will be.

    Returns
    -------
    GaussianMixture
        Of the same family, with components in the same order, and the names of the features. Of factor analyzers with
        as many factors as features it is one of matrices.

    Raises
    ------
    NotFittedError
    ValueError
        For features that are not there, or there twice.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), section 2.3.2.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 1.0], [8.0, 9.0]], [[1.0, 4.0], [1.0, 4.0]], "diag")
    >>> last = gm.marginal(1)
    >>> last.means_.ravel(), last.covariances_.ravel()
    (array([1., 9.]), array([4., 4.]))
    """
    attributes = attributes_of(self)
    parameters, names = as_fitted(attributes), fitted_names(attributes)
    indices = indices_of(features, parameters.n_features, names)
    return estimator_of(self, marginal_parameters(parameters, indices), None if names is None else names[indices])


def condition(self: Estimator, given: "Mapping[Any, float] | ArrayLike") -> Estimator:
    """The mixture of the other features, where the values of some are known.

    With a the features that are given, and b the others, it has [1]_

        wₖ' ∝ wₖ N(x_a | μ_a, Σ_aa),   μₖ' = μ_b + Σ_ba Σ_aa⁻¹ (x_a − μ_a),   Σₖ' = Σ_bb − Σ_ba Σ_aa⁻¹ Σ_ab

    Weights are those of logarithms: values a thousand standard deviations from all components are answered like any
    others.

    Parameters
    ----------
    given : dict of float by feature, or array-like of shape (n_features,)
        Features are named by their numbers, counted from 0, or their names. Of an array NaN is what is not given.

    Returns
    -------
    GaussianMixture
        Of the features that were not given, in their order; of the same family, since conditional covariances do not
        depend on the values, so that tied ones stay tied. Components keep their numbers; the weight of one that is
        out of the question may be 0.

    Raises
    ------
    NotFittedError
    ValueError
        For features that are not there, values that are not finite, or where nothing or everything is given.

    See Also
    --------
    regress : conditional means of many rows.
    sample_conditional : draws of many rows.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), section 2.3.1.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    >>> rest = gm.condition({0: 2.0})
    >>> rest.means_.round(2), rest.covariances_.round(2)
    (array([[1.6]]), array([[[0.36]]]))
    """
    parameters, names = fitted_parameters_and_names(self)
    indices, values = given_values(given, parameters.n_features, names)
    known = attended(lambda: conditional_of(parameters, indices), work_on(parameters.covariances))
    among: Any = estimator_of(self, known.marginal, None)
    weights = among.predict_proba(values[np.newaxis])[0]
    means = known.centers
    if known.coefficients is not None:
        with np.errstate(over="ignore", invalid="ignore"):  # what is beyond the range of numbers is refused
            means = means + np.einsum("kba,ka->kb", known.coefficients, values - known.marginal.means)
    kernel = FAMILIES[parameters.covariance_type].kernel
    result = Parameters(kernel, weights / weights.sum(), means, known.covariances)
    return estimator_of(self, result, None if names is None else names[known.targets])
