"""The race of many rows: all candidates are fitted to a sample, and those that may still win to all rows.

There are two samples, of which one is fitted to. The mean log-likelihood of its rows is too high, by p/2m for p
parameters and m rows, and that of the other sample too low by as much [1]_: their average is that of all rows, but for
chance. Chance is nearly the same for two candidates, so that the error of their difference follows from the differences
of single rows.

References
----------
.. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on Automatic Control 19
   (1974).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.steps import Fit, Observer
from fastgmm.parameters import FloatArray, Model
from fastgmm.rows import Rows
from fastgmm.selection.candidate import Candidate, blank
from fastgmm.selection.criteria import Sums, sums_over
from fastgmm.selection.fits import Field, Range, ending_of, fits_of
from fastgmm.sweeps.incomplete import output_of, suited_to_missing
from fastgmm.sweeps.sweep import Machinery

# A sample has so many rows, and so many for each parameter of the largest candidate.
_ROWS_OF_A_SAMPLE, _ROWS_OF_A_PARAMETER = 16_384, 20
# Candidates go on that are no further behind than so many standard errors, and so many of the best in any case.
_STANDARD_ERRORS, _AT_LEAST = 3.0, 3
# Candidates are given up that are behind by so much for each parameter of the largest one, and row of the sample. It
# was chosen by hand: p/m of the mean log-likelihood is what a sample flatters by, so that 1 would do on average.
_SLACK = 4.0


def rows_of_a_sample(wanted: Range, n_features: int) -> int:
    """How many rows make a sample; with fewer than two of them there is no race."""
    return max(_ROWS_OF_A_SAMPLE, _ROWS_OF_A_PARAMETER * wanted.most_parameters(n_features))


def drawn(rows: Rows, n_rows: int, random_state: np.random.RandomState) -> Rows:
    """One row from each of so many equal stretches of those that count."""
    counted = rows.counted
    candidates = np.arange(rows.shape[0]) if counted is None else np.flatnonzero(counted)
    edges = np.linspace(0, len(candidates), n_rows + 1)
    places = (edges[:-1] + random_state.uniform(size=n_rows) * np.diff(edges)).astype(np.intp)
    return rows.take(candidates[np.minimum(places, len(candidates) - 1)])


@dataclass(frozen=True, eq=False)
class Race:
    """Two samples of the rows, and what is known of all: so much do these weigh, as users count."""

    fitted: Field
    left_out: Facts
    n_rows: float
    wanted: Range

    @property
    def total_weight(self) -> float:
        return float(self.fitted.facts.total_weight + self.left_out.total_weight)

    def run(self, random_state: np.random.RandomState) -> Iterator[Candidate]:
        """Every candidate, by the samples; those are given up that are far behind."""
        best = math.inf

        def give_up(family: str, n_components: int) -> Observer | None:
            # A sample that is fitted to flatters its candidate.
            slack = _SLACK * self.n_rows / self.fitted.facts.total_weight * self._most_parameters
            return self.wanted.gives_up(self.blank(family, n_components), best + slack)

        for family, n_components, fit in fits_of(self.fitted, self.wanted, random_state, give_up):
            candidate = ending_of(self.blank(family, n_components), fit, self.wanted)
            if candidate.status == "degenerate" and fit is not None and self.fitted.slope(family).is_sound(fit):
                candidate = self._estimated(candidate, fit)
                best = min(best, candidate.judged_by(self.wanted.criterion))
            yield candidate

    @property
    def _most_parameters(self) -> int:
        return self.wanted.most_parameters(self.fitted.facts.rows.shape[1])

    def blank(self, family: str, n_components: int) -> Candidate:
        return blank(family, n_components, self.fitted.facts.rows.shape[1], self.n_rows)

    def _estimated(self, candidate: Candidate, fit: Fit) -> Candidate:
        slope = self.fitted.slope(candidate.covariance_type)
        model, with_entropy = self.model_of(fit), self.wanted.wants_entropy
        others = suited_to_missing(self.left_out, slope.sweep.family, slope.sweep.backend, slope.sweep.n_threads)
        own, of_others = (sums_over(sweep, model, with_entropy) for sweep in (slope.sweep, others))
        # Each sample stands for half of the rows.
        halves = (
            sums.scaled(0.5 * self.n_rows / facts.total_weight)
            for sums, facts in ((own, self.fitted.facts), (of_others, self.left_out))
        )
        held_out = -2.0 * of_others.log_likelihood * self.n_rows / self.left_out.total_weight
        return replace(candidate, status="estimated", fit=fit, sums=Sums.plus(*halves), held_out=held_out)

    def model_of(self, fit: Fit) -> Model:
        family = FAMILIES[fit.parameters.covariance_type]
        return family.model_of(fit.parameters, self.fitted.facts.rows.values.dtype)

    def with_uncertainty(self, candidate: Candidate, best: Candidate) -> Candidate:
        """With the standard error of the difference of −2 log-likelihood to that of the best."""
        if candidate is best:
            return replace(candidate, uncertainty=0.0)
        total, squares, weight, weight_of_squares = 0.0, 0.0, 0.0, 0.0
        for rows in (self.fitted.facts.rows, self.left_out.rows):
            differences = self._log_densities(rows, candidate) - self._log_densities(rows, best)
            weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
            total += float(weights @ differences)
            squares += float(weights @ np.square(differences))
            weight, weight_of_squares = weight + weights.sum(), weight_of_squares + float(weights @ weights)
        variance = max(squares / weight - (total / weight) ** 2, 0.0)
        error = 2.0 * self.n_rows * math.sqrt(variance * weight_of_squares) / weight
        return replace(candidate, uncertainty=error)

    def _log_densities(self, rows: Rows, candidate: Candidate) -> FloatArray:
        assert candidate.fit is not None
        family, field = FAMILIES[candidate.covariance_type], self.fitted
        by = Machinery(family, field.backend, field.n_threads)
        return output_of(rows, self.model_of(candidate.fit), by, "log_density").astype(np.float64)

    def finalists(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that may be the best of all rows, the likeliest winner first."""
        judged = sorted(
            (each.judged_by(self.wanted.criterion), number, each)
            for number, each in enumerate(candidates)
            if each.is_sound
        )
        best = judged[0]
        found = list[Candidate]()
        for value, _, each in judged:
            known = self.with_uncertainty(each, best[2])
            is_close = value - _STANDARD_ERRORS * known.uncertainty <= best[0]
            if not is_close and len(found) >= _AT_LEAST:
                break
            found.append(known)
        return found
