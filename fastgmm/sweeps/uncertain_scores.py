"""What a model says of rows whose errors are known: scores of the values that were measured."""

import math
from dataclasses import replace

from fastgmm.families import CovarianceFamily
from fastgmm.families.uncertain import prepare_uncertain
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import (
    ONE_SMALL_TILE,
    SMALLEST_TILE,
    WORK_OF_AN_EXPONENTIAL,
    ChunkPlan,
    plan_chunks,
)
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.parameters import Array, Model, PreparedUncertain, UncertainVariances
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import Wanted, bytes_of_a_row, outputs_for, part_of

# Lines of errors are many where these are matrices: so many bytes of a tile are half of a second-level cache of 1 MB.
_TILE_BYTES = 512 * 1024


def form_of(family: CovarianceFamily, model: Model, rows: Rows) -> PreparedUncertain:
    """What kernels need of a model for such rows."""
    assert rows.errors is not None
    return prepare_uncertain(family, model.parameters, rows.errors.ndim == 3, model.exponent)


def evaluate_uncertain(
    rows: Rows, prepared: PreparedUncertain, backend: Backend, n_threads: int | None, wanted: Wanted
) -> Array:
    """One output of all rows: see ``in_memory.evaluate``."""
    result, outputs = outputs_for(rows, len(prepared.means), wanted)
    if len(result) <= SMALLEST_TILE:
        backend.uncertain.log_density(rows, prepared, ONE_SMALL_TILE, outputs, 1)
    else:
        plan = plan_of_uncertain(rows, prepared, len(result), slot_numbers=1)
        useful_threads = min(plan.useful_threads, resolve_n_threads(n_threads)) if plan.useful_threads > 1 else 1
        n_bytes = bytes_of_a_row(rows, outputs)
        for block, section in plan.blocks(len(result), useful_threads, plan.work_per_row, n_bytes):
            check()
            part = part_of(outputs, block)
            backend.uncertain.log_density(rows.take(block), prepared, section, part, useful_threads)
    if wanted == "log_density" and rows.has_missing:
        result[~rows.are_observed] = 0.0  # which log Σπ is but for rounding
    return result


def plan_of_uncertain(rows: Rows, prepared: PreparedUncertain, n_rows: int, slot_numbers: int) -> ChunkPlan:
    """How rows are cut: by the shape of the problem alone."""
    n_components, n_features = prepared.means.shape
    plan = plan_chunks(n_rows, n_features, n_components, prepared.means.itemsize, slot_numbers)
    plan = plan.for_work(n_components * (_work_of_a_pair(prepared) + WORK_OF_AN_EXPONENTIAL))
    assert rows.errors is not None
    n_errors = n_features if rows.errors.ndim == 2 else n_features * (n_features + 1) // 2
    line_bytes = (2 * n_features + n_components + n_errors) * prepared.means.itemsize
    tile_rows = plan.tile_rows
    while tile_rows > SMALLEST_TILE and tile_rows * line_bytes > _TILE_BYTES:
        tile_rows //= 2
    return replace(plan, tile_rows=tile_rows, bytes_per_row=plan.bytes_per_row + rows.errors[:1].nbytes)


def _work_of_a_pair(prepared: PreparedUncertain) -> int:
    """About how many multiply-adds a row and a component take: two factors, V and its square."""
    n_features = int(prepared.means.shape[1])
    if isinstance(prepared, UncertainVariances):
        return 8 * n_features
    return math.ceil(2 * n_features**3 / 3) + 4 * n_features**2 + 12 * n_features
