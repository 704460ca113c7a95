"""How many points hold a component: distinct rows, counted as far as they have a share in it."""

from collections.abc import Sequence

import numpy as np

from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, FloatArray, Model
from fastgmm.sweeps.incomplete import responsibilities_of
from fastgmm.sweeps.sweep import Sweep

# Rows of a smaller responsibility are not counted: beside one whole row, a million of them add 0.002 points.
_NEGLIGIBLE = 1e-9
# At most so many distinct rows of a component are kept, the heaviest. Where their weights are alike, that is enough for
# Gaussians in 43 directions, since four points are asked for each of r(r + 3)/2 + 1 parameters.
_MOST_KEPT = 4096


def effective_points(sweep: Sweep, model: Model, components: Sequence[int], enough: FloatArray) -> FloatArray:
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
    rows, family = sweep.facts.rows, sweep.family
    chosen = np.asarray(components)
    holders = [(_keys(rows.values[:0]), np.empty(0))] * len(chosen)
    points = np.zeros(len(chosen))
    for part in pieces(rows.shape[0], 8 * max(model.parameters.means.shape)):
        block, unfinished = rows.take(part), np.flatnonzero(points < enough)
        if not len(unfinished):
            break
        shares = np.ones((block.shape[0], len(unfinished)))
        if not family.is_shared:
            table = responsibilities_of(block, model, sweep)
            shares = table[:, chosen[unfinished]].astype(np.float64)
        if block.weights is not None:
            shares *= block.weights[:, np.newaxis] > 0
        holding = (shares > _NEGLIGIBLE).any(axis=1)
        shares = shares[holding] if block.weights is None else shares[holding] * block.weights[holding, np.newaxis]
        keys, which = np.unique(_keys(block.values[holding]), return_inverse=True)
        for position, column in zip(unfinished, shares.T, strict=True):
            own = np.bincount(which, column, len(keys)).astype(np.float64)
            holders[position] = _merged(holders[position], (keys[own > 0], own[own > 0]))
            points[position] = _effective_number(holders[position][1])
    return points


Holders = tuple[Array, FloatArray]


def _merged(holders: Holders, more: Holders) -> Holders:
    """Distinct rows, by their bytes, and their weights; where they are very many the heaviest are enough."""
    if not len(holders[0]) and len(more[0]) <= _MOST_KEPT:
        return more
    both = np.concatenate([holders[0], more[0]])
    keys, which = np.unique(both, return_inverse=True)
    total = np.bincount(which, np.concatenate([holders[1], more[1]]), len(keys)).astype(np.float64)
    heaviest = np.argsort(-total)[:_MOST_KEPT]
    return keys[heaviest], total[heaviest]


def _keys(values: Array) -> Array:
    contiguous = np.ascontiguousarray(values + 0.0)  # the two zeros are equal, but not in their bytes
    keys: Array = contiguous.view(np.dtype((np.void, values.shape[1] * values.itemsize)))[:, 0]
    return keys


def _effective_number(weights: FloatArray) -> float:
    """(Σc)²/Σc² of weights c, computed from their ratios to the largest, since squares of small ones underflow."""
    if not weights.any():
        return 0.0
    relative = weights / weights.max()
    return float(relative.sum() ** 2 / (relative**2).sum())
