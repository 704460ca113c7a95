"""Starting C kernels: which family, and threads."""

import _thread
import contextlib
import os
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

import fastgmm.kernels.c._kernels as _kernels
from fastgmm.kernels.chains import Chain, Sequences
from fastgmm.kernels.contract import Bounds, Outputs, Section, Slots
from fastgmm.kernels.incomplete import IncompleteSlots, Order
from fastgmm.kernels.uncertain import UncertainSlots
from fastgmm.parameters import (
    FloatArray,
    IncompleteDiag,
    IncompleteFull,
    IncompleteTied,
    IntArray,
    Prepared,
    PreparedDiag,
    PreparedFactor,
    PreparedFull,
    PreparedIncomplete,
    PreparedSpherical,
    PreparedTied,
    PreparedUncertain,
    UncertainVariances,
)
from fastgmm.rows import Rows

# Named here, since Python evaluates an annotation in a nested function in every call.
Counter = NDArray[np.int64] | None
Work = Callable[[Counter], None]
Outcome = SimpleQueue[BaseException | None]
Task = tuple[Work, NDArray[np.int64], list[None], Outcome]

# The order of the families in kernels.h.
_FAMILIES: dict[type, int] = {
    PreparedFull: 0,
    PreparedTied: 1,
    PreparedDiag: 2,
    PreparedSpherical: 3,
    PreparedFactor: 4,
    IncompleteFull: 0,
    IncompleteTied: 1,
    IncompleteDiag: 2,
}


class _Helpers:
    """Threads beside the caller's that wait for work.

    An executor of the standard library takes as long to hand work over as a sweep of 100,000 small rows.
    """

    def __init__(self) -> None:
        self.tasks: SimpleQueue[Task] = SimpleQueue()
        self.n_threads = 0
        self.growing = _thread.allocate_lock()

    def at_least(self, n_threads: int) -> int:
        """Start the threads that are missing; return how many there are, fewer where the system gives no more."""
        if self.n_threads < n_threads:
            with self.growing, contextlib.suppress(RuntimeError):  # can't start new thread
                while self.n_threads < n_threads:
                    # `threading.Thread` waits until the new thread runs, and breaks where Ctrl-C comes meanwhile.
                    _thread.start_new_thread(_serve, (self.tasks,))
                    self.n_threads += 1
        return min(self.n_threads, n_threads)


# The package keeps these threads, and nothing else, between calls: to start new ones costs as much as a small sweep.
_helpers = _Helpers()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.__init__)  # type: ignore[misc]  # a child has none of these threads


def _serve(tasks: "SimpleQueue[Task]") -> None:
    while True:
        _help(*tasks.get())


def _help(work: Work, next_chunk: NDArray[np.int64], tickets: list[None], outcome: Outcome) -> None:
    try:
        tickets.pop()
    except IndexError:  # too late: the caller has withdrawn the task
        return
    try:
        work(next_chunk)
    except BaseException as error:  # raised again where the work came from
        outcome.put(error)
    else:
        outcome.put(None)


