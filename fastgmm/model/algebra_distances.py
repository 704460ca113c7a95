"""How far rows are from components, components from one another, and mixtures."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.families.component import component_matrices
from fastgmm.families.low_rank import whitened_rows
from fastgmm.fit.options import check_options, check_random_state
from fastgmm.kernels.contract import work_of
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model import criteria, sampling
from fastgmm.model.algebra_common import (
    as_fitted,
    attributes_of,
    fitted_parameters,
    lower_factors,
    require_mixture,
    whole_number,
)
from fastgmm.model.scoring import Scorer, require_no_noise, scorer_of
from fastgmm.parameters import FloatArray, FloatingArray, Parameters
from fastgmm.rows import Rows


def mahalanobis(self: Any, X: "ArrayLike") -> FloatingArray:
    """Squared Mahalanobis distances of every row and component, (x − μₖ)ᵀ Σₖ⁻¹ (x − μₖ) [1]_.

    Rows of a component have distances that are distributed as χ² with ``n_features`` degrees of freedom.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples, n_components), in the dtype of X
        Squared, as scikit-learn's ``EmpiricalCovariance.mahalanobis`` gives them.

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``, and for missing values: distances in more and in fewer features do not compare.

    References
    ----------
    .. [1] P. C. Mahalanobis, "On the generalised distance in statistics", Proceedings of the National Institute of
       Sciences of India 2 (1936).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 4.0], "spherical")
    >>> gm.mahalanobis([[2.0], [8.0]])
    array([[ 4.,  9.],
           [64.,  0.]])
    """
    scorer, rows = self._ready_to_score(X)
    require_complete(rows, "mahalanobis")
    return squared_distances(scorer, rows)


def squared_distances(scorer: Scorer, rows: Rows) -> FloatingArray:
    """(n, K), of differences whitened by the roots of the precisions, ‖Uᵀ(x − μ)‖², or by loadings and factors."""
    means, root = scorer.in_double.means, scorer.root
    n_components, n_features = scorer.shape
    result = np.empty((rows.shape[0], n_components), rows.values.dtype)
    for part in pieces(rows.shape[0], 16 * n_features):
        values = rows.values[part].astype(np.float64, copy=False)
        for k in range(n_components):
            own = root if scorer.family.is_shared else root[k]
            with np.errstate(over="ignore"):  # beyond the range of numbers lies infinity
                difference = values - means[k]
                if scorer.family.rank is not None:
                    whitened = whitened_rows(difference, own)
                else:
                    whitened = difference @ own if scorer.family.has_matrices else difference * own
                result[part, k] = np.einsum("ij,ij->i", whitened, whitened)
    return result


def require_complete(rows: Rows, method: str) -> None:
    """Refuse rows with missing values where what is asked of those with more and with fewer does not compare."""
    if rows.has_missing:
        raise ValueError(
            f"{method} does not take rows with missing values (NaN). Ask marginal(features) of those that are there."
        )


def component_kl(self: Any) -> FloatArray:
    """Kullback-Leibler divergences KL(i ‖ j) = ∫ Nᵢ log(Nᵢ/Nⱼ) of all pairs of components, in nats.

    KL(i ‖ j) = ½[tr(Σⱼ⁻¹Σᵢ) + (μⱼ − μᵢ)ᵀ Σⱼ⁻¹ (μⱼ − μᵢ) − d + log(det Σⱼ/det Σᵢ)] [1]_; weights do not matter.

    Returns
    -------
    ndarray of shape (n_components, n_components)
        Row i has the divergences from component i; 0 on the diagonal.

    Raises
    ------
    NotFittedError
    ValueError
        Where attributes set by hand make no mixture.

    References
    ----------
    .. [1] S. Kullback, "Information Theory and Statistics" (1959), chapter 9.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [2.0]], [1.0, 1.0], "spherical")
    >>> gm.component_kl()
    array([[0., 2.],
           [2., 0.]])
    """
    parameters = fitted_parameters(attributes_of(self))
    return attended(lambda: _kl_of_pairs(parameters), _work_of_pairs(parameters))


def _kl_of_pairs(parameters: Parameters) -> FloatArray:
    factors = lower_factors(component_matrices(parameters))
    means, log_determinants = parameters.means, log_determinants_of(factors)
    n_components, n_features = means.shape
    result = np.zeros((n_components, n_components))
    for j in range(n_components):
        inverse = np.linalg.inv(factors[j])
        for part in pieces(n_components, factors[:1].nbytes):
            relative = inverse @ factors[part]
            shifts = (means[part] - means[j]) @ inverse.T
            squares = np.einsum("iab,iab->i", relative, relative) + np.einsum("ia,ia->i", shifts, shifts)
            result[part, j] = 0.5 * (squares - n_features + log_determinants[j] - log_determinants[part])
    np.fill_diagonal(result, 0.0)
    return np.maximum(result, 0.0)  # which rounding may have made less


def component_bhattacharyya(self: Any) -> FloatArray:
    """Bhattacharyya distances −log ∫ √(NᵢNⱼ) of all pairs of components.

    With Σ = (Σᵢ + Σⱼ)/2 they are ⅛(μᵢ − μⱼ)ᵀ Σ⁻¹ (μᵢ − μⱼ) + ½ log(det Σ/√(det Σᵢ det Σⱼ)) [1]_. Whoever
    tells rows of the two apart errs with a probability of at most √(πᵢπⱼ) exp(−distance), where π are the shares of the
    two.

    Returns
    -------
    ndarray of shape (n_components, n_components)
        Symmetric, 0 on the diagonal.

    Raises
    ------
    NotFittedError
    ValueError
        Where attributes set by hand make no mixture.

    References
    ----------
    .. [1] K. Fukunaga, "Introduction to Statistical Pattern Recognition", 2nd edition (1990), section 3.4.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [2.0]], [1.0, 1.0], "spherical")
    >>> gm.component_bhattacharyya()
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    parameters = fitted_parameters(attributes_of(self))
    return attended(lambda: _bhattacharyya_of_pairs(parameters), _work_of_pairs(parameters))


