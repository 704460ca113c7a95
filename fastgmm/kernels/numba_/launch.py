"""Starting kernels: flat views of the data, scratch for every worker, and threads.

``prange`` runs on one of Numba's threading layers, each with its hazard: ``workqueue`` aborts the process when two
Python threads enter at once, so a lock keeps them apart; ``omp`` kills a forked child at its first parallel region,
so a child runs the same serial kernels from a plain thread pool.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

# Numba imports it with its first array, and a fork in the middle of that would leave the import locked in the child.
import numpy.ma
from numba.np.ufunc import parallel as numba_threads

from fastgmm.kernels.contract import Bounds, Outputs, Section, Slots
from fastgmm.kernels.incomplete import Order
from fastgmm.kernels.numba_.bounded import bounded_chunks, bounded_parallel
from fastgmm.kernels.numba_.drivers import log_density_chunks, log_density_parallel, sweep_chunks, sweep_parallel
from fastgmm.kernels.numba_.rows import FlatRows
from fastgmm.kernels.numba_.tile import allocate_scratch
from fastgmm.machine.waiting import uninterrupted
from fastgmm.parameters import Array, Prepared
from fastgmm.rows import Rows

_IMPORTING_PROCESS = os.getpid()
_ENTRY_LOCK = threading.Lock()
# These stand for groups and an order that are not there, with the types of given ones, and read-only like them.
_NO_GROUPS = _NO_ORDER = np.broadcast_to(np.int32(0), 1)
_NO_PRIOR = np.broadcast_to(0.0, 1)


def sweep(
    rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int, order: Order | None = None
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    _launch(sweep_chunks, sweep_parallel, flat_rows(rows, order), prepared, section, n_threads, slots)


def bounded_sweep(
    rows: Rows, prepared: Prepared, section: Section, slots: Slots, bounds: Bounds, n_threads: int
) -> None:
    """The same for rows in the order of the bounds, without the components that these exclude."""
    _launch(bounded_chunks, bounded_parallel, flat_rows(rows), prepared, section, n_threads, slots, bounds)


def log_density(rows: Rows, prepared: Prepared, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    # A row's density is its own, whatever its weight.
    unweighted = Rows(rows.values, None, rows.origin, rows.groups, rows.group_prior)
    _launch(log_density_chunks, log_density_parallel, flat_rows(unweighted), prepared, section, n_threads, outputs)


def flat_rows(rows: Rows, order: Order | None = None) -> FlatRows:
    """One-dimensional views of what rows hold, the same Numba type for every layout and writability."""
    values, n_rows, n_features = rows.values, *rows.shape
    row_stride, column_stride = (stride // values.itemsize for stride in values.strides)
    # A stride of 0 makes one number the weight of all rows.
    weights = np.broadcast_to(np.ones(1), n_rows) if rows.weights is None else rows.weights
    weight_stride = weights.strides[0] // weights.itemsize
    groups = _NO_GROUPS if rows.groups is None else _flat(rows.groups, n_rows)
    assert rows.group_prior is None or rows.group_prior.flags.c_contiguous
    group_prior = _NO_PRIOR if rows.group_prior is None else _flat(rows.group_prior, rows.group_prior.size)
    return FlatRows(
        _flat(values, (n_rows - 1) * row_stride + (n_features - 1) * column_stride + 1),
        row_stride,
        column_stride,
        _flat(weights, (n_rows - 1) * weight_stride + 1),
        weight_stride,
        np.zeros(n_features) if rows.origin is None else rows.origin,
        rows.origin is not None,
        groups,
        group_prior,
        rows.groups is not None,
        0 if rows.group_prior is None else len(rows.group_prior),
        _NO_ORDER if order is None else _flat(order, len(order)),
        order is not None,
        n_rows if order is None else len(order),
        n_features,
    )


def _flat(array: Array, span: int) -> Array:
    return np.lib.stride_tricks.as_strided(array, (span,), (array.itemsize,), writeable=False)


def _launch(
    serial: Callable[..., None],
    parallel: Callable[..., None],
    rows: FlatRows,
    prepared: Prepared,
    section: Section,
    n_threads: int,
    *results: Slots | Outputs | Bounds,
) -> None:
    n_workers = min(n_threads, section.n_chunks)
    constants = prepared.log_constants
    scratch = allocate_scratch(n_workers, section.tile_rows, rows.n_features, len(constants), constants.dtype)
    arguments = (rows, prepared, section, scratch, *results)
    if n_workers == 1:
        serial(0, 1, *arguments)
    elif os.getpid() != _IMPORTING_PROCESS:
        run_in_thread_pool(serial, n_workers, arguments)
    else:
        _run_in_numba_threads(parallel, n_workers, arguments)


def run_in_thread_pool(serial: Callable[..., None], n_workers: int, arguments: tuple[Any, ...]) -> None:
    """Call a serial kernel in as many threads as there are workers."""
    with ThreadPoolExecutor(n_workers) as pool:
        list(pool.map(lambda worker: serial(worker, n_workers, *arguments), range(n_workers)))


def _run_in_numba_threads(parallel: Callable[..., None], n_workers: int, arguments: tuple[Any, ...]) -> None:
    if not numba_threads._is_initialized:
        uninterrupted(numba.get_num_threads)
    # Numba's own functions take a lock first, which Ctrl-C in the middle of that would leave taken: whatever is
    # compiled later, in a thread of its own, would wait for ever.
    threads_before = numba_threads._get_num_threads()
    numba_threads._set_num_threads(min(n_workers, numba.config.NUMBA_NUM_THREADS))
    try:
        if _layer_is_reentrant():
            parallel(n_workers, *arguments)
        else:
            with _ENTRY_LOCK:
                parallel(n_workers, *arguments)
    finally:
        numba_threads._set_num_threads(threads_before)


def _layer_is_reentrant() -> bool:
    try:
        return bool(numba.threading_layer() != "workqueue")
    except ValueError:  # no parallel kernel has run yet, so the layer is not known
        return False
