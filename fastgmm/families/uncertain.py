"""A family's parameters in the form that kernels read for rows of known errors, and moments that come back."""

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.parameters import FloatArray, Parameters, PreparedUncertain, UncertainMatrices, UncertainVariances


def prepare_uncertain(
    family: CovarianceFamily, parameters: Parameters, are_matrices: bool, exponent: float = 1.0
) -> PreparedUncertain:
    """Variances stay such where the errors are no matrices: then all features are by themselves.

    Raises ``ValueError`` for factor analyzers, of whose covariances there are no matrices.
    """
    if family.rank is not None:
        raise ValueError(f"Factor analyzers take no known errors; got covariance_type={family.name!r}.")
    with np.errstate(divide="ignore"):  # a weight of 0
        log_weights = np.log(parameters.weights)
    means = np.array(parameters.means, np.float64, order="C")
    covariances = np.array(parameters.covariances, np.float64, order="C")
    if family.has_matrices:
        covariances = covariances.reshape(-1, *covariances.shape[-2:])
        return UncertainMatrices(log_weights, means, covariances, _roots(covariances), exponent)
    variances = np.ascontiguousarray(np.broadcast_to(covariances.reshape(len(means), -1), means.shape))
    deviations = np.sqrt(variances)
    if not are_matrices:
        return UncertainVariances(log_weights, means, variances, deviations, exponent)
    unit = np.eye(means.shape[1])
    matrices = variances[:, :, np.newaxis] * unit, deviations[:, :, np.newaxis] * unit
    return UncertainMatrices(log_weights, means, *matrices, exponent)


def _roots(covariances: FloatArray) -> FloatArray:
    """R with Σ = RRᵀ, lower triangular; NaN where there is none, of a covariance that rounding has made indefinite."""
    roots = np.empty(covariances.shape)
    for k, covariance in enumerate(covariances):
        try:
            roots[k] = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            roots[k] = np.nan
    return roots


def moments_of_true_values(
    family: CovarianceFamily, prepared: PreparedUncertain, counts: FloatArray, first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Σwr(E[v] − μ) and Σwr E[(v − μ)(v − μ)ᵀ | x] in the shape of the family, from sums in units of the components.

    With f = Σwr·b and G = Σwr(bbᵀ − VᵀV), of which kernels fill the lower triangles, s = Rf and S = R(N·I + G)Rᵀ.
    """
    roots = prepared.roots
    with np.errstate(over="ignore", invalid="ignore"):  # absurd rows end in a covariance that is refused
        if isinstance(prepared, UncertainVariances):
            scatter = prepared.covariances * (counts[:, np.newaxis] + second)
            return roots * first, _of_variances(family, scatter)
        lower = np.tril(second)
        symmetric = lower + np.swapaxes(np.tril(lower, -1), 1, 2)
        own = counts if len(roots) == len(counts) else counts.sum(keepdims=True)
        inner = symmetric + own[:, np.newaxis, np.newaxis] * np.eye(first.shape[1])
        scatter = roots @ inner @ np.swapaxes(roots, 1, 2)
        scatter = 0.5 * (scatter + np.swapaxes(scatter, 1, 2))  # symmetric but for rounding
        moved = np.einsum("kij,kj->ki", np.broadcast_to(roots, (len(counts), *roots.shape[1:])), first)
    if family.is_shared:
        return moved, scatter.sum(axis=0)
    return moved, scatter if family.has_matrices else _of_variances(family, np.einsum("kii->ki", scatter))


def _of_variances(family: CovarianceFamily, scatter: FloatArray) -> FloatArray:
    """Sums of squares (K, d) in the shape of a family without correlations."""
    return scatter.sum(axis=1) if family.kernel == "spherical" else np.ascontiguousarray(scatter)
