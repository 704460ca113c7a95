"""Starting the kernels of rows that lack some of their values.

Their workers are threads of Python's own: a kernel for Numba's threads would be compiled once more as a whole.
"""

from typing import Any

import numba
import numpy as np

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteKernels, IncompleteSlots, Order
from fastgmm.kernels.numba_.incomplete_desk import DesksAndTiles, allocate_desks, blocks_of
from fastgmm.kernels.numba_.incomplete_diag import deviations_of, score_variances, sweep_variances
from fastgmm.kernels.numba_.incomplete_sweeps import score_matrices, sweep_matrices
from fastgmm.kernels.numba_.launch import flat_rows, run_in_thread_pool
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.tile import allocate_scratch
from fastgmm.kernels.numba_.vector_numpy import lanes
from fastgmm.parameters import IncompleteDiag, PreparedIncomplete
from fastgmm.rows import Rows

# Vectors of NumPy's functions have a length of their own.
_LANES = lanes(np.empty(0)) if numba.config.DISABLE_JIT else VECTOR_BYTES // 8


def sweep(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, slots: IncompleteSlots, n_threads: int
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    if isinstance(prepared, IncompleteDiag):
        _launch(sweep_variances, rows, prepared, order, section, slots, n_threads)
    else:
        # Full and tied second moments then have the same Numba type.
        first, second = (slot.reshape(section.n_chunks, -1) for slot in (slots.first, slots.second))
        assert np.shares_memory(first, slots.first)
        assert np.shares_memory(second, slots.second)
        flat = slots._replace(first=first, second=second)
        _launch(sweep_matrices, rows, prepared, order, section, flat, n_threads)


def log_density(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, outputs: Outputs, n_threads: int
) -> None:
    """Fill the outputs of the section's rows, each in its place."""
    # A row's density is its own, whatever its weight.
    unweighted = Rows(rows.values, None, rows.origin, rows.groups, rows.group_prior)
    kernel = score_variances if isinstance(prepared, IncompleteDiag) else score_matrices
    _launch(kernel, unweighted, prepared, order, section, outputs, n_threads)


def _launch(
    kernel: Any,
    rows: Rows,
    prepared: PreparedIncomplete,
    order: Order,
    section: Section,
    results: IncompleteSlots | Outputs,
    n_threads: int,
) -> None:
    n_workers = min(n_threads, section.n_chunks)
    n_components, d = prepared.means.shape
    tiles = allocate_scratch(n_workers, section.tile_rows, d, n_components, np.float64)
    arguments: tuple[Any, ...]
    if isinstance(prepared, IncompleteDiag):
        arguments = flat_rows(rows, order), deviations_of(prepared), section, tiles, results
    else:
        blocks = blocks_of(prepared, _LANES)
        scratch = DesksAndTiles(allocate_desks(n_workers, blocks, d, _LANES), tiles)
        arguments = flat_rows(rows, order), blocks, section, scratch, results
    if n_workers == 1:
        kernel(0, 1, *arguments)
    else:
        run_in_thread_pool(kernel, n_workers, arguments)


KERNELS = IncompleteKernels(sweep, log_density)
