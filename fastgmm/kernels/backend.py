"""A backend: what it must be able to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastgmm.kernels.chains import ChainKernels
from fastgmm.kernels.contract import Bounds, Outputs, Section, Slots
from fastgmm.kernels.incomplete import IncompleteKernels, Order
from fastgmm.kernels.uncertain import UncertainKernels
from fastgmm.parameters import Prepared
from fastgmm.rows import Rows


class SweepKernel(Protocol):
    """Adds the moments of a section's rows to the slots of their chunks.

    Where there is an ``order``, chunks are cut from it: it names the rows that are visited, each once.
    """

    def __call__(
        self, rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int, order: Order | None = None
    ) -> None: ...


@dataclass(frozen=True)
class Backend:
    """A backend; its kernels take (rows, prepared, section, slots or outputs, n_threads) and return nothing.

    ``incomplete`` are those for rows that lack some of their values, ``uncertain`` those for rows of known errors.
    ``bounded_sweep``, where there is one, takes bounds after the slots, and rows without groups. ``describe`` gives
    lines about how they were compiled, for ``show_backend``. ``chains`` are those for rows that are
    steps of chains.
    """

    name: str
    sweep: SweepKernel
    log_density: Callable[[Rows, Prepared, Section, Outputs, int], None]
    incomplete: IncompleteKernels
    uncertain: UncertainKernels
    describe: Callable[[], list[str]] = list
    bounded_sweep: Callable[[Rows, Prepared, Section, Slots, Bounds, int], None] | None = None
    chains: ChainKernels | None = None
