"""Starting the kernels of rows that lack some of their values."""

from typing import Any

import numba
import numpy as np

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteKernels, IncompleteSlots, Order
from fastgmm.kernels.numba_ import incomplete_desk, incomplete_diag
from fastgmm.kernels.numba_.incomplete_diag import (
    score_variances,
    score_variances_parallel,
    sweep_variances,
    sweep_variances_parallel,
)
from fastgmm.kernels.numba_.incomplete_sweeps import (
    score_matrices,
    score_matrices_parallel,
    sweep_matrices,
    sweep_matrices_parallel,
)
from fastgmm.kernels.numba_.launch import flat_rows, launch_workers
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
        kernels = sweep_variances, sweep_variances_parallel
        _launch(kernels, rows, prepared, order, section, slots, n_threads)
    else:
        # Full and tied second moments then have the same Numba type.
        flat = slots._replace(
            first=slots.first.reshape(section.n_chunks, -1), second=slots.second.reshape(section.n_chunks, -1)
        )
        assert np.shares_memory(flat.first, slots.first)
        assert np.shares_memory(flat.second, slots.second)
        _launch((sweep_matrices, sweep_matrices_parallel), rows, prepared, order, section, flat, n_threads)


def log_density(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, outputs: Outputs, n_threads: int
) -> None:
    """Fill the outputs of the section's rows, each in its place."""
    # A row's density is its own, whatever its weight.
    unweighted = Rows(rows.values, None, rows.origin, rows.groups, rows.group_prior)
    of_variances = isinstance(prepared, IncompleteDiag)
    kernels = (score_variances, score_variances_parallel) if of_variances else (score_matrices, score_matrices_parallel)
    _launch(kernels, unweighted, prepared, order, section, outputs, n_threads)


def _launch(
    kernels: Any,
    rows: Rows,
    prepared: PreparedIncomplete,
    order: Order,
    section: Section,
    results: IncompleteSlots | Outputs,
    n_threads: int,
) -> None:
    n_workers = min(n_threads, section.n_chunks)
    n_components, d = prepared.means.shape
    parameters: Any
    if isinstance(prepared, IncompleteDiag):
        parameters = incomplete_diag.lay_out(prepared)
        scratch = allocate_scratch(n_workers, section.tile_rows, d, n_components, np.float64)
    else:
        parameters = incomplete_desk.lay_out(prepared, _LANES)
        scratch = incomplete_desk.allocate_desks(n_workers, parameters, d, _LANES)
    places = np.ascontiguousarray(order)
    serial, parallel = kernels
    launch_workers(serial, parallel, n_workers, (flat_rows(rows), parameters, section, scratch, results, places))


KERNELS = IncompleteKernels(sweep, log_density)
