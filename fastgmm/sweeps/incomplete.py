"""Visits to rows some of which lack values: complete ones as ever, the others by kernels of their own, by pattern.

Rows without any observed value say nothing, and are left out of sweeps.
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.data.patterns import patterns_of
from fastgmm.families import CovarianceFamily
from fastgmm.families.factors import symmetric_from_lower
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import ONE_SMALL_TILE, SMALLEST_TILE, WORK_OF_AN_EXPONENTIAL, ChunkPlan, plan_chunks
from fastgmm.kernels.incomplete import IncompleteSlots
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.moments import Moments
from fastgmm.parameters import Array, FloatArray, IncompleteDiag, Model, Prepared, PreparedIncomplete
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, Wanted, bytes_of_a_row, evaluate, fill, make_sweep, outputs_for
from fastgmm.sweeps.sweep import Machinery, Question, Sweep
from fastgmm.sweeps.uncertain_scores import evaluate_uncertain, form_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class IncompleteSweep:
    """A :class:`Sweep` over rows in memory of which some lack values; ``complete`` visits those that lack none."""

    complete: InMemory

    @property
    def facts(self) -> Facts:
        return self.complete.facts

    @property
    def family(self) -> CovarianceFamily:
        return self.complete.family

    @property
    def backend(self) -> Backend:
        return self.complete.backend

    @property
    def n_threads(self) -> int:
        return self.complete.n_threads

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        return self.complete.ask(question)

    def check_deadline(self) -> None:
        """Raise where no time is left, or nobody waits for the result any more."""
        self.complete.check_deadline()

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self.moments(*_forms_of(self.family, model)) for model in models]

    def tempered(self, exponent: float) -> "IncompleteSweep":
        """The same, what is believed of rows raised to a power."""
        return IncompleteSweep(self.complete.tempered(exponent))

    def believing(self, groups: NDArray[np.int32], table: FloatArray) -> "IncompleteSweep":
        """The same sweep over rows of whose components something else is believed."""
        return IncompleteSweep(self.complete.believing(groups, table))

    def moments(self, prepared: Prepared, incomplete: PreparedIncomplete) -> Moments:
        """Those of all rows under one model, given in both of its forms."""
        patterns = self.facts.patterns
        parts = []
        if len(patterns.complete):
            parts.append(self.complete.moments(prepared))
        if len(patterns.incomplete) or not parts:
            parts.append(replace(_moments_of_incomplete(self, incomplete), about=prepared.means))
        return replace(reduce(add, parts), n_rows=self.facts.n_counted)


def suited_to_missing(
    facts: Facts, family: CovarianceFamily, backend: Backend, n_threads: int, deadline: float = math.inf
) -> InMemory | IncompleteSweep:
    """A sweep over rows in memory, by pattern where some of their values are missing."""
    if not facts.rows.has_missing:
        return make_sweep(facts, family, backend, n_threads, deadline)
    family.require_knows_missing()
    return IncompleteSweep(make_sweep(facts, family, backend, n_threads, deadline, facts.patterns.complete))


def responsibilities_of(rows: Rows, model: Model, sweep: Sweep | Machinery) -> Array:
    """Those of some rows (n, K) for the components of a model, by the machinery of a sweep."""
    return output_of(rows, model, sweep, "responsibilities")


def output_of(rows: Rows, model: Model, sweep: Sweep | Machinery, wanted: Wanted) -> Array:
    """What a model says of some rows, by the machinery of a sweep: see ``in_memory.evaluate``."""
    if rows.errors is not None:
        form = form_of(sweep.family, model, rows)
        return evaluate_uncertain(rows, form, sweep.backend, sweep.n_threads, wanted)
    if not rows.has_missing:
        return evaluate(rows, model.prepared, sweep.backend, sweep.n_threads, wanted)
    return evaluate_incomplete(rows, *_forms_of(sweep.family, model), sweep.backend, sweep.n_threads, wanted)


def _forms_of(family: CovarianceFamily, model: Model) -> tuple[Prepared, PreparedIncomplete]:
    return model.prepared, family.prepare_incomplete(model.parameters, model.precisions_cholesky, model.exponent)


def _moments_of_incomplete(sweep: IncompleteSweep, incomplete: PreparedIncomplete) -> Moments:
    """Run the kernel over all sections of the rows by pattern, and add the slots in the order of the chunks."""
    (n_components, n_features), order = incomplete.means.shape, sweep.facts.patterns.incomplete
    is_direct = isinstance(incomplete, IncompleteDiag)
    second_shape = incomplete.means.shape if is_direct else incomplete.covariances.shape
    slot_numbers = n_components * (1 + (2 if is_direct else 1) * n_features) + math.prod(second_shape) + 2
    plan = _plan(incomplete, len(order), slot_numbers)
    slots = IncompleteSlots(
        counts=np.zeros((plan.n_chunks, n_components)),
        first=np.zeros((plan.n_chunks, n_components, n_features)),
        second=np.zeros((plan.n_chunks, *second_shape)),
        totals=np.zeros((plan.n_chunks, 2)),
        observed=np.zeros((plan.n_chunks if is_direct else 0, n_components, n_features)),
    )
    n_threads = min(sweep.n_threads, plan.useful_threads)
    for section in plan.sections(n_threads):
        sweep.complete.check_deadline()
        sweep.backend.incomplete.sweep(sweep.facts.rows, incomplete, order, section, slots, n_threads)
    counts, first, second, totals = (slot.sum(axis=0) for slot in slots[:4])
    if sweep.family.is_shared:
        second = symmetric_from_lower(second)
    elif sweep.family.kernel == "spherical":
        second = second.sum(axis=1)
    extra = slots.observed.sum(axis=0) if is_direct else np.empty((n_components, 0))
    about, kernel = incomplete.means, sweep.family.kernel
    return Moments(counts, first, second, float(totals[0]), float(totals[1]), len(order), about, kernel, extra)


def evaluate_incomplete(
    rows: Rows,
    prepared: Prepared,
    incomplete: PreparedIncomplete,
    backend: Backend,
    n_threads: int | None,
    wanted: Wanted,
) -> Array:
    """One output of all rows, under two forms of the same model: see ``in_memory.evaluate``."""
    result, outputs = outputs_for(rows, len(prepared.log_constants), wanted)
    if len(result) <= SMALLEST_TILE:  # to sort so few would take longer than to score them
        backend.log_density(rows, prepared, ONE_SMALL_TILE, outputs, 1)
        is_missing = np.isnan(rows.values)
        lacking = np.flatnonzero(is_missing.any(axis=1)).astype(np.int32)
        backend.incomplete.log_density(rows, incomplete, lacking, ONE_SMALL_TILE, outputs, 1)
        if wanted == "log_density":
            result[is_missing.all(axis=1)] = 0.0  # which log Σπ is but for rounding
        return result
    fill(outputs, rows, prepared, backend, n_threads)
    patterns = patterns_of(rows)
    order = np.concatenate([patterns.incomplete, patterns.empty])
    plan = _plan(incomplete, len(order), slot_numbers=1)
    useful_threads = min(plan.useful_threads, resolve_n_threads(n_threads)) if plan.useful_threads > 1 else 1
    for block, section in plan.blocks(len(order), useful_threads, plan.work_per_row, bytes_of_a_row(rows, outputs)):
        check()
        backend.incomplete.log_density(rows, incomplete, order[block], section, outputs, useful_threads)
    if wanted == "log_density":
        result[patterns.empty] = 0.0
    return result


def _plan(incomplete: PreparedIncomplete, n_rows: int, slot_numbers: int) -> ChunkPlan:
    """How incomplete rows are cut: by the shape of the problem alone."""
    n_components, n_features = incomplete.means.shape
    itemsize = incomplete.means.itemsize
    plan = plan_chunks(max(1, n_rows), n_features, n_components, itemsize, slot_numbers)
    work = n_components * (_work_of_a_pair(incomplete) + WORK_OF_AN_EXPONENTIAL)
    return plan.for_work(work)


def _work_of_a_pair(incomplete: PreparedIncomplete) -> int:
    """About how many multiply-adds a row and a component take: where each row has a pattern of its own, a factor."""
    n_features = int(incomplete.means.shape[1])
    return 3 * n_features if isinstance(incomplete, IncompleteDiag) else n_features**3 // 6 + 2 * n_features**2
