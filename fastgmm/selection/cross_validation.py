"""What candidates are worth on rows that they have not seen."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.parameters import IntArray
from fastgmm.rows import Rows
from fastgmm.selection.candidate import Candidate
from fastgmm.selection.criteria import WhatOf
from fastgmm.selection.fits import Field, Range, fits_of

_FOLDS, _SEED = 5, 20


def cross_validated(
    candidates: Sequence[Candidate], rows: Rows, field_of: Callable[[Facts], Field], wanted: Range, unit: float
) -> list[Candidate]:
    """The candidates with −2 Σ w log p(x) of all rows, each under a fit to the other folds [1]_; ``unit`` is a weight.

    Of every fold all candidates are fitted anew: a fit that began from one to all rows would remember those that are
    left out. Where a candidate has no sound fit to the others of some fold, nothing is known of it. When it is late,
    the folds that were finished stand for all.

    References
    ----------
    .. [1] P. Smyth, "Model selection for probabilistic clustering using cross-validated likelihood", Statistics and
       Computing 10 (2000).
    """
    totals, weight = {each.name: 0.0 for each in candidates}, 0.0
    for left_out, others in _folds(rows.shape[0]):
        seen, unseen = field_of(Facts(rows.take(others))), rows.take(left_out)
        told = _log_likelihoods(seen, unseen, wanted)
        if wanted.is_late and weight:
            break
        totals = {name: total + told.get(name, math.nan) for name, total in totals.items()}
        weight += unseen.total_weight
    # Every row counts once, also where some were not reached.
    scale = -2.0 * rows.total_weight / (weight * unit)
    return [replace(each, held_out=scale * totals[each.name]) for each in candidates]


def _log_likelihoods(seen: Field, unseen: Rows, wanted: Range) -> dict[tuple[str, int], float]:
    """Σ w log p(x) of unseen rows under every candidate that has a sound fit to those that are seen."""
    told = dict[tuple[str, int], float]()
    for family, n_components, fit in fits_of(seen, wanted, np.random.RandomState(_SEED)):
        if fit is not None and seen.slope(family).is_sound(fit):
            by = seen.machinery(family)
            what = WhatOf(by.family.model_of(fit.parameters, unseen.values.dtype), with_entropy=False)
            told[family, n_components] = what(unseen, by).log_likelihood
    return told


def _folds(n_rows: int) -> Iterator[tuple[IntArray, IntArray]]:
    """The rows of every fold, and all others, in order."""
    fold = np.empty(n_rows, np.int64)
    fold[np.argsort(np.random.RandomState(_SEED).uniform(size=n_rows))] = np.arange(n_rows) % _FOLDS
    for number in range(_FOLDS):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)
