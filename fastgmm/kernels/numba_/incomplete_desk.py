"""What kernels of matrices work on where rows lack values: components in lanes, and one worker's scratch.

``lanes`` components are a *block*; a matrix of theirs is one of vectors. Features of a pattern stand at *positions*,
first the observed ones, then the missing ones, each kind filled up to whole panels of four by features that no data
have: these have variance 1, covariance 0 and difference 0, and change nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.numba_.jit import inline
from fastgmm.kernels.numba_.tile import Scratch, zeros_in_lines
from fastgmm.kernels.numba_.vector import pointer
from fastgmm.parameters import IncompleteFull, IncompleteTied

# Rows whose differences are computed, and whose outer products are added, together.
GROUP = 4
# Of fewer features L takes no longer than W, and less where rows share a pattern; one L serves all tied components.
_FEWEST_FOR_INVERSES = 17
# A panel is filled up by at most so many features.
_FILLERS = 3


class Blocks(NamedTuple):
    """Parameters by blocks; tied components have one block of factors, with the same matrix in all lanes.

    ``log_weights`` (n_blocks, lanes), −inf beyond the last component, ``means`` (n_blocks, size, lanes),
    ``negative`` (n_factors, size, size, lanes) are −Σ. ``inverses``, W of whole covariances, is as the model has it: to
    put it into lanes here as well would take longer than a sweep over few rows.
    """

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    negative: NDArray[np.float64]
    inverses: NDArray[np.float64]
    exponent: float
    n_components: int
    n_blocks: int
    n_factors: int
    has_inverses: bool


class DesksAndTiles(NamedTuple):
    """Scratch of all workers."""

    desks: Scratch
    tiles: Scratch


class Desk(NamedTuple):
    """Pointers into one worker's scratch; vectors are of lanes.

    ``lower``: L and below it Vᵀ, (n_factors, panels, columns + 1, 4); ``scales`` −1/L_jj; ``log_deviations`` Σ log
    L_jj. ``inverses``: W of whole covariances, (n_factors, d, d) column by column, and ``log_determinants``: their
    Σ log L_jj.
    Of the group: ``x`` (4, size), ``differences`` −δ (4, columns) of one block, ``y`` (n_blocks, columns, 4),
    ``joint`` (4, n_blocks). Sums of the tile: ``counts``, ``first``, ``second`` (n_factors, width, width). ``roots``
    √(wr)·e (n_blocks, 4, width) wait until there are four rows of them. ``shares`` are Σwr of the run, for C.
    """

    size: int
    columns: int
    panels: int
    width: int
    lower: Any
    scales: Any
    log_deviations: Any
    inverses: Any
    log_determinants: Any
    x: Any
    differences: Any
    y: Any
    joint: Any
    counts: Any
    first: Any
    second: Any
    roots: Any
    shares: Any
    square: Any
    number: Any
    features: Any
    rows_at: Any
    columns_at: Any
    is_missing: Any
    is_solved: Any


def blocks_of(prepared: IncompleteFull | IncompleteTied, lanes: int) -> Blocks:
    """Copy the parameters into blocks."""
    n_components, d = prepared.means.shape
    n_blocks, size = -(-n_components // lanes), d + _FILLERS
    n_padded = n_blocks * lanes
    log_weights = np.full(n_padded, -np.inf)
    log_weights[:n_components] = prepared.log_weights
    means = np.zeros((n_padded, size))
    means[:n_components, :d] = prepared.means
    n_matrices = n_padded if prepared.covariances.ndim == 3 else lanes
    negative = np.zeros((n_matrices, size, size))
    negative[:, range(size), range(size)] = -1.0
    given = n_components if prepared.covariances.ndim == 3 else lanes
    negative[:given, :d, :d] = -prepared.covariances
    inverses = prepared.inverse_cholesky  # read-only or not, for which kernels would be compiled twice
    assert inverses.flags.c_contiguous
    return Blocks(
        log_weights,
        _in_lanes(means, lanes),
        _in_lanes(negative, lanes),
        np.lib.stride_tricks.as_strided(inverses, (inverses.size,), (inverses.itemsize,), writeable=False),
        float(prepared.exponent),
        n_components,
        n_blocks,
        n_matrices // lanes,
        prepared.covariances.ndim == 3 and d >= _FEWEST_FOR_INVERSES,
    )


def _in_lanes(array: NDArray[np.float64], lanes: int) -> NDArray[np.float64]:
    """(blocks·lanes, …) as the numbers of (blocks, …, lanes)."""
    entries = array.reshape(-1, lanes, array[0].size)
    room = zeros_in_lines(1, array.size, np.float64)[0, : array.size]
    room.reshape(len(entries), -1, lanes)[...] = entries.swapaxes(1, 2)
    return room


def allocate_desks(n_workers: int, blocks: Blocks, d: int, lanes: int) -> Scratch:
    """Room for what ``desk_of`` cuts it into."""
    columns = (d + 3) // 4 * 4
    width = columns + 4
    of_factors = (columns // 4 + 1) * (columns + 1) * 4 + columns + 3 + d * d + width * width
    of_blocks = columns * GROUP + GROUP + 1 + width + GROUP * width
    of_all = GROUP * columns + 16 + 1
    n_numbers = (blocks.n_factors * of_factors + blocks.n_blocks * of_blocks + of_all) * lanes + GROUP * (d + _FILLERS)
    n_integers = 3 * (columns + 4) + d + blocks.n_factors + 4
    return Scratch(
        zeros_in_lines(n_workers, n_numbers, np.float64),
        zeros_in_lines(n_workers, n_integers, np.int64),
    )


@inline
def pointers_of_blocks(blocks: Any) -> Any:
    """The blocks with pointers, which are cheaper to hand on than arrays."""
    return Blocks(
        pointer(blocks.log_weights, 0),
        pointer(blocks.means, 0),
        pointer(blocks.negative, 0),
        pointer(blocks.inverses, 0),
        blocks.exponent,
        blocks.n_components,
        blocks.n_blocks,
        blocks.n_factors,
        blocks.has_inverses,
    )


@inline
def desk_of(scratch: Any, worker: int, blocks: Any, d: int, lanes: int) -> Any:
    """The worker's scratch, as ``allocate_desks`` counted it."""
    columns = (d + 3) // 4 * 4
    panels, width = columns // 4 + 1, columns + 4
    lower = pointer(scratch.numbers, worker * scratch.numbers.shape[1])
    scales = pointer(lower, blocks.n_factors * panels * (columns + 1) * 4 * lanes)
    log_deviations = pointer(scales, blocks.n_factors * columns * lanes)
    inverses = pointer(log_deviations, blocks.n_factors * lanes)
    log_determinants = pointer(inverses, blocks.n_factors * d * d * lanes)
    shares = pointer(log_determinants, blocks.n_factors * lanes)
    second = pointer(shares, blocks.n_factors * lanes)
    differences = pointer(second, blocks.n_factors * width * width * lanes)
    y = pointer(differences, GROUP * columns * lanes)
    joint = pointer(y, blocks.n_blocks * columns * GROUP * lanes)
    counts = pointer(joint, blocks.n_blocks * GROUP * lanes)
    first = pointer(counts, blocks.n_blocks * lanes)
    roots = pointer(first, blocks.n_blocks * width * lanes)
    square = pointer(roots, blocks.n_blocks * GROUP * width * lanes)
    number = pointer(square, 16 * lanes)
    features = pointer(scratch.integers, worker * scratch.integers.shape[1])
    is_missing = pointer(features, 3 * width)
    is_solved = pointer(is_missing, d)
    return Desk(
        d + _FILLERS, columns, panels, width, lower, scales, log_deviations, inverses, log_determinants,
        pointer(number, lanes), differences, y, joint, counts, first, second, roots, shares, square, number, features,
        pointer(features, width), pointer(features, 2 * width), is_missing, is_solved,
    )  # fmt: skip
