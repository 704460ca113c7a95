"""What the loop of EM needs of whoever visits the rows."""

from collections.abc import Sequence
from typing import Protocol

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.moments import Moments
from fastgmm.parameters import Model


class DeadlineError(Exception):
    """There is no time left to finish a sweep."""


class Sweep(Protocol):
    """Visits every row and returns the moments under each of some models; rows that are dear to visit, once for all.

    It may raise ``DeadlineError``, also in the middle. ``backend`` and ``n_threads`` are for other work on its rows.
    """

    @property
    def facts(self) -> Facts: ...

    @property
    def family(self) -> CovarianceFamily: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def n_threads(self) -> int: ...

    def __call__(self, models: Sequence[Model]) -> list[Moments]: ...
