"""What the loop of EM needs of whoever visits the rows."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.machine.waiting import check
from fastgmm.moments import Moments
from fastgmm.parameters import Model
from fastgmm.rows import Rows

T = TypeVar("T")


class DeadlineError(Exception):
    """There is no time left to finish a sweep."""


def check_deadline(deadline: float) -> None:
    """Raise once ``time.perf_counter()`` is past the deadline, or nobody waits for the result any more."""
    check()
    if time.perf_counter() > deadline:
        raise DeadlineError


@dataclass(frozen=True, eq=False)
class Machinery:
    """What computes with rows where they are."""

    family: CovarianceFamily
    backend: Backend
    n_threads: int


# What is asked of rows, moments among others: of all in memory at once, else of every block, wherever it is. So it must
# be picklable, and what it returns.
Question: TypeAlias = Callable[[Rows, Machinery], T]


class Passes(Protocol):
    """Visits every row and returns the moments under each of some models; rows that are dear to visit, once for all.

    It may raise ``DeadlineError``, also in the middle. A loop asks no more of it, whatever rows and models are.
    """

    def __call__(self, models: Sequence[Model]) -> list[Moments]: ...


class Sweep(Passes, Protocol):
    """One over rows of numbers. ``backend`` and ``n_threads`` are for other work on its rows."""

    @property
    def facts(self) -> Facts: ...

    @property
    def family(self) -> CovarianceFamily: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def n_threads(self) -> int: ...

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        """The answers of all rows, in order; whoever has heard enough closes it."""
