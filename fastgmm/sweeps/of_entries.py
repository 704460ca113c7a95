"""One pass over rows of entries in memory, whose log-densities are linear in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastgmm.entries import Entries
from fastgmm.kernels.linear import LinearSlots, linear_kernels, plan_of_entries
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.moments import Moments
from fastgmm.parameters import Array, Model, PreparedLinear, empty_loadings
from fastgmm.sweeps.in_memory import Wanted, outputs_of, part_of
from fastgmm.sweeps.sweep import check_deadline


@dataclass(frozen=True, eq=False)
class OfEntries:
    """A :class:`Passes` over rows of entries.

    ``constant`` is Σw log h(x), what rows add to a log-likelihood whatever the model. Raises ``DeadlineError`` once
    ``time.perf_counter()`` is past the ``deadline``.
    """

    rows: Entries
    backend: str
    n_threads: int
    constant: float = 0.0
    deadline: float = math.inf

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self.moments(model.prepared, model.parameters.covariance_type) for model in models]

    def moments(self, prepared: PreparedLinear, family: str) -> Moments:
        """Those of all rows about 0: N, Σ wr x, and where values are missing Σ wr of the rows that have them."""
        rows, n_components, step = self.rows, len(prepared.log_constants), prepared.loadings.shape[1]
        plan, kernels = plan_of_entries(rows, n_components), linear_kernels(self.backend)
        n_chunks = plan.n_chunks
        slots = LinearSlots(
            np.zeros((n_chunks, step)), np.zeros((n_chunks, rows.n_lines, step)), np.zeros((n_chunks, 2))
        )
        n_threads = min(self.n_threads, plan.useful_threads)
        for section in plan.sections(n_threads):
            check_deadline(self.deadline)
            kernels.sweep(rows, prepared, section, slots, n_threads)
        counts, first, totals = (slot[0] if n_chunks == 1 else slot.sum(axis=0) for slot in slots)
        counts, first = counts[:n_components], np.ascontiguousarray(first[:, :n_components].T)
        sums, missing = first[:, : rows.n_features], first[:, rows.n_features :]
        extra = np.maximum(counts[:, np.newaxis] - missing, 0.0) if rows.has_missing else np.empty((n_components, 0))
        about, nothing = np.zeros(sums.shape), np.empty((n_components, 0))
        likelihood = float(totals[1]) + self.constant
        return Moments(counts, sums, nothing, float(totals[0]), likelihood, rows.n_counted, about, family, extra)


def evaluate_entries(
    rows: Entries, prepared: PreparedLinear, backend: str, n_threads: int | None, wanted: Wanted
) -> Array:
    """One output of all rows, as ``in_memory.evaluate``, in float64."""
    n_rows, n_components = rows.n_rows, len(prepared.log_constants)
    result, outputs = outputs_of(n_rows, np.dtype(np.float64), n_components, wanted)
    plan, kernels = plan_of_entries(rows, n_components), linear_kernels(backend)
    useful = min(plan.useful_threads, resolve_n_threads(n_threads)) if plan.useful_threads > 1 else 1
    for block, section in plan.blocks(n_rows, useful, plan.work_per_row, plan.bytes_per_row + 8 * n_components):
        check()
        kernels.log_density(rows.part(block), prepared, section, part_of(outputs, block), useful)
    return result


def about_nothing(n_lines: int, n_components: int) -> PreparedLinear:
    """A model without an opinion: responsibilities are what is believed of the rows."""
    return PreparedLinear(np.zeros(n_components), empty_loadings(n_lines, n_components))
