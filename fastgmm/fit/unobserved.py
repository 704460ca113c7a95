"""Rows without any value of whose components something is known: they count towards the weights, and nothing else.

Their density is 1 under every component, so that a sweep need not visit them: with b what is believed of a row,

r_k = b_k π_k / Σ b π,   and their share of the log-likelihood is Σ w log Σ b π.

The objective is per unit of weight of all rows that it is a sum over, these among them.

Where joint densities are raised to a power β, as the beliefs of the sweep are, so are these: r_k ∝ (b π)^β, and
(1/β) Σ w log Σ (b π)^β.
"""

from dataclasses import dataclass, replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.update import GaussianUpdate
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters


@dataclass(frozen=True, eq=False)
class Unobserved:
    """The groups of such rows: Σw of each (G,), and the logarithms of what is believed (G, K)."""

    weights: FloatArray
    log_beliefs: FloatArray

    @property
    def total_weight(self) -> float:
        return float(self.weights.sum())

    def counts(self, model: Model) -> FloatArray:
        """Σwr (K,)."""
        shares, _ = self._shares(model)
        result: FloatArray = self.weights @ (shares / shares.sum(axis=1, keepdims=True))
        return result

    def log_likelihood(self, model: Model) -> float:
        """Σ w log Σ b π."""
        shares, largest = self._shares(model)
        return float(self.weights @ (largest + np.log(shares.sum(axis=1)))) / model.exponent

    def _shares(self, model: Model) -> tuple[FloatArray, FloatArray]:
        """(b π)^β (G, K) in units of the largest of each group, and the logarithms of these (G,)."""
        with np.errstate(divide="ignore"):
            joint = self.log_beliefs + model.exponent * np.log(model.parameters.weights)
        largest = joint.max(axis=1)
        return np.exp(joint - largest[:, np.newaxis]), largest


def unobserved_of(facts: Facts) -> Unobserved | None:
    """None where there are no such rows; of one that may belong to any component alike nothing is known."""
    rows = facts.rows
    if not rows.has_missing or rows.groups is None or rows.group_prior is None:
        return None
    table, totals = rows.group_prior, facts.weights_of_unobserved
    chosen = np.flatnonzero((totals > 0) & (table.min(axis=1) < table.max(axis=1)))
    return Unobserved(totals[chosen], table[chosen]) if len(chosen) else None


@dataclass(frozen=True, eq=False)
class WithUnobserved:
    """An :class:`fastgmm.fit.update.Update` of rows with values, to whose counts those of the others are added."""

    of_observed: GaussianUpdate
    unobserved: Unobserved

    @property
    def family(self) -> CovarianceFamily:
        return self.of_observed.family

    @property
    def regularization(self) -> FloatArray:
        return self.of_observed.regularization

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        return self.of_observed.prepare(parameters, counts)

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        """Of all counts there are weights, of those of rows with values means and covariances."""
        found = self.of_observed.maximize(moments, model)
        return replace(found, weights=self.weights(self._with_others(moments, model)))

    def weights(self, moments: Moments) -> FloatArray:
        return self.of_observed.weights(moments)

    def objective(self, moments: Moments, model: Model) -> float:
        return self.of_observed.objective(self._with_others(moments, model), model)

    def _with_others(self, moments: Moments, model: Model) -> Moments:
        """Those of which weights and objectives are made, of all rows."""
        return replace(
            moments,
            counts=moments.counts + self.unobserved.counts(model),
            log_likelihood=moments.log_likelihood + self.unobserved.log_likelihood(model),
            total_weight=moments.total_weight + self.unobserved.total_weight,
        )
