"""Starting the kernels of rows of known errors, on threads of Python's own as those of rows with missing values."""

from typing import Any

import numba
import numpy as np

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import Order
from fastgmm.kernels.numba_.launch import flat_rows, run_in_thread_pool
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.tile import allocate_scratch
from fastgmm.kernels.numba_.uncertain_matrices import score_uncertain_matrices, sweep_uncertain_matrices
from fastgmm.kernels.numba_.uncertain_rows import allocate_desks, flat_errors, flat_parameters
from fastgmm.kernels.numba_.uncertain_variances import score_uncertain_variances, sweep_uncertain_variances
from fastgmm.kernels.numba_.vector_numpy import lanes
from fastgmm.kernels.uncertain import UncertainKernels, UncertainSlots
from fastgmm.parameters import PreparedUncertain, UncertainVariances
from fastgmm.rows import Rows

# Vectors of NumPy's functions have a length of their own.
_LANES = lanes(np.empty(0)) if numba.config.DISABLE_JIT else VECTOR_BYTES // 8


def sweep(
    rows: Rows,
    prepared: PreparedUncertain,
    order: Order | None,
    section: Section,
    slots: UncertainSlots,
    n_threads: int,
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    kernel = sweep_uncertain_variances if isinstance(prepared, UncertainVariances) else sweep_uncertain_matrices
    # Whatever their shape they have one Numba type.
    flat = UncertainSlots(*(slot.reshape(-1) for slot in slots))
    assert all(np.shares_memory(one, other) for one, other in zip(flat, slots, strict=True))
    _launch(kernel, rows, prepared, order, section, flat, n_threads)


def log_density(rows: Rows, prepared: PreparedUncertain, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    # A row's density is its own, whatever its weight.
    unweighted = Rows(rows.values, None, rows.origin, rows.groups, rows.group_prior, errors=rows.errors)
    kernel = score_uncertain_variances if isinstance(prepared, UncertainVariances) else score_uncertain_matrices
    _launch(kernel, unweighted, prepared, None, section, outputs, n_threads)


def _launch(
    kernel: Any,
    rows: Rows,
    prepared: PreparedUncertain,
    order: Order | None,
    section: Section,
    results: UncertainSlots | Outputs,
    n_threads: int,
) -> None:
    assert rows.errors is not None
    n_workers = min(n_threads, section.n_chunks)
    n_components, d = prepared.means.shape
    parameters, errors = flat_parameters(prepared), flat_errors(rows.errors)
    tiles = allocate_scratch(n_workers, section.tile_rows, d, n_components, np.float64)
    width = 0 if isinstance(prepared, UncertainVariances) else _LANES
    desks = allocate_desks(n_workers, section.tile_rows, errors, parameters, d, width)
    arguments = flat_rows(rows, order), errors, parameters, section, (tiles, desks), results
    if n_workers == 1:
        kernel(0, 1, *arguments)
    else:
        run_in_thread_pool(kernel, n_workers, arguments)


KERNELS = UncertainKernels(sweep, log_density)
