"""Sweeps over rows that come in blocks, in this process or in others: each block has moments, added in their order.

Whoever has the blocks does the work on each of them (``data/blocks/block.py``), with the sweep of rows in memory. So
the same blocks give the same bits, wherever they are.
"""

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Generic, TypeAlias, TypeVar

import numpy as np

from fastgmm.data.blocks.block import Block, Blocks
from fastgmm.data.blocks.reading import Reading
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.tied import second_about_means
from fastgmm.kernels import get_backend
from fastgmm.kernels.backend import Backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, Scatter, moments_about
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing
from fastgmm.sweeps.sweep import DeadlineError, Machinery, Question
from fastgmm.sweeps.uncertain import UncertainSweep

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class OverBlocks:
    """A :class:`fastgmm.sweeps.sweep.Sweep` over rows that come in blocks.

    ``for_starts`` are some of the rows. So many threads as are wished work on every block, by default those of the
    place where it is. ``scatter``, where the family needs it, is that of all rows. It raises ``DeadlineError`` between
    two blocks.
    """

    facts: Facts
    for_starts: Rows
    blocks: Blocks
    reading: Reading
    family: CovarianceFamily
    backend: Backend
    wished_threads: int | None
    deadline: float = math.inf
    scatter: Scatter | None = None

    @property
    def n_threads(self) -> int:
        """For what is done here."""
        return resolve_n_threads(self.wished_threads)

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        totals = self._sums(_MomentsOf(tuple(models), self.scatter is not None))
        if sum(total.n_rows for total in totals) != len(totals) * self.facts.n_counted:
            raise ValueError(
                f"{self.blocks.form.name}: {self.facts.n_counted} rows counted in the first pass, {totals[0].n_rows} "
                "in a later one. A source must give the same rows each time."
            )
        if self.scatter is None:
            return totals
        return [
            replace(total, second=second_about_means(self.scatter.moments, self.scatter.center, total, total.about))
            for total in totals
        ]

    def _sums(self, question: Question[list[Moments]]) -> list[Moments]:
        with closing(self.ask(question)) as answers:
            first = next(answers, None)
            if first is None:
                raise ValueError(
                    f"{self.blocks.form.name}: {self.facts.n_counted} rows counted in the first pass, none in a later "
                    "one. A source must give the same rows each time."
                )
            return reduce(lambda some, more: list(map(add, some, more)), answers, first)

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        work = _Asked(self.reading, self.family.name, self.backend.name, question)
        with closing(self.blocks.map(work, self.wished_threads)) as answers:
            for answer in answers:
                check()
                if time.perf_counter() > self.deadline:
                    raise DeadlineError
                yield answer

    def tempered(self, exponent: float) -> "OverBlocks":
        """The same: labels are certain, and stay so when they are raised to a power."""
        return self

    def total_scatter(self) -> Scatter:
        """That of all rows."""
        if self.scatter is not None:
            return self.scatter
        center = self.facts.center
        return Scatter(self._sums(_MomentsAbout(center))[0], center)

    def with_scatter(self) -> "OverBlocks":
        """With that of all rows where it spares second moments, as in memory."""
        is_spared = self.family.is_shared and not self.reading.is_labelled and not self.reading.missing
        return replace(self, scatter=self.total_scatter()) if is_spared else self

    def over_some(self) -> InMemory | IncompleteSweep:
        """The same over the rows for starts."""
        return suited_to_missing(Facts(self.for_starts), self.family, self.backend, self.n_threads, self.deadline)

    def of_one_gaussian(self, family: CovarianceFamily) -> "OverBlocks":
        """The same for one component, of which nothing can be believed."""
        unlabelled = self.facts.read_as(replace(self.facts.rows, groups=None, group_prior=None))
        reading = replace(self.reading, n_components=1, is_labelled=False)
        return replace(self, facts=unlabelled, reading=reading, family=family, scatter=None)


@dataclass(frozen=True, eq=False)
class _Asked(Generic[T]):
    """Work on a block: to read it as the fit does, and to ask its rows."""

    reading: Reading
    family: str
    backend: str
    question: Question[T]

    def __call__(self, block: Block, n_threads: int) -> T:
        by = Machinery(FAMILIES[self.family], get_backend(self.backend), n_threads)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.question(self.reading(block), by)


@dataclass(frozen=True, eq=False)
class _MomentsOf:
    """Asks for the moments under some models; without second ones where these follow from the scatter of all rows."""

    models: tuple[Model, ...]
    is_scatter_known: bool

    def __call__(self, rows: Rows, by: Machinery) -> list[Moments]:
        facts = Facts(rows)
        order = facts.patterns.complete if rows.has_missing else None
        complete = InMemory(facts, by.family, by.backend, by.n_threads, order=order)
        if rows.has_missing:
            return IncompleteSweep(complete)(self.models)
        return replace(complete, has_second=not self.is_scatter_known)(self.models)


@dataclass(frozen=True, eq=False)
class _MomentsAbout:
    """Asks for the moments of a single component about a center."""

    center: FloatArray

    def __call__(self, rows: Rows, by: Machinery) -> list[Moments]:
        return [moments_about(self.center, Facts(rows), by.backend, by.n_threads)]


# The sweeps that a fit begins with, of which those without errors of rows look at what was measured alone.
MeasuredSweep: TypeAlias = InMemory | IncompleteSweep | OverBlocks
AnySweep: TypeAlias = MeasuredSweep | UncertainSweep
