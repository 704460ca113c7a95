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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.starts import one_of_each_stretch
from fastgmm.fit.steps import Fit, Observer
from fastgmm.parameters import FloatArray, Model
from fastgmm.rows import Rows
from fastgmm.selection.candidate import Candidate, blank
from fastgmm.selection.criteria import Sums, WhatOf
from fastgmm.selection.fits import QUICK, Field, Range, ending_of, fits_of
from fastgmm.sweeps.incomplete import output_of

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
    """One row from each of so many equal stretches of those that count; where rows have weights, equal in these.

    What is drawn weighs the same then, and what weighs much is drawn often: as of rows that are repeated.
    """
    counted = rows.counted
    candidates = np.arange(rows.shape[0]) if counted is None else np.flatnonzero(counted)
    if rows.weights is None:
        return rows.take(candidates[one_of_each_stretch(len(candidates), n_rows, random_state)])
    ends = np.cumsum(rows.weights[candidates])
    places = (np.arange(n_rows) + random_state.uniform(size=n_rows)) * (ends[-1] / n_rows)
    chosen = candidates[np.minimum(np.searchsorted(ends, places, side="right"), len(candidates) - 1)]
    return replace(rows.take(chosen), weights=None)


@dataclass(frozen=True, eq=False)
class Race:
    """Two samples of the rows, and what is known of all: so much do these weigh, as users count."""

    fitted: Field
    left_out: Facts
    n_rows: float
    wanted: Range

    def run(self, random_state: np.random.RandomState) -> Iterator[Candidate]:
        """Every candidate, by the samples; those are given up that are far behind."""
        best = math.inf

        def give_up(family: str, n_components: int) -> Observer | None:
            # A sample that is fitted to flatters its candidate.
            slack = _SLACK * self.n_rows / self.fitted.facts.total_weight * self._most_parameters
            return self.wanted.gives_up(self._blank(family, n_components), best + slack, QUICK)

        for family, n_components, fit in fits_of(self.fitted, self.wanted, random_state, give_up):
            candidate = ending_of(self._blank(family, n_components), fit, self.wanted)
            if candidate.status == "degenerate" and fit is not None and self.fitted.slope(family).is_sound(fit):
                candidate = self._estimated(candidate, fit)
                best = min(best, candidate.judged_by(self.wanted.criterion))
            yield candidate

    @property
    def _most_parameters(self) -> int:
        return self.wanted.most_parameters(self.fitted.facts.rows.shape[1])

    def _blank(self, family: str, n_components: int) -> Candidate:
        return blank(family, n_components, self.fitted.facts.rows.shape[1], self.n_rows)

    def _estimated(self, candidate: Candidate, fit: Fit) -> Candidate:
        what = WhatOf(self._model_of(fit), self.wanted.wants_entropy)
        by = self.fitted.machinery(candidate.covariance_type)
        own, of_others = (what(facts.rows, by) for facts in (self.fitted.facts, self.left_out))
        # Each sample stands for half of the rows.
        halves = (
            sums.scaled(0.5 * self.n_rows / facts.total_weight)
            for sums, facts in ((own, self.fitted.facts), (of_others, self.left_out))
        )
        held_out = -2.0 * of_others.log_likelihood * self.n_rows / self.left_out.total_weight
        return replace(candidate, status="estimated", fit=fit, sums=Sums.plus(*halves), held_out=held_out)

    def _model_of(self, fit: Fit) -> Model:
        family = FAMILIES[fit.parameters.covariance_type]
        return family.model_of(fit.parameters, self.fitted.facts.rows.values.dtype)

    def _standard_error(self, ours: Sequence[FloatArray], of_best: Sequence[FloatArray]) -> float:
        """Of the difference in the criterion of all rows, from what each row of the samples adds to it."""
        total, squares, weight, weight_of_squares = 0.0, 0.0, 0.0, 0.0
        for rows, one, other in zip(self._judging, ours, of_best, strict=True):
            differences = one - other
            weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
            total += float(weights @ differences)
            squares += float(weights @ np.square(differences))
            weight, weight_of_squares = weight + weights.sum(), weight_of_squares + float(weights @ weights)
        variance = max(squares / weight - (total / weight) ** 2, 0.0)
        return 2.0 * self.n_rows * math.sqrt(variance * weight_of_squares) / weight

    @property
    def _judging(self) -> tuple[Rows, ...]:
        """The rows that the criterion is estimated from: those that nothing was fitted to, where it is of these."""
        if self.wanted.criterion == "cv":
            return (self.left_out.rows,)
        return self.fitted.facts.rows, self.left_out.rows

    def _merits(self, candidate: Candidate) -> list[FloatArray]:
        """−½ of what each row adds to the criterion: log p(x), and for ICL log maxₖ zₖ as well."""
        assert candidate.fit is not None
        model, by = self._model_of(candidate.fit), self.fitted.machinery(candidate.covariance_type)
        merits = [output_of(rows, model, by, "log_density").astype(np.float64) for rows in self._judging]
        if self.wanted.criterion == "icl" and candidate.n_components > 1:
            for merit, rows in zip(merits, self._judging, strict=True):
                merit += np.log(output_of(rows, model, by, "responsibilities").max(axis=1))
        return merits

    def finalists(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that may be the best of all rows, the likeliest winner first; of one model in several families one.

        One component that is full is one that is tied, and of one feature three families are one.
        """
        judged = sorted(
            (each.judged_by(self.wanted.criterion), number, each)
            for number, each in enumerate(candidates)
            if each.is_sound
        )
        best, _, first = judged[0]
        of_best, found, models = self._merits(first), list[Candidate](), set[tuple[int, int, float]]()
        for value, _, each in judged:
            model = each.n_components, each.n_parameters, float(f"{each.log_likelihood:.10g}")
            if model in models:
                continue
            models.add(model)
            error = self._standard_error(self._merits(each), of_best) if each is not first else 0.0
            if value - _STANDARD_ERRORS * error > best and len(found) >= _AT_LEAST:
                break
            found.append(replace(each, uncertainty=error))
        return found
