"""What a chain of states adds to the M-step of what they emit: Baum and Welch's update [1]_.

With the expected numbers of transitions Σξ and of first steps Σγ₁, and Dirichlet priors of concentrations a and c,

    Aᵢⱼ = (Σξᵢⱼ + aᵢⱼ − 1) / Σⱼ (Σξᵢⱼ + aᵢⱼ − 1),    πⱼ = (Σγ₁ⱼ + cⱼ − 1) / Σⱼ (Σγ₁ⱼ + cⱼ − 1)

A state that is never left keeps its transitions. The weights of the parameters are the shares of time.

References
----------
.. [1] L. E. Baum, T. Petrie, G. Soules and N. Weiss, "A maximization technique occurring in the statistical analysis of
   probabilistic functions of Markov chains", Annals of Mathematical Statistics 41 (1970).
"""

from dataclasses import dataclass, replace

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.update import GaussianUpdate
from fastgmm.kernels.chains import parts_of, table_of
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters


@dataclass(frozen=True, eq=False)
class ChainPrior:
    """Concentrations less 1 of the Dirichlet priors, of first states (K,) and of transitions (K, K), not negative.

    ``learns_start`` and ``learns_transitions`` say which of the two are estimated; what is not stays as it is.
    """

    start: FloatArray
    transitions: FloatArray
    learns_start: bool = True
    learns_transitions: bool = True

    def log_density(self, table: FloatArray) -> float:
        """Of what is estimated, but for a constant."""
        start, transitions = parts_of(table)
        pairs = ((self.start, start, self.learns_start), (self.transitions, transitions, self.learns_transitions))
        total = 0.0
        for excess, probabilities, is_learned in pairs:
            counts = excess > 0
            if is_learned and counts.any():
                with np.errstate(divide="ignore"):
                    total += float(excess[counts] @ np.log(probabilities[counts]))
        return total


@dataclass(frozen=True, eq=False)
class WithChain:
    """An :class:`fastgmm.fit.update.Update` of a chain, from that of what its states emit."""

    of_emissions: GaussianUpdate
    prior: ChainPrior

    @property
    def family(self) -> CovarianceFamily:
        return self.of_emissions.family

    @property
    def regularization(self) -> FloatArray:
        return self.of_emissions.regularization

    def prepare(self, parameters: Parameters, counts: FloatArray | None = None) -> Model:
        """States are not weighed: which one it is, is the chain's to say."""
        unweighed = replace(parameters, weights=np.ones(parameters.n_components))
        model = self.of_emissions.prepare(unweighed, counts)
        weights, extra = parameters.weights, parameters.extra
        return replace(model, parameters=replace(model.parameters, weights=weights, extra=extra))

    def maximize(self, moments: Moments, model: Model) -> Parameters:
        found = self.of_emissions.maximize(_without_table(moments), model)
        (start, transitions), before = parts_of(moments.extra), model.parameters.extra
        start_before, transitions_before = parts_of(before)
        if self.prior.learns_start:
            start_before = _shares(start + self.prior.start, start_before)
        if self.prior.learns_transitions:
            transitions_before = _shares(transitions + self.prior.transitions, transitions_before)
        return replace(found, extra=table_of(start_before, transitions_before))

    def weights(self, moments: Moments) -> FloatArray:
        return self.of_emissions.weights(_without_table(moments))

    def objective(self, moments: Moments, model: Model) -> float:
        of_chain = self.prior.log_density(model.parameters.extra) / moments.total_weight
        return self.of_emissions.objective(_without_table(moments), model) + of_chain


def _without_table(moments: Moments) -> Moments:
    """Those of emissions, which may have further sums of their own before the columns of the table."""
    return replace(moments, extra=moments.extra[:, : -1 - len(moments.counts)])


def _shares(counts: FloatArray, before: FloatArray) -> FloatArray:
    """Counts along the last axis by their sum; as before where there are none."""
    totals = counts.sum(axis=-1, keepdims=True)
    result: FloatArray = np.where(totals > 0, counts / np.where(totals > 0, totals, 1.0), before)
    return result
