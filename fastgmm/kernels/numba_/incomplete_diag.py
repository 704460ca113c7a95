"""Kernels of variances for rows that lack values, with rows in lanes: a missing value has difference 0, and counts 0.

Joint log-density of a point x and component k, m 1 where a feature is observed and 0 where it is missing:
    A·(log wₖ − Σⱼ m·½log 2πσ² − ½Σⱼ (m(x − μ)/σ)²) + log-prior
Moments: Σwr·m(x − μ), Σwr·m(x − μ)² and Σwr·m.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.drivers import negligible_margin, points_of, put_outputs
from fastgmm.kernels.numba_.groups import add_priors, find_members
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.rows import load_tile, pointers_of_rows
from fastgmm.kernels.numba_.tile import put_joint, responsibilities, scale_and_count, tile_of
from fastgmm.kernels.numba_.vector import (
    add_sum,
    broadcast,
    constant,
    fma,
    lanes,
    load,
    number,
    pointer,
    put,
    store,
    where_less,
)
from fastgmm.parameters import IncompleteDiag


class Deviations(NamedTuple):
    """``log_weights`` (K,), ``means``, ``inverse_deviations`` 1/σ and ``logarithms`` ½log 2πσ², each (K, d)."""

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    inverse_deviations: NDArray[np.float64]
    logarithms: NDArray[np.float64]
    exponent: float
    n_components: int


def deviations_of(prepared: IncompleteDiag) -> Deviations:
    deviations = np.sqrt(prepared.covariances)
    logarithms = np.log(deviations) + 0.5 * math.log(2.0 * math.pi)
    return Deviations(
        prepared.log_weights,
        prepared.means,
        1.0 / deviations,
        logarithms,
        float(prepared.exponent),
        len(prepared.means),
    )


@inline
def _pointers_of(prepared: Any) -> Any:
    return Deviations(
        pointer(prepared.log_weights, 0),
        pointer(prepared.means, 0),
        pointer(prepared.inverse_deviations, 0),
        pointer(prepared.logarithms, 0),
        prepared.exponent,
        prepared.n_components,
    )


@inner
def _load(rows: Any, prepared: Any, first: int, n_valid: int, n_points: int, tile: Any) -> None:
    """Rows into the tile, with 0 where values are missing; ``tile.packed`` says with 1 where they are not."""
    load_tile(rows, first, n_valid, n_points, prepared.means, tile)
    zero, one = constant(tile.points, 0.0), constant(tile.points, 1.0)
    infinity = constant(tile.points, np.inf)
    for j in range(rows.n_features):
        for t in range(j * tile.stride, j * tile.stride + n_points, lanes(tile.points)):
            x = load(tile.points, t)
            store(tile.packed, t, where_less(x, infinity, one, zero))
            store(tile.points, t, where_less(x, infinity, x, zero))


@inner
def _joint_density(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int) -> None:
    minus_half = constant(tile.points, -0.5)
    for t in range(0, n_points, lanes(tile.points)):
        squares = constant(tile.points, 0.0)
        logarithms = squares
        for j in range(d):
            at = k * d + j
            is_observed = load(tile.packed, j * tile.stride + t)
            z = (load(tile.points, j * tile.stride + t) - broadcast(prepared.means, at)) * is_observed
            y = z * broadcast(prepared.inverse_deviations, at)
            squares = fma(y, y, squares)
            logarithms = fma(is_observed, broadcast(prepared.logarithms, at), logarithms)
        normal = fma(minus_half, squares, broadcast(prepared.log_weights, k) - logarithms)
        put_joint(tile, line, t, constant(tile.points, prepared.exponent) * normal)


@inner
def _add_moments(prepared: Any, tile: Any, d: int, n_points: int, k: int, line: int, slots: Any, chunk: int) -> None:
    at = (chunk * prepared.n_components + k) * d
    weights = pointer(tile.joint, line * tile.stride)
    for j in range(d):
        mean = broadcast(prepared.means, k * d + j)
        first = constant(tile.points, 0.0)
        second, observed = first, first
        for t in range(0, n_points, lanes(tile.points)):
            share = load(weights, t) * load(tile.packed, j * tile.stride + t)
            z = load(tile.points, j * tile.stride + t) - mean
            weighted = share * z
            observed, first, second = observed + share, first + weighted, fma(weighted, z, second)
        add_sum(pointer(slots.first, at), j, first)
        add_sum(pointer(slots.second, at), j, second)
        add_sum(pointer(slots.observed, at), j, observed)


@inline
def _joint_densities(
    rows: Any, prepared: Any, tile: Any, n_members: int, first: int, n_valid: int, n_points: int
) -> None:
    """Lines of joint log-densities, with priors, of the tile's members."""
    for line in range(n_members):
        _joint_density(prepared, tile, rows.n_features, n_points, number(tile.members, line), line)
    if rows.has_groups:
        add_priors(rows, prepared.n_components, tile, first, n_valid, n_members)


@inner
def _sweep_tile(rows: Any, prepared: Any, tile: Any, first: int, n_valid: int, slots: Any, chunk: int) -> None:
    d, n_components, n_points = rows.n_features, prepared.n_components, points_of(n_valid, tile.joint)
    _load(rows, prepared, first, n_valid, n_points, tile)
    n_members = find_members(rows, n_components, tile, first, n_valid)
    _joint_densities(rows, prepared, tile, n_members, first, n_valid, n_points)
    margin = negligible_margin(tile, n_components)
    responsibilities(tile, n_members, n_points, margin, 1.0, pointer(slots.totals, 2 * chunk))
    for line in range(n_members):
        k = number(tile.members, line)
        if scale_and_count(tile, line, n_points, 1.0, pointer(slots.counts, chunk * n_components + k)) > 0:
            _add_moments(prepared, tile, d, n_points, k, line, slots, chunk)


@entry(parallel=False)
def sweep_variances(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, slots: Any
) -> None:
    """Add the moments of the chunks ``worker, worker + n_workers, …`` to their slots."""
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, prepared.n_components)
    flat, parameters = pointers_of_rows(rows), _pointers_of(prepared)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            _sweep_tile(flat, parameters, tile, first, min(section.tile_rows, end - first), slots, chunk)


@entry(parallel=False)
def score_variances(
    worker: int, n_workers: int, rows: Any, prepared: Any, section: Any, scratch: Any, outputs: Any
) -> None:
    """Fill the outputs of the chunks ``worker, worker + n_workers, …``."""
    n_components = prepared.n_components
    tile = tile_of(scratch, worker, section.tile_rows, rows.n_features, n_components)
    flat, parameters = pointers_of_rows(rows), _pointers_of(prepared)
    for k in range(n_components):
        put(tile.members, k, k)
    for chunk in range(worker, section.n_chunks, n_workers):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, rows.n_rows)
        for first in range(begin, end, section.tile_rows):
            n_valid = min(section.tile_rows, end - first)
            n_points = points_of(n_valid, tile.joint)
            _load(flat, parameters, first, n_valid, n_points, tile)
            _joint_densities(flat, parameters, tile, n_components, first, n_valid, n_points)
            put_outputs(flat, tile, n_components, first, n_valid, n_points, outputs)
