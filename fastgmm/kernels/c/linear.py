"""Starting the C kernels of rows of entries."""

from typing import Any

import fastgmm.kernels.c._kernels as _kernels
from fastgmm.entries import Entries
from fastgmm.kernels.c.launch import Counter, share_out
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.linear import LinearKernels, LinearSlots
from fastgmm.parameters import PreparedLinear


def sweep(rows: Entries, prepared: PreparedLinear, section: Section, slots: LinearSlots, n_threads: int) -> None:
    """Add the sums of the section's rows to the slots of their chunks."""
    arguments = _described(rows), tuple(prepared), section, tuple(slots)

    def work(next_chunk: Counter) -> None:
        _kernels.linear_sweep(*arguments, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def log_density(rows: Entries, prepared: PreparedLinear, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    arguments = _described(rows), tuple(prepared), section, outputs

    def work(next_chunk: Counter) -> None:
        _kernels.linear_log_density(*arguments, next_chunk)

    share_out(work, min(n_threads, section.n_chunks))


def _described(rows: Entries) -> tuple[Any, ...]:
    which = rows.values, rows.starts, rows.lines, rows.has_missing
    return rows.n_rows, rows.n_features, *which, rows.weights, rows.groups, rows.group_prior


KERNELS = LinearKernels(sweep, log_density)
