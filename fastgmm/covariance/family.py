"""The contract of a covariance family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters, Prepared

Shape = tuple[int, ...]


@dataclass(frozen=True)
class CovarianceFamily:
    """The functions that make a family; K is the number of components, d of features.

    Attributes
    ----------
    name : str
    covariance_shape : callable (K, d) -> shape
        Of ``Parameters.covariances``.
    second_moment_shape : callable (K, d) -> shape
        Of what a kernel collects as second moments.
    n_covariance_parameters : callable (K, d) -> int
        Free numbers in the covariances, for AIC and BIC.
    prepare : callable (Parameters, dtype) -> Prepared
        Raises ``NotPositiveDefiniteError``.
    maximize : callable (Moments, counts, shifts) -> covariances
        The M-step of the covariances, without regularization; ``shifts`` = μ' − μ.
    regularize : callable (covariances, variances (d,)) -> covariances
        Add to every diagonal.
    precisions_cholesky : callable (covariances) -> array
        scikit-learn's ``precisions_cholesky_``: U upper triangular with Σ⁻¹ = UUᵀ, or 1/σ.
    covariances_of_precisions : callable (precisions) -> covariances
        For a start that is given as precisions.
    matrices : callable (covariances, K, d) -> ndarray (K, d, d)
        Every component's covariance as a matrix.
    needs_total_scatter : bool
        Whether the second moments come from one scatter matrix of all rows, computed once for all sweeps.
    """

    name: str
    covariance_shape: Callable[[int, int], Shape]
    second_moment_shape: Callable[[int, int], Shape]
    n_covariance_parameters: Callable[[int, int], int]
    prepare: Callable[[Parameters, Any], Prepared]
    maximize: Callable[[Moments, FloatArray, FloatArray], FloatArray]
    regularize: Callable[[FloatArray, FloatArray], FloatArray]
    precisions_cholesky: Callable[[FloatArray], FloatArray]
    covariances_of_precisions: Callable[[FloatArray], FloatArray]
    matrices: Callable[[FloatArray, int, int], FloatArray]
    needs_total_scatter: bool = False


class NotPositiveDefiniteError(ValueError):
    """A covariance has no Cholesky factor; ``component`` is -1 where all components share it."""

    def __init__(self, component: int) -> None:
        super().__init__(f"the covariance of component {component} is not positive definite")
        self.component = component
