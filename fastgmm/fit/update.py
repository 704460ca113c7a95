"""What a model is updated to: prepare, maximize, and the objective that rises meanwhile."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from fastgmm.families.family import CovarianceFamily, NotPositiveDefiniteError
from fastgmm.families.tempering import tempered
from fastgmm.fit.maximize import maximize
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters


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

    def objective(self, moments: Moments, model: Model) -> float:
        """What EM makes rise, per unit of weight, under the model that the moments are from."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Maximum likelihood, with ``regularization`` (n_features,) added to every diagonal of a covariance.

    ``dtype`` is that of the rows, in which kernels compute. Joint densities are raised to ``exponent``, and so may be
    the densities of what is believed of the rows, for the sweep.
    """

    family: CovarianceFamily
    regularization: FloatArray
    dtype: np.dtype[Any]
    exponent: float = 1.0

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        try:
            model = self.family.model_of(parameters, self.dtype)
        except NotPositiveDefiniteError as error:
            raise NoModelError(error.component, parameters, counts) from error
        if self.exponent == 1.0:
            return model
        return replace(model, prepared=tempered(model.prepared, self.exponent), exponent=self.exponent)

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        return maximize(self.family, moments, self.regularization)

    def objective(self, moments: Moments, model: Model) -> float:
        return moments.log_likelihood / moments.total_weight / self.exponent
