"""What a model is updated to: prepare, maximize, and the objective that rises meanwhile."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.families.tempering import tempered
from fastgmm.fit.maximize import counts_of, maximize
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters, scales_of


class NoModelError(Exception):
    """Parameters of which there is no model, since a covariance is not positive definite.

    Who knows the rows can explain why: see ``degenerate.explanation_of``.

    Attributes
    ----------
    component : int
        -1 where all components share the covariance.
    parameters : Parameters
    counts : ndarray of shape (n_components,) or None
        The points of every component, where an M-step has counted them.
    """

    def __init__(self, component: int, parameters: Parameters, counts: FloatArray | None) -> None:
        super().__init__(f"the covariance of component {component} is not positive definite")
        self.component, self.parameters, self.counts = component, parameters, counts


class Update(Protocol):
    """What the loop of EM needs to know of what it estimates."""

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        """The model of parameters; raises ``NoModelError``."""

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        """The parameters of the largest expected objective, from moments under a model."""

    def weights(self, moments: Moments) -> FloatArray:
        """Those (K,) alone, of which the counts decide: for who knows of more rows than have means and covariances."""

    def objective(self, moments: Moments, model: Model) -> float:
        """What EM makes rise, per unit of weight, under the model that the moments are from."""


class GaussianUpdate(Update, Protocol):
    """The same of components that have covariances, of a family.

    ``regularization`` (n_features,) is what every M-step adds to the diagonal of a covariance.
    """

    @property
    def family(self) -> CovarianceFamily: ...

    @property
    def regularization(self) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Maximum likelihood, with ``regularization`` (n_features,) added to every diagonal of a covariance.

    ``dtype`` is that of the rows, in which kernels compute.
    """

    family: CovarianceFamily
    regularization: FloatArray
    dtype: np.dtype[Any]

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        try:
            return self.family.model_of(parameters, self.dtype)
        except NotPositiveDefiniteError as error:
            raise NoModelError(error.component, parameters, counts) from error

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        return maximize(self.family, moments, self.regularization, model.parameters.covariances)

    def weights(self, moments: Moments) -> FloatArray:
        counts = counts_of(moments)
        result: FloatArray = counts / counts.sum()
        return result

    def objective(self, moments: Moments, model: Model) -> float:
        return moments.log_likelihood / moments.total_weight


@dataclass(frozen=True, eq=False)
class Tempered:
    """Another update, where joint densities are raised to an exponent β: an :class:`Update`.

    Responsibilities are ∝ (bπN)^β, and what rises is the free energy (1/β) Σ w log Σ (bπN)^β, with what the other adds
    to the likelihood. By Jensen's inequality it is at least Σ wr log(bπN) + (1/β) Σ w H(r) for any r, and as much
    for these, so that the M-step is the other's own [1]_. What is believed of the rows, b, is the sweep's to raise.

    References
    ----------
    .. [1] N. Ueda and R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11 (1998).
    """

    other: GaussianUpdate
    exponent: float

    @property
    def family(self) -> CovarianceFamily:
        return self.other.family

    @property
    def regularization(self) -> FloatArray:
        return self.other.regularization

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        model = self.other.prepare(parameters, counts)
        with np.errstate(over="ignore"):
            prepared = tempered(model.prepared, self.exponent)
        overflowed = np.argwhere(~np.isfinite(scales_of(prepared)))
        if len(overflowed):  # of float32, where a variance is too small for a large exponent
            raise NoModelError(int(overflowed[0, 0]), parameters, counts)
        return replace(model, prepared=prepared, exponent=self.exponent)

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        return self.other.maximize(moments, model)

    def weights(self, moments: Moments) -> FloatArray:
        return self.other.weights(moments)

    def objective(self, moments: Moments, model: Model) -> float:
        log_likelihood = moments.log_likelihood / self.exponent
        return self.other.objective(replace(moments, log_likelihood=log_likelihood), model)
