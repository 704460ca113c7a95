"""What passes between the library and kernels of log-densities that are linear in the data.

With the entries x_j of a row, those that are not 0, and a missing value as an entry 1 on a line of its own:

    joint log-density = cₖ + Σⱼ xⱼ θⱼₖ (+ log-prior of the row's group),   Nₖ = Σ wr,   sⱼₖ = Σ wr xⱼ

Bernoulli, Poisson, multinomial and categorical densities are such, but for a constant of the row that no component
changes. Numbers of all components stand next to each other, so that an entry costs a multiply-add with one *line*, and
time follows the entries. All arithmetic is in float64, and in the order of rows and of entries: a row has the same bits
among any others. Moments are about 0, since counts are small numbers that are summed exactly or nearly so, and zeros
cost nothing there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from fastgmm.entries import Entries
from fastgmm.kernels.contract import SMALLEST_TILE, WORK_OF_AN_EXPONENTIAL, ChunkPlan, Outputs, Section
from fastgmm.machine.waiting import import_whole
from fastgmm.parameters import FloatArray, PreparedLinear

# A chunk has as many rows at least, and slots of all chunks take no more memory, but for the fewest.
_SMALLEST_CHUNK, _MOST_CHUNKS, _FEWEST_CHUNKS, _SLOT_BYTES = 256, 128, 4, 32 * 2**20


class LinearSlots(NamedTuple):
    """One slot for each chunk, lines as long as those of loadings: N (n_chunks, step), s (n_chunks, n_lines, step),
    and Σw and Σw·log p(x) (n_chunks, 2)."""

    counts: FloatArray
    first: FloatArray
    totals: FloatArray


LinearSweep: TypeAlias = Callable[[Entries, PreparedLinear, Section, LinearSlots, int], None]
LinearDensity: TypeAlias = Callable[[Entries, PreparedLinear, Section, Outputs, int], None]


@dataclass(frozen=True)
class LinearKernels:
    """Those of a backend: as ``sweep`` and ``log_density`` of ``Backend``, with numbers of float64 as outputs."""

    sweep: LinearSweep
    log_density: LinearDensity


_MODULES = {
    "c": "fastgmm.kernels.c.linear",
    "numba": "fastgmm.kernels.numba_.linear",
    "numpy": "fastgmm.kernels.numpy_.linear",
}


def linear_kernels(name: str) -> LinearKernels:
    """Those of the backend of that name, loaded when they are first asked for: few fits need them."""
    kernels: LinearKernels = import_whole(_MODULES[name]).KERNELS
    return kernels


def plan_of_entries(rows: Entries, n_components: int) -> ChunkPlan:
    """How rows are cut: chunks by shapes alone, sections also by how many entries a row has."""
    slot_bytes = 8 * (rows.n_lines + 1) * n_components
    affordable = max(_FEWEST_CHUNKS, _SLOT_BYTES // slot_bytes)
    n_chunks = max(1, min(_MOST_CHUNKS, affordable, rows.n_rows // _SMALLEST_CHUNK))
    chunk_rows = -(-rows.n_rows // n_chunks)
    n_chunks = -(-rows.n_rows // chunk_rows)
    entries = rows.n_entries // rows.n_rows + 1
    work = 2 * n_components * entries + WORK_OF_AN_EXPONENTIAL * n_components
    return ChunkPlan(n_chunks, chunk_rows, SMALLEST_TILE, work, entries * max(4, rows.itemsize))


def no_outputs() -> Outputs:
    """Of which nothing is wanted."""
    return Outputs(np.empty(0), np.empty(0, np.int64), np.empty((0, 0)), normalize=False)
