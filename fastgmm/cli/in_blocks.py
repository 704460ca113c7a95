"""``fastgmm fit``, ``predict`` and ``score`` of points in blocks, in memory that does not grow with their number."""

import math
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fastgmm.cli.commands import FittedPoints, fit_report, rows_report, slices, timed_fit
from fastgmm.cli.inputs import blocks_for, blocks_in, require_fit_outputs, require_rows_output
from fastgmm.cli.words import messages_about_blocks
from fastgmm.data.blocks.cutting import default_block_rows
from fastgmm.data.weights import InModerateUnit
from fastgmm.estimator.calls import ready_for_blocks
from fastgmm.estimator.front import load
from fastgmm.estimator.of_blocks import NO_SUMS, Sums, densities_and_sums, sums_of
from fastgmm.model.criteria import bic
from fastgmm.parameters import Array, IntArray
from fastgmm.show.reports import Report, facts_text


def fit(arguments: Namespace) -> Report:
    """``fastgmm fit``: a mixture of points, which are read anew in every pass."""
    require_fit_outputs(arguments)
    with messages_about_blocks():
        blocks = blocks_in(arguments, arguments.columns, arguments.header)
        mixture, seconds = timed_fit(arguments, blocks)
    if arguments.output is not None:
        mixture.save(arguments.output)
    scorer, form = ready_for_blocks(mixture, blocks), blocks.form
    sums = sums_of(scorer, blocks, mixture.n_threads).as_given()
    score = sums.log_likelihood / sums.weight
    criterion = bic(score, sums.weight, scorer.n_parameters)
    points = FittedPoints(sums.n_rows, form.n_features, f"{form.dtype}, in blocks", score, criterion)
    return fit_report(arguments, mixture, points, seconds)


def predict(arguments: Namespace) -> Report:
    """``fastgmm predict``: labels or probabilities of points under a model, written as blocks are read."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    n_components, n_features = mixture.means_.shape
    block_rows = arguments.block_rows
    if arguments.proba and block_rows is None:  # such that probabilities take no more memory than rows
        block_rows = default_block_rows(max(n_components, n_features), np.dtype(np.float64))
    with messages_about_blocks():
        blocks = blocks_for(mixture, arguments, block_rows)
        answers = mixture.predict_proba(blocks) if arguments.proba else mixture.predict(blocks)
    written = _Written(blocks.form.name)
    if arguments.proba:
        columns = [f"component_{component}" for component in range(n_components)]
        form = None, (n_components,), blocks.form.dtype, columns
        return rows_report(arguments, "probabilities", written.rows(answers), *form, written.facts)
    counts = np.zeros(n_components, np.int64)
    rows = written.rows(_counted(answers, counts))
    return rows_report(
        arguments, "labels", rows, None, (), np.int64, ["label"], lambda: written.facts() | {"counts": counts.tolist()}
    )


def score(arguments: Namespace) -> Report:
    """``fastgmm score``: the log-likelihood of points under a model, or log-densities, written as blocks are read."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    with messages_about_blocks():
        blocks = blocks_for(mixture, arguments, arguments.block_rows)
        scorer = ready_for_blocks(mixture, blocks)
    if arguments.samples or arguments.output is not None:
        total, written = _Total(), _Written(blocks.form.name)
        rows = written.rows(total.densities(densities_and_sums(scorer, blocks, mixture.n_threads)))
        form = None, (), blocks.form.dtype, ["log_density"]
        return rows_report(arguments, "log_densities", rows, *form, lambda: _facts_of(total.sums.as_given()))
    sums = sums_of(scorer, blocks, mixture.n_threads).as_given()
    per_point = f"{sums.log_likelihood / sums.weight:.10g} per point"
    return Report([facts_text({"points": f"{sums.n_rows:,}", "log-likelihood": per_point})], _facts_of(sums))


def _facts_of(sums: Sums) -> dict[str, object]:
    return {
        "points": sums.n_rows,
        "log_likelihood_per_point": sums.log_likelihood / sums.weight if sums.weight else math.nan,
        "log_likelihood": sums.log_likelihood,
    }


@dataclass(eq=False)
class _Written:
    """Counts the rows of answers while they are written, since nobody knows before how many there are."""

    source: str
    n_rows: int = 0

    def rows(self, answers: Iterable[Array]) -> Iterator[Array]:
        for answer in answers:
            self.n_rows += len(answer)
            yield from slices(answer)
        if not self.n_rows:
            raise ValueError(f"{self.source}: no rows")

    def facts(self) -> dict[str, object]:
        return {"points": self.n_rows}


def _counted(labels: Iterable[Array], counts: IntArray) -> Iterator[Array]:
    """The labels, which are added to the counts of components."""
    for some in labels:
        counts += np.bincount(some, minlength=len(counts))
        yield some


@dataclass(eq=False)
class _Total:
    """Adds up sums while densities are written."""

    sums: InModerateUnit[Sums] = NO_SUMS

    def densities(self, outputs: Iterable[tuple[Array, InModerateUnit[Sums]]]) -> Iterator[Array]:
        for densities, sums in outputs:
            self.sums += sums
            yield densities
