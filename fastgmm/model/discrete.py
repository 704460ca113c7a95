"""What a fitted mixture of counts or categories can do: densities, random rows, free parameters."""

from dataclasses import dataclass

import numpy as np

from fastgmm.entries import Entries
from fastgmm.families.discrete import DiscreteFamily
from fastgmm.kernels import get_backend
from fastgmm.parameters import Array, IntArray, Parameters
from fastgmm.sweeps.in_memory import Wanted
from fastgmm.sweeps.of_entries import evaluate_entries


@dataclass(frozen=True, eq=False)
class DiscreteModel:
    """A family and sound parameters of it."""

    family: DiscreteFamily
    parameters: Parameters

    @property
    def n_parameters(self) -> int:
        """Free ones, for AIC and BIC: weights and mean parameters that sum to 1 have one fewer."""
        n_components, width = self.parameters.means.shape
        return int(n_components * self.family.n_free(width) + n_components - 1)

    def evaluate(self, rows: Entries, backend: str, n_threads: int | None, wanted: Wanted) -> Array:
        """Log-densities (n,), labels (n,), joint log-densities or responsibilities (n, K) in float64."""
        prepared = self.family.prepare(self.parameters, rows.has_missing)
        found = evaluate_entries(rows, prepared, get_backend(backend).name, n_threads, wanted)
        if wanted == "log_density":
            found += self.family.log_constants(rows)
        elif wanted == "joint":
            found += self.family.log_constants(rows)[:, np.newaxis]
        return found

    def sample(self, totals: IntArray, random_state: np.random.RandomState) -> tuple[Array, IntArray]:
        """As many rows as there are ``totals``, which multinomial rows have; in the order of their components."""
        weights, means = self.parameters.weights, self.parameters.means
        counts = random_state.multinomial(len(totals), weights / weights.sum())
        begins = np.cumsum(counts) - counts
        parts = [
            self.family.draw(means[k], int(count), random_state, totals[begin : begin + count])
            for k, (begin, count) in enumerate(zip(begins, counts, strict=True))
            if count
        ]
        return np.concatenate(parts), np.repeat(np.arange(len(counts)), counts)
