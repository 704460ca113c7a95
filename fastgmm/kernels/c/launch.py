"""Starting C kernels: which family, and threads."""

import _thread
import functools
import os
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

import fastgmm.kernels.c._kernels as _kernels
from fastgmm.kernels.contract import Outputs, Rows, Section, Slots
from fastgmm.parameters import Prepared, PreparedDiag, PreparedFull, PreparedSpherical, PreparedTied

Work = Callable[[NDArray[np.int64] | None], None]
Outcome = SimpleQueue[BaseException | None]

# The order of the families in kernels.h.
_FAMILIES: dict[type, int] = {PreparedFull: 0, PreparedTied: 1, PreparedDiag: 2, PreparedSpherical: 3}


class _Helpers:
    """Threads beside the caller's that wait for work.

    An executor of the standard library would do, were its handover not as long as a sweep of 100,000 small rows.
    """

    def __init__(self, n_threads: int) -> None:
        self.tasks: SimpleQueue[tuple[Work, NDArray[np.int64], Outcome]] = SimpleQueue()
        for _ in range(n_threads):
            # `threading.Thread` waits until the thread runs, and breaks where Ctrl-C falls into that.
            _thread.start_new_thread(self._serve, ())

    def _serve(self) -> None:
        while True:
            self._do(*self.tasks.get())

    @staticmethod
    def _do(work: Work, next_chunk: NDArray[np.int64], outcome: Outcome) -> None:
        try:
            work(next_chunk)
        except BaseException as error:  # raised again where the work came from
            outcome.put(error)
        else:
            outcome.put(None)


@functools.cache
def _helpers(n_threads: int) -> _Helpers:
    """The one cache of this package: starting threads anew would cost as much as a small sweep."""
    return _Helpers(n_threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # a child has none of its parent's threads


def sweep(rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    family = _FAMILIES[type(prepared)]

    def work(next_chunk: NDArray[np.int64] | None) -> None:
        _kernels.sweep(family, rows.values, rows.weights, prepared, section, slots, next_chunk)

    _share_out(work, min(n_threads, section.n_chunks))


def log_density(rows: Rows, prepared: Prepared, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    family = _FAMILIES[type(prepared)]
    if n_threads == 1:  # without a detour, since a row takes no longer than the detour would
        _kernels.log_density(family, rows.values, prepared, section, outputs, None)
        return

    def work(next_chunk: NDArray[np.int64] | None) -> None:
        _kernels.log_density(family, rows.values, prepared, section, outputs, next_chunk)

    _share_out(work, min(n_threads, section.n_chunks))


def _share_out(work: Work, n_workers: int) -> None:
    """Let this thread and ``n_workers - 1`` helpers take chunks until none is left; return when all are done."""
    if n_workers == 1:
        work(None)
        return
    next_chunk = np.zeros(1, np.int64)
    outcome: Outcome = SimpleQueue()
    helpers = _helpers(n_workers - 1)
    for _ in range(1, n_workers):
        helpers.tasks.put((work, next_chunk, outcome))
    try:
        work(next_chunk)
    finally:
        errors = [outcome.get() for _ in range(1, n_workers)]
    for error in errors:
        if error is not None:
            raise error


def describe() -> list[str]:
    """Lines about the compiled kernels, for ``show_backend``."""
    return [f"C kernels: {_kernels.INSTRUCTION_SET} (this CPU runs {', '.join(_kernels.INSTRUCTION_SETS)})"]
