"""Matrices for rows of known errors, with rows in lanes: see ``kernels/uncertain.py``."""

import math
from typing import Any

from fastgmm.kernels.numba_.drivers import negligible_margin, points_of, put_outputs
from fastgmm.kernels.numba_.elementary import LN2_HIGH, LN2_LOW, logarithm
from fastgmm.kernels.numba_.groups import add_priors, find_members
from fastgmm.kernels.numba_.jit import entry, inline, inner
from fastgmm.kernels.numba_.rows import pointers_of_rows
from fastgmm.kernels.numba_.tile import put_joint, responsibilities, scale_and_count, tile_of
from fastgmm.kernels.numba_.uncertain_rows import (
    desk_of,
    load_rows,
    pointers_of_errors,
    pointers_of_parameters,
    times,
    unit_determinant,
)
from fastgmm.kernels.numba_.vector import (
    add_sum,
    broadcast,
    constant,
    fma,
    lanes,
    lanes_less,
    load,
    number,
    pointer,
    put,
    square_root,
    store,
)


@inline
def log_determinant(determinant: Any) -> Any:
    power = determinant.power
    low = fma(power, constant(power, LN2_LOW), logarithm(determinant.product))
    return fma(power, constant(power, LN2_HIGH), low)


@inline
def n_observed(tile: Any, d: int, t: int, has_holes: bool) -> Any:
    if not has_holes:
        return constant(tile.packed, float(d))
    total = load(tile.packed, t)
    for j in range(1, d):
        total = total + load(tile.packed, j * tile.stride + t)
    return total


