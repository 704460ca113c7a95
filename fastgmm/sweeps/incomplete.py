"""Visits to rows some of which lack values: complete ones as ever, the others by kernels of their own, by pattern.

Rows without any observed value say nothing, and are left out of sweeps.
"""

from dataclasses import replace

import numpy as np

from fastgmm.data.patterns import patterns_of
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import SMALLEST_TILE, WORK_OF_AN_EXPONENTIAL, ChunkPlan, Outputs, plan_chunks
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.parameters import Array, IncompleteDiag, Prepared, PreparedIncomplete
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import Wanted, evaluate


def evaluate_incomplete(
    rows: Rows,
    prepared: Prepared,
    incomplete: PreparedIncomplete,
    backend: Backend,
    n_threads: int | None,
    wanted: Wanted,
) -> Array:
    """One output of all rows, under two forms of the same model: see ``in_memory.evaluate``."""
    result = evaluate(rows, prepared, backend, n_threads, wanted)
    patterns = patterns_of(rows)
    order = np.concatenate([patterns.incomplete, patterns.empty])
    outputs = _outputs_in(result, rows, wanted)
    plan = _plan(incomplete, len(order), slot_numbers=1)
    useful_threads = min(plan.useful_threads, resolve_n_threads(n_threads)) if plan.useful_threads > 1 else 1
    bytes_per_row = (rows.values.nbytes + result.nbytes) // max(1, len(result))
    for block, section in plan.blocks(len(order), useful_threads, plan.work_per_row, max(1, bytes_per_row)):
        check()
        backend.incomplete.log_density(rows, incomplete, order[block], section, outputs, useful_threads)
    return result


def _outputs_in(result: Array, rows: Rows, wanted: Wanted) -> Outputs:
    """Outputs of which the result is the one that is wanted."""
    is_joint = wanted in ("joint", "responsibilities")
    return Outputs(
        log_density=result if wanted == "log_density" else np.empty(0, rows.values.dtype),
        labels=result if wanted == "labels" else np.empty(0, np.int64),
        joint=result if is_joint else np.empty((0, 0), rows.values.dtype),
        normalize=wanted == "responsibilities",
    )


def _plan(incomplete: PreparedIncomplete, n_rows: int, slot_numbers: int) -> ChunkPlan:
    """How incomplete rows are cut: by the shape of the problem alone."""
    n_components, n_features = incomplete.means.shape
    itemsize = incomplete.means.itemsize
    plan = plan_chunks(max(1, n_rows), n_features, n_components, itemsize, slot_numbers)
    work = n_components * (_work_of_a_pair(incomplete) + WORK_OF_AN_EXPONENTIAL)
    # A section has a tile of every chunk at least.
    return replace(plan, tile_rows=SMALLEST_TILE, work_per_row=work)


def _work_of_a_pair(incomplete: PreparedIncomplete) -> int:
    """About how many multiply-adds a row and a component take: where each row has a pattern of its own, a factor."""
    n_features = incomplete.means.shape[1]
    return 3 * n_features if isinstance(incomplete, IncompleteDiag) else n_features**3 // 6 + 2 * n_features**2
