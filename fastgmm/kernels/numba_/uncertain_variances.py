"""Variances for rows whose errors are variances, with rows in lanes: see ``kernels/uncertain.py``.

T = σ² + s of every feature by itself: b = σδ/T, VᵀV = σ²/T.
"""

import math
from typing import Any

from fastgmm.kernels.numba_.drivers import negligible_margin, points_of, put_outputs
from fastgmm.kernels.numba_.groups import add_priors, find_members
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.rows import pointers_of_rows
from fastgmm.kernels.numba_.tile import put_joint, responsibilities, scale_and_count, tile_of
from fastgmm.kernels.numba_.uncertain_matrices import log_determinant, n_observed
from fastgmm.kernels.numba_.uncertain_rows import (
    desk_of,
    load_rows,
    pointers_of_errors,
    pointers_of_parameters,
    times,
    unit_determinant,
)
from fastgmm.kernels.numba_.vector import add_sum, broadcast, constant, fma, lanes, load, number, pointer, put


@inline
def _variance(parameters: Any, tile: Any, desk: Any, at: int, where: int, has_holes: bool) -> Any:
    """T of the points at ``where``, 1 where the value is missing."""
    total = broadcast(parameters.covariances, at) + load(desk.errors, where)
    if has_holes:
        is_there = load(tile.packed, where)
        total = fma(total, is_there, constant(total, 1.0) - is_there)
    return total


@inline
def _difference(parameters: Any, tile: Any, at: int, where: int, has_holes: bool) -> Any:
    delta = load(tile.points, where) - broadcast(parameters.means, at)
    return delta * load(tile.packed, where) if has_holes else delta


@inner
def _joint_density(
    parameters: Any, tile: Any, desk: Any, d: int, n_points: int, k: int, line: int, has_holes: bool
) -> None:
    half = constant(tile.points, -0.5)
    for t in range(0, n_points, lanes(tile.points)):
        squares, determinant = constant(tile.points, 0.0), unit_determinant(tile.points)
        for j in range(d):
            total = _variance(parameters, tile, desk, k * d + j, j * tile.stride + t, has_holes)
            delta = _difference(parameters, tile, k * d + j, j * tile.stride + t, has_holes)
            squares = squares + delta * delta / total
            determinant = times(determinant, total)
        constants = constant(tile.points, math.log(2.0 * math.pi)) * n_observed(tile, d, t, has_holes)
        logarithms = constants + log_determinant(determinant)
        normal = fma(half, logarithms + squares, broadcast(parameters.log_weights, k))
        put_joint(tile, line, t, constant(tile.points, parameters.exponent) * normal)


@inner
def _add_moments(
    parameters: Any, tile: Any, desk: Any, d: int, n_points: int, k: int, line: int, has_holes: bool, slots: Any,
    chunk: int,
) -> None:  # fmt: skip
    slot = (chunk * parameters.n_components + k) * d
    weights = pointer(tile.joint, line * tile.stride)
    for j in range(d):
        at = k * d + j
        variance, deviation = broadcast(parameters.covariances, at), broadcast(parameters.roots, at)
        first = constant(tile.points, 0.0)
        second = first
        for t in range(0, n_points, lanes(tile.points)):
            where = j * tile.stride + t
            inverse = constant(tile.points, 1.0) / _variance(parameters, tile, desk, at, where, has_holes)
            if has_holes:
                inverse = inverse * load(tile.packed, where)
            b = deviation * (_difference(parameters, tile, at, where, has_holes) * inverse)
            weight = load(weights, t)
            weighted = weight * b
            first = first + weighted
            second = second + (weighted * b - weight * (variance * inverse))
        add_sum(pointer(slots.first, slot), j, first)
        add_sum(pointer(slots.second, slot), j, second)


@inner
def _sweep_tile(
    rows: Any, parameters: Any, errors: Any, tile: Any, desk: Any, first: int, n_valid: int, slots: Any, chunk: int
) -> None:
    d, n_components, n_points = rows.n_features, parameters.n_components, points_of(n_valid, tile.joint)
    has_holes = load_rows(rows, errors, first, n_valid, n_points, tile, desk)
    n_members = find_members(rows, n_components, tile, first, n_valid)
    for line in range(n_members):
        _joint_density(parameters, tile, desk, d, n_points, number(tile.members, line), line, has_holes)
    if rows.has_groups:
        add_priors(rows, n_components, tile, first, n_valid, n_members)
    margin = negligible_margin(tile, n_components)
    responsibilities(tile, n_members, n_points, margin, 1.0, pointer(slots.totals, 2 * chunk))
    for line in range(n_members):
        k = number(tile.members, line)
        if scale_and_count(tile, line, n_points, 1.0, pointer(slots.counts, chunk * n_components + k)) > 0:
            _add_moments(parameters, tile, desk, d, n_points, k, line, has_holes, slots, chunk)


@entry(parallel=False)
def sweep_uncertain_variances(
    worker: int, n_workers: int, rows: Any, errors: Any, prepared: Any, section: Any, scratch: Any, slots: Any
) -> None:
    """Add the moments of the chunks ``worker, worker + n_workers, …`` to their slots."""
    d = rows.n_features
    tile = tile_of(scratch[0], worker, section.tile_rows, d, prepared.n_components)
    desk = desk_of(scratch[1], worker, tile, errors, prepared, d, lanes(scratch[1].numbers))
    flat, parameters, of_rows = pointers_of_rows(rows), pointers_of_parameters(prepared), pointers_of_errors(errors)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            _sweep_tile(flat, parameters, of_rows, tile, desk, first, n_valid, slots, chunk)


@entry(parallel=False)
def score_uncertain_variances(
    worker: int, n_workers: int, rows: Any, errors: Any, prepared: Any, section: Any, scratch: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    d, n_components = rows.n_features, prepared.n_components
    tile = tile_of(scratch[0], worker, section.tile_rows, d, n_components)
    desk = desk_of(scratch[1], worker, tile, errors, prepared, d, lanes(scratch[1].numbers))
    flat, parameters, of_rows = pointers_of_rows(rows), pointers_of_parameters(prepared), pointers_of_errors(errors)
    for k in range(n_components):
        put(tile.members, k, k)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            n_points = points_of(n_valid, tile.joint)
            has_holes = load_rows(flat, of_rows, first, n_valid, n_points, tile, desk)
            for k in range(n_components):
                _joint_density(parameters, tile, desk, d, n_points, k, k, has_holes)
            if flat.has_groups:
                add_priors(flat, n_components, tile, first, n_valid, n_components)
            put_outputs(flat, tile, n_components, first, n_valid, n_points, outputs)
