"""The contract of a covariance family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.moments import SECOND_MOMENTS, Moments
from fastgmm.parameters import (
    BoolArray,
    FloatArray,
    IncompleteDiag,
    IncompleteFull,
    IncompleteTied,
    Model,
    Parameters,
    Prepared,
    PreparedIncomplete,
    scales_of,
)

# Of covariances that a kernel's own M-step finds, counts (K,), and the covariances before or None.
Constrain = Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]


@dataclass(frozen=True)
class Coordinates:
    """How covariances become unconstrained coordinates about ``reference`` covariances, and come back.

    Attributes
    ----------
    of : callable (covariances, reference, d) -> coordinates
        In the shape of the covariances; those of the reference are 0. Raises ``LinAlgError`` where one has no factor.
    covariances : callable (coordinates, reference, d) -> covariances
        The inverse of ``of``.
    whiten : callable (differences (K, d), reference) -> array (K, d or more)
        Differences of means in standard deviations of the reference: L⁻¹δ, or δ/σ; of each what counts is its length.
    """

    of: Callable[[FloatArray, FloatArray, int], FloatArray]
    covariances: Callable[[FloatArray, FloatArray, int], FloatArray]
    whiten: Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class CovarianceFamily:
    """The functions that make a family; K is the number of components, d of features.

    Attributes
    ----------
    name : str
    kernel : {'full', 'tied', 'diag', 'spherical', 'factor'}
        Whose arithmetic it uses: it assembles the ``Prepared``, and maximizes the ``Moments``, of this kernel, and
        its covariances have the shape of their second moments.
    n_covariance_parameters : callable (K, d) -> int
        Free numbers in the covariances, for AIC and BIC.
    assemble : callable (weights, means, precisions_cholesky, dtype) -> Prepared
    maximize : callable (Moments, counts, shifts) -> covariances
        The M-step of the covariances, without regularization; ``shifts`` = μ' − μ.
    regularize : callable (covariances, variances (d,)) -> covariances
        Add to every diagonal, in place.
    precisions_cholesky : callable (covariances) -> array
        scikit-learn's ``precisions_cholesky_``: U upper triangular with Σ⁻¹ = UUᵀ, that is L⁻ᵀ, or 1/σ. Of factor
        analyzers, which have no such root without matrices, Ψ^(−½)Λ and then 1/√ψ (K, d, rank + 1).
        Raises ``NotPositiveDefiniteError``.
    upper_root : callable (root) -> precisions_cholesky
        Of any root R of the precisions, Σ⁻¹ = RRᵀ (or ±1/σ); itself where it is that of a fit. Raises ``ValueError``.
    covariances_of_root : callable (precisions_cholesky) -> covariances
    precisions : callable (precisions_cholesky) -> array
        scikit-learn's ``precisions_``: UUᵀ, or 1/σ².
    covariances_of_precisions : callable (precisions) -> covariances
        For a start that is given as precisions; raises ``NotPositiveDefiniteError``.
    matrices : callable (covariances, K, d) -> ndarray (K, d, d)
        Every component's covariance as a matrix.
    smallest_variances : callable (covariances, units (d,)) -> array (K,) or (1,)
        The smallest eigenvalue of every covariance, with feature j measured in units of ``units[j]``.
    have_smaller_variances : callable (covariances, roots, units (d,), limit) -> bool array (K,) or (1,)
        Which of the smallest eigenvalues are at most ``limit``; ``roots`` are the ``precisions_cholesky`` of the
        covariances, which often tell at a glance that none is, or None where they are not known.
    movement : callable (Prepared, Prepared) -> (shrink (K,), drift (K,))
        How a Mahalanobis distance m changes from one set of parameters to another: m' ≥ shrink·m − drift.
    coloring : callable (covariances, component) -> callable (normal (n, n_sources(d))) -> array (n, d)
        What gives standard normal numbers the component's covariance.
    coordinates : Coordinates
        Of covariances, for extrapolation.
    constrain : callable (covariances, counts (K,), before or None) -> covariances, or None
        Those of the family under which rows with given covariances and counts are the most likely: the end of an M-step
        where components share something of their covariances, as in ``shapes.py``. None where any will do. ``before``
        are those of the family to go on from.
    is_closed_under_scaling : bool
        Whether features in other units, each in its own, make another member of the family.
    is_of_one_feature : bool
        Whether it is a name for mixtures of a single feature, and no other.
    extra_shape : callable (K, d) -> tuple of int, or None
        Of the further sums that its kernel collects, ``Slots.extra`` without the chunks, components first. ``Moments``
        have them as one line for each component. None where N, s and S are all that an M-step needs.
    improve : callable (Moments, counts, shifts, before) -> covariances, or None
        The M-step where it is a step from covariances ``before`` that raises what ``maximize`` has no closed form for;
        ``shifts`` may be any. ``maximize`` then is that of a start, which knows of none before.
    rank : int or None
        Along how many directions a component stretches beyond the axes, where that is limited: covariances have the
        shape (K, d, rank + 1) of loadings and uniquenesses.
    is_floor : bool
        Whether ``regularize`` raises variances to what it is given where they are less, instead of adding it.
    """

    name: str
    kernel: str
    n_covariance_parameters: Callable[[int, int], int]
    assemble: Callable[[FloatArray, FloatArray, FloatArray, Any], Prepared]
    maximize: Callable[[Moments, FloatArray, FloatArray], FloatArray]
    regularize: Callable[[FloatArray, FloatArray], FloatArray]
    precisions_cholesky: Callable[[FloatArray], FloatArray]
    upper_root: Callable[[FloatArray], FloatArray]
    covariances_of_root: Callable[[FloatArray], FloatArray]
    precisions: Callable[[FloatArray], FloatArray]
    covariances_of_precisions: Callable[[FloatArray], FloatArray]
    matrices: Callable[[FloatArray, int, int], FloatArray]
    smallest_variances: Callable[[FloatArray, FloatArray], FloatArray]
    have_smaller_variances: Callable[[FloatArray, FloatArray | None, FloatArray, float], BoolArray]
    movement: Callable[[Any, Any], tuple[FloatArray, FloatArray]]
    coloring: Callable[[FloatArray, int], Callable[[FloatArray], FloatArray]]
    coordinates: Coordinates
    constrain: Constrain | None = None
    is_closed_under_scaling: bool = True
    is_of_one_feature: bool = False
    extra_shape: Callable[[int, int], tuple[int, ...]] | None = None
    improve: Callable[[Moments, FloatArray, FloatArray, FloatArray], FloatArray] | None = None
    rank: int | None = None
    is_floor: bool = False

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Of ``Parameters.covariances``; raises ``ValueError`` where there are too few features for the rank."""
        if self.rank is not None:
            if self.rank > max(1, n_features - 1):
                raise ValueError(f"rank={self.rank} should be less than n_features={n_features}")
            return n_components, n_features, self.rank + 1
        return self.second_shape(n_components, n_features)

    def second_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Of ``Moments.second``."""
        return SECOND_MOMENTS[self.kernel].shape(n_components, n_features)

    def n_sources(self, n_features: int) -> int:
        """How many standard normal numbers ``coloring`` makes a point of."""
        return n_features + (self.rank or 0)

    @property
    def is_shared(self) -> bool:
        """Whether all components share one covariance. Sweeps of a fit then know S from the scatter of all rows."""
        return self.kernel == "tied"

    @property
    def ties_components(self) -> bool:
        """Whether the covariance of one component says something of that of another."""
        return self.is_shared or self.constrain is not None

    def maximized(
        self, moments: Moments, counts: FloatArray, shifts: FloatArray, before: FloatArray | None
    ) -> FloatArray:
        """What ``improve`` makes of the covariances before, where there are any and it has to; else ``maximize``."""
        if self.improve is None or before is None:
            return self.maximize(moments, counts, shifts)
        return self.improve(moments, counts, shifts, before)

    def constrained(self, covariances: FloatArray, counts: FloatArray, before: FloatArray | None = None) -> FloatArray:
        """What ``constrain`` makes of them, or themselves."""
        return covariances if self.constrain is None else self.constrain(covariances, counts, before)

    @property
    def has_matrices(self) -> bool:
        """Whether covariances are matrices, not variances."""
        return self.second_shape(2, 3)[-2:] == (3, 3)

    def model_of(self, parameters: Parameters, dtype: Any) -> Model:
        """A model for data of ``dtype``; raises ``NotPositiveDefiniteError``."""
        factors = self.precisions_cholesky(parameters.covariances)
        prepared = self.assemble(parameters.weights, parameters.means, factors, dtype)
        if dtype == np.float32:  # for which a variance may be too small
            overflowed = np.argwhere(~np.isfinite(scales_of(prepared)))
            if len(overflowed):
                raise NotPositiveDefiniteError(int(overflowed[0, 0]))
        return Model(parameters, factors, prepared)

    def prepare(self, parameters: Parameters, dtype: Any) -> Prepared:
        """Parameters in the form that kernels read, for data of ``dtype``; raises ``NotPositiveDefiniteError``."""
        prepared: Prepared = self.model_of(parameters, dtype).prepared
        return prepared

    def require_knows_missing(self) -> None:
        """Refuse rows that lack values where a family has no densities of parts of a row."""
        if self.rank is not None:
            raise ValueError(f"X contains NaN, and a mixture of covariance_type={self.name!r} knows no missing values.")

    def prepare_incomplete(
        self, parameters: Parameters, precisions_cholesky: FloatArray, exponent: float = 1.0
    ) -> PreparedIncomplete:
        """The form that kernels read for rows that lack some of their values; takes the roots of the covariances."""
        with np.errstate(divide="ignore"):  # a weight of 0
            log_weights = np.log(parameters.weights)
        means = np.array(parameters.means, np.float64, order="C")
        covariances = np.array(parameters.covariances, np.float64, order="C")
        self.require_knows_missing()
        if self.kernel == "full":
            factors = np.ascontiguousarray(np.swapaxes(precisions_cholesky, 1, 2), np.float64)
            return IncompleteFull(log_weights, means, covariances, factors, exponent)
        if self.kernel == "tied":
            factor = np.ascontiguousarray(precisions_cholesky.T, np.float64)
            return IncompleteTied(log_weights, means, covariances, factor, exponent)
        variances = np.broadcast_to(covariances.reshape(len(means), -1), means.shape)
        return IncompleteDiag(log_weights, means, np.ascontiguousarray(variances), exponent)


class NotPositiveDefiniteError(ValueError):
    """A covariance has no Cholesky factor; ``component`` is -1 where all components share it."""

    def __init__(self, component: int) -> None:
        super().__init__(f"the covariance of component {component} is not positive definite")
        self.component = component
