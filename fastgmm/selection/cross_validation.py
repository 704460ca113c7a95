"""What a fit is worth on rows that it has not seen."""

from collections.abc import Iterator

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.fit.steps import Fit
from fastgmm.parameters import IntArray
from fastgmm.selection.climbing import Slope, go_on
from fastgmm.selection.criteria import WhatOf
from fastgmm.selection.fits import SOME, Field
from fastgmm.sweeps.incomplete import suited_to_missing

_FOLDS, _SEED = 5, 20


def held_out_deviance(field: Field, fit: Fit) -> float:
    """−2 Σ w log p(x) of all rows, each under a fit to the other folds [1]_.

    These begin from the fit to all rows, from which they do not move far. Folds are the same for all candidates.

    References
    ----------
    .. [1] P. Smyth, "Model selection for probabilistic clustering using cross-validated likelihood", Statistics and
       Computing 10 (2000).
    """
    rows, by, total = field.facts.rows, field.machinery(fit.parameters.covariance_type), 0.0
    for left_out, others in _folds(rows.shape[0]):
        facts = Facts(rows.take(others))
        sweep = suited_to_missing(facts, by.family, by.backend, by.n_threads, field.deadline)
        found = go_on(Slope(sweep, field.regularization), fit, SOME)
        what = WhatOf(by.family.model_of(found.parameters, rows.values.dtype), with_entropy=False)
        total += what(rows.take(left_out), by).log_likelihood
    return -2.0 * total


def _folds(n_rows: int) -> Iterator[tuple[IntArray, IntArray]]:
    """The rows of every fold, and all others, in order."""
    fold = np.empty(n_rows, np.int64)
    fold[np.argsort(np.random.RandomState(_SEED).uniform(size=n_rows))] = np.arange(n_rows) % _FOLDS
    for number in range(_FOLDS):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)
