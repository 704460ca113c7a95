"""What methods of the estimator do with rows that come in blocks, where it is not what they do with arrays."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Block, Blocks, Form, is_blocks
from fastgmm.data.blocks.looking import require_labels, require_numbers
from fastgmm.data.blocks.reading import Reading
from fastgmm.data.validation import NO_VALUES, NO_VALUES_OF_WEIGHT, check_n_features
from fastgmm.data.weights import InModerateUnit, moderating_power, require_some_weight
from fastgmm.machine.waiting import attended
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import Array, Names
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import Wanted


def column_names(form: Form) -> Names | None:
    """Those of features as data frames have them."""
    return None if form.columns is None else np.array(form.columns, dtype=object)


def require_nothing_beside(sample_weight: object, labels: object, errors: object = None) -> None:
    """Weights and labels are columns of a source, which has no errors."""
    if errors is not None:
        raise ValueError("errors of rows are for rows in memory, not for blocks")
    for name, value, option in (("sample_weight", sample_weight, "weight"), ("labels", labels, "labels")):
        if value is not None:
            raise ValueError(f"{name} cannot be given beside blocks: name their column, blocks_of(..., {option}=...)")


def refuse_blocks(X: object, who: str, instead: str) -> None:
    """Raise ``TypeError`` where blocks are given to who takes arrays alone, and say what to do ``instead``."""
    if is_blocks(X):
        raise TypeError(
            f"{who} takes rows in memory, not blocks: {instead}. Blocks are taken by fit, fit_predict, predict, "
            "predict_proba, score_samples, score, bic, aic and moments."
        )


def evaluated(scorer: Scorer, blocks: Blocks, n_threads: int | None, wanted: Wanted) -> Iterator[Array]:
    """One output of the rows of each block, when it is asked for."""
    with closing(blocks.map(_Evaluated(scorer, blocks.form, wanted), n_threads)) as outputs:
        yield from outputs


@dataclass(frozen=True)
class Sums:
    """How many rows there are, and of those that count and have a value Σw log p(x) and Σw, in some unit of weights."""

    n_rows: int = 0
    log_likelihood: float = 0.0
    weight: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.n_rows + other.n_rows, self.log_likelihood + other.log_likelihood, self.weight + other.weight)

    def scaled(self, factor: float) -> "Sums":
        return Sums(self.n_rows, factor * self.log_likelihood, factor * self.weight)


NO_SUMS = InModerateUnit(Sums(), 0.0)


def densities_and_sums(
    scorer: Scorer, blocks: Blocks, n_threads: int | None
) -> Iterator[tuple[Array, InModerateUnit[Sums]]]:
    """log p(x) of the rows of each block, and their sums."""
    with closing(blocks.map(_Scored(scorer, blocks.form), n_threads)) as outputs:
        yield from outputs


def sums_of(scorer: Scorer, blocks: Blocks, n_threads: int | None) -> InModerateUnit[Sums]:
    """Those of all rows, some of which weigh something and have a value; ``ValueError`` where none does."""

    def work() -> InModerateUnit[Sums]:
        with closing(blocks.map(_Summed(scorer, blocks.form), n_threads)) as sums:
            return reduce(add, sums, NO_SUMS)

    found, has_weights = attended(work), blocks.form.has_weights
    if has_weights and found.sums.n_rows:
        require_some_weight(found.largest > 0, blocks.form.name)
    if not found.sums.weight:
        raise ValueError(NO_VALUES_OF_WEIGHT if has_weights and found.sums.n_rows else NO_VALUES)
    return found


def score_of(scorer: Scorer, blocks: Blocks, n_threads: int | None) -> tuple[float, float, int]:
    """The score, and the numbers of rows and of free parameters: see ``calls.checked_score``."""
    found = sums_of(scorer, blocks, n_threads)
    return found.sums.log_likelihood / found.sums.weight, found.as_given().weight, scorer.n_parameters


def checked_rows(block: Block, form: Form, n_components: int | None = None) -> tuple[Rows, float]:
    """The rows of a block that nobody has looked at before, with ``moderate`` weights, the largest of which was that.

    With their labels for so many components. Rows without weights weigh 1.
    """
    has_missing = require_numbers(block, form.columns)
    if n_components is not None:
        require_labels(block, n_components)
    largest = 1.0 if block.weights is None else float(block.weights.max(initial=0.0))
    power, is_labelled = moderating_power(largest), n_components is not None
    reading = Reading(form.dtype, n_components or 1, power=power, is_labelled=is_labelled)
    return reading.rows(block, has_missing), largest


@dataclass(frozen=True, eq=False)
class _Evaluated:
    scorer: Scorer
    form: Form
    wanted: Wanted

    def __call__(self, block: Block, n_threads: int) -> Array:
        return self.scorer.evaluate(checked_rows(block, self.form)[0], n_threads, self.wanted)


@dataclass(frozen=True, eq=False)
class _Scored:
    scorer: Scorer
    form: Form

    def __call__(self, block: Block, n_threads: int) -> tuple[Array, InModerateUnit[Sums]]:
        rows, largest = checked_rows(block, self.form)
        found = self.scorer.evaluate(rows, n_threads, "log_density")
        log_density = found.astype(np.float64, copy=False)
        weights = np.ones(len(log_density)) if rows.weights is None else rows.weights
        are_counted = rows.counted
        counted: Any = slice(None) if are_counted is None else are_counted
        total, weight = float(weights[counted] @ log_density[counted]), float(weights[counted].sum())
        return found, InModerateUnit(Sums(len(log_density), total, weight), largest)


@dataclass(frozen=True, eq=False)
class _Summed:
    scorer: Scorer
    form: Form

    def __call__(self, block: Block, n_threads: int) -> InModerateUnit[Sums]:
        return _Scored(self.scorer, self.form)(block, n_threads)[1]


def require_alike(form: Form, n_features: int, fitted: Names | None, estimator: str) -> None:
    """Features of a source must be those of the fit."""
    if form.columns is not None and fitted is not None and form.columns != tuple(fitted):
        raise ValueError(
            f"{form.name} has the columns {', '.join(form.columns)}, {estimator} was fitted to {', '.join(fitted)}: "
            "choose them by blocks_of(..., columns=...)"
        )
    check_n_features(form.n_features, n_features, estimator)