@inline
def _entry(parameters: Any, errors: Any, tile: Any, desk: Any, t: int, f: int, i: int, j: int, has_holes: bool) -> Any:
    """T_ij of the points at t."""
    d = errors[1]
    total = broadcast(parameters.covariances, (f * d + i) * d + j)
    if errors[0]:
        total = total + load(desk.errors, (i * (i + 1) // 2 + j) * tile.stride + t)
    elif i == j:
        total = total + load(desk.errors, j * tile.stride + t)
    if has_holes:
        mine = load(tile.packed, i * tile.stride + t)
        if i == j:
            return fma(total, mine, constant(mine, 1.0) - mine)
        return total * (mine * load(tile.packed, j * tile.stride + t))
    return total


@inner
def _factor(parameters: Any, errors: Any, tile: Any, desk: Any, t: int, f: int, has_holes: bool) -> Any:
    """L of the points at t, 1/L_jj in place of its diagonal; log det T."""
    d, width, one = errors[1], lanes(desk.lower), constant(desk.lower, 1.0)
    determinant = unit_determinant(desk.lower)
    for i in range(d):
        own = pointer(desk.lower, i * (i + 1) // 2 * width)
        squares = constant(desk.lower, 0.0)
        for j in range(i):
            other = pointer(desk.lower, j * (j + 1) // 2 * width)
            known = constant(desk.lower, 0.0)
            for m in range(j):
                known = fma(load(own, m * width), load(other, m * width), known)
            entry_ij = _entry(parameters, errors, tile, desk, t, f, i, j, has_holes) - known
            entry_ij = entry_ij * load(other, j * width)
            store(own, j * width, entry_ij)
            squares = fma(entry_ij, entry_ij, squares)
        corner = _entry(parameters, errors, tile, desk, t, f, i, i, has_holes) - squares
        determinant = times(determinant, corner)
        store(own, i * width, one / square_root(corner))
    return log_determinant(determinant)


@inner
def _whiten(parameters: Any, tile: Any, desk: Any, d: int, t: int, k: int, has_holes: bool) -> Any:
    """y = L⁻¹δ; yᵀy."""
    width = lanes(desk.lower)
    squares = constant(desk.lower, 0.0)
    for i in range(d):
        own = pointer(desk.lower, i * (i + 1) // 2 * width)
        delta = load(tile.points, i * tile.stride + t) - broadcast(parameters.means, k * d + i)
        if has_holes:
            delta = delta * load(tile.packed, i * tile.stride + t)
        known = constant(desk.lower, 0.0)
        for m in range(i):
            known = fma(load(own, m * width), load(desk.y, m * width), known)
        y = (delta - known) * load(own, i * width)
        store(desk.y, i * width, y)
        squares = fma(y, y, squares)
    return squares


@inner
def _joint_densities(
    parameters: Any, errors: Any, tile: Any, desk: Any, n_members: int, n_points: int, has_holes: bool
) -> None:
    """Lines of joint log-densities of the tile's members."""
    d, half = errors[1], constant(desk.lower, -0.5)
    for t in range(0, n_points, lanes(desk.lower)):
        known, of_t = -1, constant(desk.lower, 0.0)
        constants = constant(desk.lower, math.log(2.0 * math.pi)) * n_observed(tile, d, t, has_holes)
        for line in range(n_members):
            k = number(tile.members, line)
            f = min(k, parameters.n_factors - 1)
            if f != known:
                of_t = _factor(parameters, errors, tile, desk, t, f, has_holes)
                known = f
            squares = _whiten(parameters, tile, desk, d, t, k, has_holes)
            normal = fma(half, constants + of_t + squares, broadcast(parameters.log_weights, k))
            put_joint(tile, line, t, constant(desk.lower, parameters.exponent) * normal)


@inner
def _solve_roots(parameters: Any, tile: Any, desk: Any, d: int, t: int, f: int, has_holes: bool) -> None:
    """V = L⁻¹R of the points at t, a lower triangle."""
    width = lanes(desk.V)
    for i in range(d):
        own = pointer(desk.lower, i * (i + 1) // 2 * width)
        scale = load(own, i * width)
        for j in range(i + 1):
            known = constant(desk.V, 0.0)
            for m in range(j, i):
                known = fma(load(own, m * width), load(desk.V, (m * (m + 1) // 2 + j) * width), known)
            root = broadcast(parameters.roots, (f * d + i) * d + j)
            if has_holes:
                root = root * load(tile.packed, i * tile.stride + t)
            store(desk.V, (i * (i + 1) // 2 + j) * width, (root - known) * scale)


@inner
def _add_expected(desk: Any, d: int, k: int, f: int, weight: Any) -> None:
    """Σwr·b and Σwr·bbᵀ with b = Vᵀy."""
    width = lanes(desk.V)
    first, second = pointer(desk.first, k * d * width), pointer(desk.second, f * (d * (d + 1) // 2) * width)
    for i in range(d):
        b = constant(desk.V, 0.0)
        for m in range(i, d):
            b = fma(load(desk.V, (m * (m + 1) // 2 + i) * width), load(desk.y, m * width), b)
        store(desk.b, i * width, b)
        weighted = weight * b
        store(first, i * width, load(first, i * width) + weighted)
        for j in range(i + 1):
            at = (i * (i + 1) // 2 + j) * width
            store(second, at, fma(weighted, load(desk.b, j * width), load(second, at)))


@inner
def _subtract_explained(desk: Any, d: int, f: int, weight: Any) -> None:
    """−Σwr·VᵀV"""
    width = lanes(desk.V)
    second = pointer(desk.second, f * (d * (d + 1) // 2) * width)
    for i in range(d):
        for j in range(i + 1):
            product = constant(desk.V, 0.0)
            for m in range(i, d):
                of_m = pointer(desk.V, m * (m + 1) // 2 * width)
                product = fma(load(of_m, i * width), load(of_m, j * width), product)
            at = (i * (i + 1) // 2 + j) * width
            store(second, at, load(second, at) - weight * product)


@inner
def _add_moments(
    parameters: Any, errors: Any, tile: Any, desk: Any, n_members: int, n_points: int, has_holes: bool
) -> None:
    """Of all points, to the desk; components without a share of a vector's points cost nothing there."""
    d, zero, is_shared = errors[1], constant(desk.lower, 0.0), parameters.n_factors < parameters.n_components
    for t in range(0, n_points, lanes(desk.lower)):
        known, of_all = -1, zero
        for line in range(n_members):
            weight = load(tile.joint, line * tile.stride + t)
            if lanes_less(zero, weight) == 0:
                continue
            k = number(tile.members, line)
            f = min(k, parameters.n_factors - 1)
            if f != known:
                _factor(parameters, errors, tile, desk, t, f, has_holes)
                _solve_roots(parameters, tile, desk, d, t, f, has_holes)
                known = f
            _whiten(parameters, tile, desk, d, t, k, has_holes)
            _add_expected(desk, d, k, f, weight)
            if is_shared:
                of_all = of_all + weight
            else:
                _subtract_explained(desk, d, f, weight)
        if is_shared and known >= 0:
            _subtract_explained(desk, d, 0, of_all)


@inner
def _put_down(parameters: Any, desk: Any, d: int, slots: Any, chunk: int) -> None:
    """Add the sums of a tile to the slot, and begin anew."""
    width, zero = lanes(desk.first), constant(desk.first, 0.0)
    for at in range(parameters.n_components * d):
        add_sum(pointer(slots.first, chunk * parameters.n_components * d), at, load(desk.first, at * width))
        store(desk.first, at * width, zero)
    for f in range(parameters.n_factors):
        second = pointer(slots.second, (chunk * parameters.n_factors + f) * d * d)
        for i in range(d):
            for j in range(i + 1):
                at = (f * (d * (d + 1) // 2) + i * (i + 1) // 2 + j) * width
                add_sum(second, i * d + j, load(desk.second, at))
                store(desk.second, at, zero)


@inner
def _sweep_tile(
    rows: Any, parameters: Any, errors: Any, tile: Any, desk: Any, first: int, n_valid: int, slots: Any, chunk: int
) -> None:
    d, n_components, n_points = rows.n_features, parameters.n_components, points_of(n_valid, tile.joint)
    has_holes = load_rows(rows, errors, first, n_valid, n_points, tile, desk)
    n_members = find_members(rows, n_components, tile, first, n_valid)
    shape = errors.are_matrices, d
    _joint_densities(parameters, shape, tile, desk, n_members, n_points, has_holes)
    if rows.has_groups:
        add_priors(rows, n_components, tile, first, n_valid, n_members)
    responsibilities(
        tile, n_members, n_points, negligible_margin(tile, n_components), 1.0, pointer(slots.totals, 2 * chunk)
    )
    for line in range(n_members):
        k = number(tile.members, line)
        scale_and_count(tile, line, n_points, 1.0, pointer(slots.counts, chunk * n_components + k))
    _add_moments(parameters, shape, tile, desk, n_members, n_points, has_holes)
    _put_down(parameters, desk, d, slots, chunk)


@entry(parallel=False)
def sweep_uncertain_matrices(
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
def score_uncertain_matrices(
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
            shape = of_rows.are_matrices, d
            _joint_densities(parameters, shape, tile, desk, n_components, n_points, has_holes)
            if flat.has_groups:
                add_priors(flat, n_components, tile, first, n_valid, n_components)
            put_outputs(flat, tile, n_components, first, n_valid, n_points, outputs)
