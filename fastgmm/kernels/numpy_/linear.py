"""Rows of entries: the meaning of these kernels. Rows are made dense, a few at a time."""

from collections.abc import Iterator

import numpy as np

from fastgmm.entries import Entries
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.linear import LinearKernels, LinearSlots
from fastgmm.kernels.numpy_.complete import LOWEST, add_priors, log_sum_exp, put_outputs
from fastgmm.parameters import FloatArray, PreparedLinear

# BLAS adds in another order for few rows than for many, and a row should have the same bits among any others.
_ROWS = 32


def _parts(rows: Entries, section: Section) -> Iterator[tuple[int, slice]]:
    """Some rows of the section at a time, with the number of their chunk."""
    for chunk in range(section.n_chunks):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, _ROWS):
            yield chunk, slice(first, min(first + _ROWS, end))


def _on_lines(rows: Entries) -> FloatArray:
    """A table (_ROWS, n_lines), the rows first, in which a missing value is 1 on its own line."""
    table, x = np.zeros((_ROWS, rows.n_lines)), rows.dense()
    if rows.has_missing:
        is_missing = np.isnan(x)
        table[: len(x), rows.n_features :] = is_missing
        x = np.where(is_missing, 0.0, x)
    table[: len(x), : rows.n_features] = x
    return table


def _joint_density(rows: Entries, table: FloatArray, prepared: PreparedLinear) -> FloatArray:
    """cₖ + Σⱼ xⱼ θⱼₖ + log-prior, (K, rows)."""
    n_components = len(prepared.log_constants)
    with np.errstate(over="ignore", invalid="ignore"):
        joint = (prepared.log_constants + table @ prepared.loadings[:, :n_components])[: rows.n_rows].T
    return add_priors(np.where(joint > LOWEST, joint, LOWEST), rows)


def sweep(rows: Entries, prepared: PreparedLinear, section: Section, slots: LinearSlots, n_threads: int) -> None:
    """Add the sums of the section's rows to the slots of their chunks."""
    n_components = len(prepared.log_constants)
    for chunk, part in _parts(rows, section):
        some = rows.part(part)
        if some.weights is not None:
            some = some.take(np.flatnonzero(some.weights > 0))
        weights = np.ones(some.n_rows) if some.weights is None else some.weights
        table = _on_lines(some)
        log_density, responsibilities = log_sum_exp(_joint_density(some, table, prepared))
        responsibilities *= weights
        slots.counts[chunk, :n_components] += responsibilities.sum(axis=1)
        slots.first[chunk, :, :n_components] += table[: some.n_rows].T @ responsibilities.T
        slots.totals[chunk] += weights.sum(), weights @ log_density


def log_density(rows: Entries, prepared: PreparedLinear, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    for _, part in _parts(rows, section):
        some = rows.part(part)
        put_outputs(outputs, part, _joint_density(some, _on_lines(some), prepared))


KERNELS = LinearKernels(sweep, log_density)
