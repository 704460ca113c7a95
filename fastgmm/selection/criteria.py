"""What a candidate is judged by: all of these are the better the lower they are.

With L the log-likelihood, p the number of free parameters, n the number of rows (the sum of their weights) and z the
responsibilities:

    BIC = −2L + p log n [1]_          AIC = −2L + 2p [2]_
    ICL = BIC − 2 Σ log maxₖ zₖ [3]_   NEC = E/(L − L₁), E = −Σ Σₖ zₖ log zₖ; 1 for one component [4]_

with L₁ the log-likelihood of one component. ICL has the hard form that R's mclust has, where others have 2E.

References
----------
.. [1] G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6 (1978).
.. [2] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on Automatic Control 19
   (1974).
.. [3] C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the integrated completed
   likelihood", IEEE Transactions on Pattern Analysis and Machine Intelligence 22 (2000).
.. [4] C. Biernacki, G. Celeux and G. Govaert, "An improvement of the NEC criterion for assessing the number of clusters
   in a mixture model", Pattern Recognition Letters 20 (1999).
"""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Model
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import output_of
from fastgmm.sweeps.over_blocks import AnySweep
from fastgmm.sweeps.sweep import Machinery

CriterionName: TypeAlias = Literal["bic", "aic", "icl", "nec", "cv"]
CRITERIA = get_args(CriterionName)
# A probability below this has no weight in an entropy, and no logarithm where it is 0.
_TINY = 1e-300


class Sums(NamedTuple):
    """Σ w log p(x), Σ w log maxₖ zₖ and −Σ w Σₖ zₖ log zₖ over some rows."""

    log_likelihood: float
    log_certainty: float
    entropy: float

    def scaled(self, factor: float) -> "Sums":
        """As though there were so many times as many rows."""
        return Sums(*(factor * each for each in self))

    def plus(self, other: "Sums") -> "Sums":
        """Those of the rows of both."""
        return Sums(*map(add, self, other))


UNKNOWN = Sums(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class WhatOf:
    """Asks rows for the sums under a model; without ``with_entropy`` for the likelihood alone, the others being NaN."""

    model: Model
    with_entropy: bool = True

    def __call__(self, rows: Rows, by: Machinery) -> Sums:
        total = Sums(0.0, 0.0, 0.0)
        for part in pieces(rows.shape[0], 16 * max(self.model.parameters.means.shape)):
            total = total.plus(self._of_block(rows.take(part), by))
        return total

    def _of_block(self, rows: Rows, by: Machinery) -> Sums:
        counted = rows.counted
        rows = rows if counted is None or counted.all() else rows.take(np.flatnonzero(counted))
        if not rows.shape[0]:
            return Sums(0.0, 0.0, 0.0)
        log_density = output_of(rows, self.model, by, "log_density").astype(np.float64)
        weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
        if self.model.parameters.n_components == 1:
            return Sums(float(weights @ log_density), 0.0, 0.0)
        if not self.with_entropy:
            return Sums(float(weights @ log_density), math.nan, math.nan)
        shares = output_of(rows, self.model, by, "responsibilities").astype(np.float64)
        entropies = -np.einsum("nk,nk->n", shares, np.log(np.maximum(shares, _TINY)))
        certainties = np.log(shares.max(axis=1))
        return Sums(*(float(weights @ each) for each in (log_density, certainties, entropies)))


def sums_over(sweep: AnySweep, model: Model, with_entropy: bool = True) -> Sums:
    """Those of all rows of a sweep."""
    with closing(sweep.ask(WhatOf(model, with_entropy))) as answers:
        return reduce(Sums.plus, answers)


def nec(sums: Sums, n_components: int, log_likelihood_of_one: float) -> float:
    """NaN where nothing is known of one component, infinity where it is as likely."""
    if n_components == 1:
        return 1.0
    gain = sums.log_likelihood - log_likelihood_of_one
    return sums.entropy / gain if gain > 0 or math.isnan(gain) else math.inf


Judge: TypeAlias = "CriterionName | Callable[[Any], float]"
