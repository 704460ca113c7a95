"""Starting C kernels: which family, and threads."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import fastgmm.kernels.c._kernels as _kernels
from fastgmm.kernels.contract import Outputs, Rows, Section, Slots
from fastgmm.parameters import Prepared, PreparedDiag, PreparedFull, PreparedSpherical, PreparedTied

# The order of the families in kernels.h.
_FAMILIES: dict[type, int] = {PreparedFull: 0, PreparedTied: 1, PreparedDiag: 2, PreparedSpherical: 3}


@functools.cache
def _helpers(n_threads: int) -> ThreadPoolExecutor:
    """Threads beside the caller's, kept because starting them anew would cost as much as a small sweep."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="fastgmm")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # a child has none of its parent's threads


def sweep(rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    family = _FAMILIES[type(prepared)]
    n_workers = min(n_threads, section.n_chunks)

    def work(worker: int) -> None:
        _kernels.sweep(family, rows.values, rows.weights, prepared, section, slots, worker, n_workers)

    _share_out(work, n_workers)


def log_density(rows: Rows, prepared: Prepared, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    family = _FAMILIES[type(prepared)]
    if n_threads == 1:  # without a detour, since a row takes no longer than the detour would
        _kernels.log_density(family, rows.values, prepared, section, outputs, 0, 1)
        return
    n_workers = min(n_threads, section.n_chunks)

    def work(worker: int) -> None:
        _kernels.log_density(family, rows.values, prepared, section, outputs, worker, n_workers)

    _share_out(work, n_workers)


def _share_out(work: Callable[[int], None], n_workers: int) -> None:
    """Call ``work`` with every worker's number, that of worker 0 in this thread; return when all are done."""
    others = [_helpers(n_workers - 1).submit(work, worker) for worker in range(1, n_workers)]
    try:
        work(0)
    finally:
        wait(others)
    for other in others:
        other.result()


def describe() -> list[str]:
    """Lines about the compiled kernels, for ``show_backend``."""
    return [f"C kernels: {_kernels.INSTRUCTION_SET} (this CPU runs {', '.join(_kernels.INSTRUCTION_SETS)})"]
