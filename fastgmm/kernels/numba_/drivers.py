"""From rows to slots and from rows to outputs: which worker takes which tiles. The same for all families.

``joint_density`` and ``add_moments`` are chosen by the type of the prepared parameters, when a driver is compiled.
Numba wants the overloads to repeat the names and annotations of the implementations' parameters.
"""

from typing import Any

import numba
import numpy as np
from numba.extending import overload

from fastgmm.kernels.numba_ import diag, full, spherical, tied
from fastgmm.kernels.numba_.jit import entry, inner
from fastgmm.kernels.numba_.tile import add_counts, largest_component, load_tile, log_sum_exp, responsibilities
from fastgmm.kernels.numba_.vector import lanes
from fastgmm.parameters import PreparedDiag, PreparedFull, PreparedSpherical, PreparedTied

_FAMILIES: dict[type, Any] = {
    PreparedFull: full,
    PreparedTied: tied,
    PreparedDiag: diag,
    PreparedSpherical: spherical,
}
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def joint_density(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int) -> None:
    """Write the joint log-densities of the worker's tile."""
    _FAMILIES[type(prepared)].joint_density(rows, prepared, scratch, worker, n_points)


def add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> None:
    """Add s and S of the worker's tile to a chunk's slot."""
    _FAMILIES[type(prepared)].add_moments(rows, prepared, scratch, worker, n_points, slots, chunk)


@overload(joint_density, jit_options=_OPTIONS)
def _joint_density(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int) -> Any:
    return _FAMILIES[prepared.instance_class].joint_density.py_func


@overload(add_moments, jit_options=_OPTIONS)
def _add_moments(rows: Any, prepared: Any, scratch: Any, worker: int, n_points: int, slots: Any, chunk: int) -> Any:
    return _FAMILIES[prepared.instance_class].add_moments.py_func


@inner
def _points_of(n_valid: int, points: Any) -> int:
    """Rows rounded up to the two vectors that the density kernels take at a time."""
    pair = 2 * lanes(points)
    return int(pair * ((n_valid + pair - 1) // pair))


@entry(parallel=False)
def sweep_chunks(worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any) -> None:
    """Add the moments of the chunks ``worker, worker + n_workers, …`` to their slots."""
    n_components = prepared.log_constants.size
    joint, weights = scratch.joint[worker], scratch.weights[worker]
    totals = slots.totals.reshape(-1)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            n_points = _points_of(n_valid, joint)
            load_tile(rows, first, n_valid, n_points, prepared.means[0], scratch.points[worker], weights)
            joint_density(rows, prepared, scratch, worker, n_points)
            responsibilities(joint, weights, n_components, n_points, totals, chunk)
            add_counts(joint, n_points, weights.size, slots.counts[chunk])
            add_moments(rows, prepared, scratch, worker, n_points, slots, chunk)


# `prange` counts in unsigned integers, for which the serial kernel would be compiled a second time.
@entry(parallel=True)
def sweep_parallel(n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any) -> None:
    for worker in numba.prange(n_workers):
        sweep_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, slots)


@entry(parallel=False)
def log_density_chunks(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    n_components = prepared.log_constants.size
    stride = scratch.weights.shape[1]
    joint, labels, densities = scratch.joint[worker], scratch.labels[worker], scratch.log_density[worker]
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            n_points = _points_of(n_valid, joint)
            load_tile(
                rows, first, n_valid, n_points, prepared.means[0], scratch.points[worker], scratch.weights[worker]
            )
            joint_density(rows, prepared, scratch, worker, n_points)
            if outputs.labels.size > 0:
                largest_component(joint, labels, n_components, n_points)
                for t in range(n_valid):
                    outputs.labels[first + t] = int(labels[t])
            if outputs.joint.size > 0 and not outputs.normalize:
                _copy_joint(joint, stride, n_valid, first, outputs.joint)
            if outputs.log_density.size > 0 or outputs.normalize:
                log_sum_exp(joint, densities, n_components, n_points, outputs.normalize)
            if outputs.log_density.size > 0:
                for t in range(n_valid):
                    outputs.log_density[first + t] = densities[t]
            if outputs.joint.size > 0 and outputs.normalize:
                _copy_joint(joint, stride, n_valid, first, outputs.joint)


@inner
def _copy_joint(joint: Any, stride: int, n_valid: int, first: int, table: Any) -> None:
    for t in range(n_valid):
        for k in range(table.shape[1]):
            table[first + t, k] = joint[k * stride + t]


@entry(parallel=True)
def log_density_parallel(n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, outputs: Any) -> None:
    for worker in numba.prange(n_workers):
        log_density_chunks(np.int64(worker), n_workers, rows, prepared, section, scratch, outputs)