def _bhattacharyya_of_pairs(parameters: Parameters) -> FloatArray:
    matrices, means = component_matrices(parameters), parameters.means
    log_determinants = log_determinants_of(lower_factors(matrices))
    n_components = parameters.n_components
    result = np.zeros((n_components, n_components))
    for j in range(n_components):
        for part in pieces(j, matrices[:1].nbytes):
            between = lower_factors((matrices[part] + matrices[j]) / 2)
            shifts = np.linalg.solve(between, (means[part] - means[j])[:, :, np.newaxis])[:, :, 0]
            of_means = np.einsum("ia,ia->i", shifts, shifts) / 8
            of_shapes = log_determinants_of(between) - (log_determinants[part] + log_determinants[j]) / 2
            result[part, j] = result[j, part] = np.maximum(of_means + of_shapes / 2, 0.0)
    return result


def log_determinants_of(factors: FloatArray) -> FloatArray:
    """log |LLᵀ| of factors (..., d, d)."""
    result: FloatArray = 2.0 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    return result


def _work_of_pairs(parameters: Parameters) -> float:
    return float(parameters.n_components) ** 2 * float(parameters.n_features) ** 3


def kl_divergence(
    self: Any,
    other: object,
    n_samples: int = 100_000,
    *,
    random_state: "int | np.random.RandomState | None" = None,
) -> tuple[float, float]:
    """The Kullback-Leibler divergence KL(p ‖ q) = E_p[log p(x) − log q(x)] of this mixture from another, in nats.

    Mixtures have no closed form of it: it is the mean of n draws from p, with the standard error of such a mean [1]_.

    Parameters
    ----------
    other : GaussianMixture
        Of any family, and any number of components.
    n_samples : int, default=100_000
        At least 2; four times as many halve the error.
    random_state : int or RandomState, optional
        That of the estimator by default.

    Returns
    -------
    divergence : float
        An estimate, which may be below 0 by chance; infinite where the logarithm of the other density is beyond the
        range of numbers at a draw.
    standard_error : float

    Raises
    ------
    NotFittedError
    ValueError
        Where the other mixture is none, or one of other features; for fewer draws than two.

    References
    ----------
    .. [1] J. R. Hershey and P. A. Olsen, "Approximating the Kullback Leibler divergence between Gaussian mixture
       models", ICASSP (2007).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> one = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> other = GaussianMixture.from_parameters([1.0], [[2.0]], [1.0], "spherical")
    >>> divergence, error = one.kl_divergence(other, random_state=0)
    >>> abs(divergence - 2.0) < 3 * error, error < 0.01
    (True, True)
    """
    check_options({"random_state": random_state}, "kl_divergence")
    n_samples = whole_number(n_samples, "n_samples", "kl_divergence", 2)
    attributes = attributes_of(self)
    parameters, own = as_fitted(attributes), scorer_of(attributes)
    others = scorer_of(attributes_of(require_mixture(other)))
    require_no_noise(own, "kl_divergence")
    require_no_noise(others, "kl_divergence")
    if own.shape[1] != others.shape[1]:
        raise ValueError(f"The other mixture has {others.shape[1]} features, and this one {own.shape[1]}.")
    source = check_random_state(self.random_state if random_state is None else random_state)

    def work() -> tuple[float, float]:
        rows = Rows(sampling.sample(parameters, n_samples, source)[0])
        ratios = own.evaluate(rows, self.n_threads, "log_density")
        ratios -= others.evaluate(rows, self.n_threads, "log_density")
        mean = criteria.mean(ratios, None)
        if math.isinf(mean):
            return mean, math.nan
        return mean, math.sqrt(criteria.mean(np.square(ratios - mean), None) / (n_samples - 1))

    return attended(work, 50.0 * n_samples * work_of(1, own.shape[1], 1))
