"""Rows of known errors in a tile: values, which of them are there, and the errors, each a line of numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.rows import place_of, weight_at
from fastgmm.kernels.numba_.tile import CACHE_LINE, Scratch, zeros_in_lines
from fastgmm.kernels.numba_.vector import (
    constant,
    exponent,
    mantissa,
    number,
    pointer,
    put,
)
from fastgmm.parameters import Array, PreparedUncertain


class FlatErrors(NamedTuple):
    """The errors of all rows, one after the other: d variances each, or d·d numbers of matrices."""

    numbers: NDArray[Any]
    are_matrices: bool


class FlatParameters(NamedTuple):
    """``n_factors`` is that of the covariances: 1 where components share theirs."""

    log_weights: Any
    means: Any
    covariances: Any
    roots: Any
    exponent: float
    n_components: int
    n_factors: int


class Desk(NamedTuple):
    """Scratch beside a tile's: lines of errors, and what matrices need of the points of one vector.

    ``lower`` and ``V`` are packed triangles, of L with 1/L_jj on its diagonal, and L⁻¹R; ``y`` and ``b`` lines of d.
    ``first`` and ``second`` are sums over the points of a tile, of each component and each factor.
    """

    errors: Any
    lower: Any
    V: Any
    y: Any
    b: Any
    first: Any
    second: Any


def flat_errors(errors: Array) -> FlatErrors:
    assert errors.flags.c_contiguous
    flat = np.lib.stride_tricks.as_strided(errors, (errors.size,), (errors.itemsize,), writeable=False)
    return FlatErrors(flat, errors.ndim == 3)


def flat_parameters(prepared: PreparedUncertain) -> FlatParameters:
    covariances, roots = prepared.covariances.reshape(-1), prepared.roots.reshape(-1)
    how = float(prepared.exponent), len(prepared.means), len(prepared.covariances)
    return FlatParameters(prepared.log_weights, prepared.means.reshape(-1), covariances, roots, *how)


def n_error_lines(d: int, are_matrices: bool) -> int:
    """Of triangles the lower ones."""
    return d * (d + 1) // 2 if are_matrices else d


def allocate_desks(
    n_workers: int, tile_rows: int, errors: FlatErrors, parameters: FlatParameters, d: int, width: int
) -> Scratch:
    """With vectors of ``width`` numbers for matrices, and of 0 where there are none."""
    triangle = d * (d + 1) // 2
    n_lines = n_error_lines(d, errors.are_matrices)
    n_vectors = 2 * triangle + 2 * d + parameters.n_components * d + parameters.n_factors * triangle
    size = n_lines * (tile_rows + CACHE_LINE // 8) + n_vectors * width
    return Scratch(zeros_in_lines(n_workers, size, np.float64), np.zeros((n_workers, 1), np.int64))


@inline
def desk_of(scratch: Any, worker: int, tile: Any, errors: Any, parameters: Any, d: int, width: int) -> Any:
    """The worker's scratch, as ``allocate_desks`` counted it."""
    start = pointer(scratch.numbers, worker * scratch.numbers.shape[1])
    triangle = d * (d + 1) // 2
    lower = (triangle if errors.are_matrices else d) * tile.stride
    y = lower + 2 * triangle * width
    first = y + 2 * d * width
    return Desk(
        start,
        pointer(start, lower),
        pointer(start, lower + triangle * width),
        pointer(start, y),
        pointer(start, y + d * width),
        pointer(start, first),
        pointer(start, first + parameters.n_components * d * width),
    )


@inline
def pointers_of_parameters(parameters: Any) -> Any:
    return FlatParameters(
        pointer(parameters.log_weights, 0),
        pointer(parameters.means, 0),
        pointer(parameters.covariances, 0),
        pointer(parameters.roots, 0),
        parameters.exponent,
        parameters.n_components,
        parameters.n_factors,
    )


@inline
def pointers_of_errors(errors: Any) -> Any:
    return FlatErrors(pointer(errors.numbers, 0), errors.are_matrices)


@inner
def load_rows(rows: Any, errors: Any, first: int, n_valid: int, n_points: int, tile: Any, desk: Any) -> bool:
    """Put rows and their errors into the tile; ``packed`` says with 1 which values are there. Whether any is missing.

    A row of weight 0 may hold anything, and is taken to lack all values.
    """
    d, has_holes = rows.n_features, False
    for t in range(n_points):
        weight = weight_at(rows, first + t) if t < n_valid else 0.0
        put(tile.weights, t, weight)
        row = place_of(rows, first + t) if t < n_valid else 0
        for j in range(d):
            at = j * tile.stride + t
            x = float(number(rows.values, row * rows.row_stride + j * rows.column_stride))
            if rows.has_origin:
                x -= number(rows.origin, j)
            is_there = weight > 0.0 and x == x
            has_holes = has_holes or not is_there
            put(tile.points, at, x if is_there else 0.0)
            put(tile.packed, at, 1.0 if is_there else 0.0)
        if weight > 0.0:
            _load_errors(errors, row, d, tile, desk, t)
    return has_holes


@inline
def _load_errors(errors: Any, row: int, d: int, tile: Any, desk: Any, t: int) -> None:
    line = 0
    if errors.are_matrices:
        for i in range(d):
            for j in range(i + 1):
                put(desk.errors, line * tile.stride + t, number(errors.numbers, (row * d + i) * d + j))
                line += 1
    else:
        for j in range(d):
            put(desk.errors, j * tile.stride + t, number(errors.numbers, row * d + j))


class Determinant(NamedTuple):
    """A product of positive numbers as ``product``·2^``power``, which neither overflows nor vanishes."""

    power: Any
    product: Any


@inline
def times(determinant: Any, factor: Any) -> Any:
    product = determinant.product * mantissa(factor)
    return Determinant(determinant.power + (exponent(factor) + exponent(product)), mantissa(product))


@inline
def unit_determinant(like: Any) -> Any:
    return Determinant(constant(like, 0.0), constant(like, 1.0))