def sweep(
    rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int, order: Order | None = None
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    _sweep(rows, prepared, order, section, slots, None, n_threads)


def bounded_sweep(
    rows: Rows, prepared: Prepared, section: Section, slots: Slots, bounds: Bounds, n_threads: int
) -> None:
    """The same for rows in the order of the bounds, without the components that these exclude."""
    _sweep(rows, prepared, None, section, slots, bounds, n_threads)


def _sweep(
    rows: Rows,
    prepared: Prepared,
    order: Order | None,
    section: Section,
    slots: Slots,
    bounds: Bounds | None,
    n_threads: int,
) -> None:
    arguments = _FAMILIES[type(prepared)], rows.values, rows.weights, rows.origin, rows.groups, rows.group_prior

    def work(next_chunk: Counter) -> None:
        _kernels.sweep(*arguments, prepared, order, section, slots, bounds, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def log_density(rows: Rows, prepared: Prepared, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    arguments = _FAMILIES[type(prepared)], rows.values, rows.origin, rows.groups, rows.group_prior
    if n_threads == 1:  # directly, since to share the work out takes as long as to score a row
        _kernels.log_density(*arguments, prepared, section, outputs, None)
        return

    def work(next_chunk: Counter) -> None:
        _kernels.log_density(*arguments, prepared, section, outputs, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def incomplete_sweep(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, slots: IncompleteSlots, n_threads: int
) -> None:
    """Add the moments of the section's rows, which may lack values, to the slots of their chunks."""
    arguments = _FAMILIES[type(prepared)], rows.values, rows.weights, rows.origin, rows.groups, rows.group_prior

    def work(next_chunk: Counter) -> None:
        _kernels.incomplete_sweep(*arguments, prepared, order, section, slots, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def incomplete_log_density(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, outputs: Outputs, n_threads: int
) -> None:
    """Fill the outputs of the section's rows, which may lack values, each in its place."""
    arguments = _FAMILIES[type(prepared)], rows.values, rows.origin, rows.groups, rows.group_prior

    def work(next_chunk: Counter) -> None:
        _kernels.incomplete_log_density(*arguments, prepared, order, section, outputs, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def chain_posteriors(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_likelihoods: FloatArray,
    transitions: FloatArray,
    n_threads: int,
) -> None:
    """Turn joint log-densities into posteriors; add expected transitions to the slots of their chunks."""

    def work(next_chunk: Counter) -> None:
        _kernels.chain_posteriors(chain, sequences, joint, log_likelihoods, transitions, next_chunk)

    share_out(work, min(n_threads, len(sequences.chunks) - 1))


def chain_decode(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_probabilities: FloatArray,
    states: IntArray,
    n_threads: int,
) -> None:
    """The most probable path of every sequence."""

    def work(next_chunk: Counter) -> None:
        _kernels.chain_decode(chain, sequences, joint, log_probabilities, states, next_chunk)

    share_out(work, min(n_threads, len(sequences.chunks) - 1))


def uncertain_sweep(
    rows: Rows,
    prepared: PreparedUncertain,
    order: Order | None,
    section: Section,
    slots: UncertainSlots,
    n_threads: int,
) -> None:
    """Add the moments of the section's rows, whose errors are known, to the slots of their chunks."""
    assert rows.errors is not None
    of_rows = rows.values, rows.weights, rows.origin, rows.groups, rows.group_prior
    arguments = rows.errors, _kind_of(prepared), *of_rows

    def work(next_chunk: Counter) -> None:
        _kernels.uncertain_sweep(*arguments, prepared, order, section, slots, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def uncertain_log_density(
    rows: Rows, prepared: PreparedUncertain, section: Section, outputs: Outputs, n_threads: int
) -> None:
    """Fill the outputs of the section's rows, whose errors are known."""
    assert rows.errors is not None
    arguments = rows.errors, _kind_of(prepared), rows.values, rows.origin, rows.groups, rows.group_prior

    def work(next_chunk: Counter) -> None:
        _kernels.uncertain_log_density(*arguments, prepared, section, outputs, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def _kind_of(prepared: PreparedUncertain) -> int:
    """The family whose covariances have the shape of these."""
    if isinstance(prepared, UncertainVariances):
        return _FAMILIES[PreparedDiag]
    return _FAMILIES[PreparedFull if len(prepared.covariances) == len(prepared.means) else PreparedTied]


def share_out(work: Work, n_workers: int) -> None:
    """Let this thread and ``n_workers - 1`` helpers take chunks until none is left; return when all are done."""
    n_helpers = _helpers.at_least(n_workers - 1) if n_workers > 1 else 0
    if n_helpers == 0:
        work(None)
        return
    next_chunk = np.zeros(1, np.int64)
    outcome: Outcome = SimpleQueue()
    # Each helper that starts takes a ticket and must report. When the caller is done it takes back the unused tickets,
    # so that it waits only for helpers that really started, and not for those that are busy with others' work.
    tickets = [None] * n_helpers
    for _ in range(n_helpers):
        _helpers.tasks.put((work, next_chunk, tickets, outcome))
    try:
        work(next_chunk)
    finally:
        errors = [outcome.get() for _ in range(n_helpers - _withdraw(tickets))]
    for error in errors:
        if error is not None:
            raise error


def _withdraw(tickets: list[None]) -> int:
    """Take the tickets that are left; return how many there were."""
    n_tickets = 0
    with contextlib.suppress(IndexError):
        while True:
            tickets.pop()
            n_tickets += 1
    return n_tickets


def describe() -> list[str]:
    """Lines about the compiled kernels, for ``show_backend``."""
    return [f"C kernels: {_kernels.INSTRUCTION_SET} (this CPU runs {', '.join(_kernels.INSTRUCTION_SETS)})"]
