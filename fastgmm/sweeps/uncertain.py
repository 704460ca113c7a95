"""Visits to rows in memory whose errors are known: moments of the true values.

Rows without any observed value say nothing, and are left out of sweeps.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.families.uncertain import moments_of_true_values
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.incomplete import Order
from fastgmm.kernels.uncertain import UncertainSlots
from fastgmm.machine.pieces import places_of_nonzero
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, PreparedUncertain
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep
from fastgmm.sweeps.sweep import Machinery, Question
from fastgmm.sweeps.uncertain_scores import form_of, plan_of_uncertain

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class UncertainSweep:
    """A :class:`Sweep` over rows of known errors.

    ``as_measured`` visits the same rows as though they had none: whatever needs no more of them, a start among others,
    asks that one. ``order`` names the rows that have a value, where some have none.
    """

    facts: Facts
    as_measured: InMemory | IncompleteSweep
    order: Order | None

    @property
    def family(self) -> CovarianceFamily:
        return self.as_measured.family

    @property
    def backend(self) -> Backend:
        return self.as_measured.backend

    @property
    def n_threads(self) -> int:
        return self.as_measured.n_threads

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        yield question(self.facts.rows, Machinery(self.family, self.backend, self.n_threads))

    def check_deadline(self) -> None:
        """Raise where no time is left, or nobody waits for the result any more."""
        self.as_measured.check_deadline()

    def tempered(self, exponent: float) -> "UncertainSweep":
        """The same, what is believed of rows raised to a power."""
        groups, table = self.facts.rows.groups, self.facts.rows.group_prior
        if exponent == 1.0 or groups is None or table is None:
            return self
        return replace(self, facts=self.facts.believing(groups, table * exponent))

    def believing(self, groups: NDArray[np.int32], table: FloatArray) -> "UncertainSweep":
        """The same sweep over rows of whose components something else is believed."""
        return replace(self, facts=self.facts.believing(groups, table))

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self.moments(form_of(self.family, model, self.facts.rows)) for model in models]

    def moments(self, prepared: PreparedUncertain) -> Moments:
        """Those of the true values, under one model: of all sections, the slots added in the order of the chunks."""
        rows, (n_components, n_features) = self.facts.rows, prepared.means.shape
        n_rows = rows.shape[0] if self.order is None else len(self.order)
        slot_numbers = n_components * (1 + n_features) + prepared.covariances.size + 2
        plan = plan_of_uncertain(rows, prepared, max(1, n_rows), slot_numbers)
        slots = UncertainSlots(
            counts=np.zeros((plan.n_chunks, n_components)),
            first=np.zeros((plan.n_chunks, n_components, n_features)),
            second=np.zeros((plan.n_chunks, *prepared.covariances.shape)),
            totals=np.zeros((plan.n_chunks, 2)),
        )
        n_threads = min(self.n_threads, plan.useful_threads)
        for section in plan.sections(n_threads):
            self.check_deadline()
            self.backend.uncertain.sweep(rows, prepared, self.order, section, slots, n_threads)
        counts, first, second, totals = (slot.sum(axis=0) for slot in slots)
        first, second = moments_of_true_values(self.family, prepared, counts, first, second)
        sums = float(totals[0]), float(totals[1]), self.facts.n_counted
        return Moments(counts, first, second, *sums, prepared.means, self.family.kernel)


def with_known_errors(facts: Facts, as_measured: InMemory | IncompleteSweep) -> UncertainSweep:
    """A sweep over rows whose errors the facts know."""
    is_whole = not facts.rows.has_missing or not len(facts.patterns.empty)
    return UncertainSweep(
        facts, as_measured, None if is_whole else places_of_nonzero(facts.rows.are_observed, np.int32)
    )
