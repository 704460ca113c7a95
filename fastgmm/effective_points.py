"""How many points hold a component: distinct rows, counted as far as they have a share in it."""

from collections.abc import Sequence

import numpy as np

from fastgmm.bounds import AnySweep
from fastgmm.parameters import Array, FloatArray, Parameters
from fastgmm.pieces import pieces
from fastgmm.sweep import evaluate

# Of more rows, so many spread over the data: a pass that takes no longer than some tenths of a second.
_MOST_ROWS = 2**20
# Rows of a smaller responsibility hold nothing.
_NEGLIGIBLE = 1e-9
# The heaviest rows are kept, and decide, where weights are so uneven that many are few.
_MOST_KEPT = 4096


def effective_points(
    sweep: AnySweep, parameters: Parameters, components: Sequence[int], enough: FloatArray
) -> FloatArray:
    """The effective number of distinct rows that hold each of some components, counted no further than ``enough``.

    That is (Σc)²/Σc² with c a row's weight times its responsibility [1]_. Equal rows are one, as heavy as all of them,
    and the unit of weights does not matter. What holds a covariance that all components share is every row.

    Parameters
    ----------
    components : sequence of int
    enough : ndarray of shape (len(components),)

    References
    ----------
    .. [1] L. Kish, "Survey Sampling" (Wiley, 1965).
    """
    prepared = sweep.family.prepare(parameters, sweep.rows.values.dtype)
    rows = sweep.rows.take(slice(None, None, max(1, sweep.rows.shape[0] // _MOST_ROWS)))
    holders = [_no_holders(rows.values[:1])] * len(components)
    points = np.zeros(len(components))
    for part in pieces(rows.shape[0], 8 * max(parameters.means.shape)):
        block = rows.take(part)
        responsibilities = evaluate(block, prepared, sweep.backend, sweep.n_threads, "responsibilities")
        for position in np.flatnonzero(points < enough):
            shares = responsibilities[:, components[int(position)]].astype(np.float64)
            if sweep.family.is_shared:
                shares[:] = 1.0
            members = shares > _NEGLIGIBLE
            weights = shares[members] if block.weights is None else shares[members] * block.weights[members]
            holders[position] = _with_more(holders[position], block.values[members], weights)
            points[position] = _effective_number(holders[position][1])
        if (points >= enough).all():
            break
    return points


Holders = tuple[Array, FloatArray]


def _no_holders(row: Array) -> Holders:
    return _keys(row[:0]), np.empty(0)


def _with_more(holders: Holders, values: Array, weights: FloatArray) -> Holders:
    """Distinct rows, by their bytes, and their weights; equal rows are one."""
    keys, position = np.unique(np.concatenate([holders[0], _keys(values)]), return_inverse=True)
    total = np.bincount(position, np.concatenate([holders[1], weights]), len(keys)).astype(np.float64)
    heaviest = np.argsort(-total)[:_MOST_KEPT]
    return keys[heaviest], total[heaviest]


def _keys(values: Array) -> Array:
    contiguous = np.ascontiguousarray(values + 0.0)  # the two zeros are equal, but not in their bytes
    keys: Array = contiguous.view(np.dtype((np.void, values.shape[1] * values.itemsize)))[:, 0]
    return keys


def _effective_number(weights: FloatArray) -> float:
    """Of the largest, whose square may underflow otherwise."""
    if not weights.any():
        return 0.0
    relative = weights / weights.max()
    return float(relative.sum() ** 2 / (relative**2).sum())
