"""How many points hold a component: distinct rows, counted as far as they have a share in it."""

from collections.abc import Sequence

import numpy as np

from fastgmm.families import CovarianceFamily
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, BoolArray, FloatArray, Model
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import responsibilities_of
from fastgmm.sweeps.sweep import Sweep

# Rows of a smaller responsibility are not counted: beside one whole row, a million of them add 0.002 points.
_NEGLIGIBLE = 1e-9
# At most so many distinct rows of a component are kept, the heaviest. Where their weights are alike, that is enough for
# Gaussians in 43 directions, since four points are asked for each of r(r + 3)/2 + 1 parameters. Of rows with holes, of
# which half the values may be missing, a quarter has both of two features.
_MOST_KEPT, _MOST_KEPT_WITH_HOLES = 4096, 16_384


def effective_points(
    sweep: Sweep, model: Model, components: Sequence[int], enough: FloatArray, features: BoolArray | None = None
) -> FloatArray:
    """The effective number of distinct rows that hold each of some components, counted no further than ``enough``.

    That is (Σc)²/Σc² with c a row's weight times its responsibility [1]_. Equal rows are one, as heavy as all of them,
    and the unit of weights does not matter. What holds a covariance that all components share is every row. Where
    values are missing it is the number of rows that have a feature, or both of two where these are correlated: of some
    features, or pairs of them, that with the fewest.

    Parameters
    ----------
    components : sequence of int
    enough : ndarray of shape (len(components),)
    features : ndarray of shape (len(components), n_features), optional
        Which of them matter where values are missing; all unless given.

    References
    ----------
    .. [1] L. Kish, "Survey Sampling" (Wiley, 1965).
    """
    rows, family = sweep.facts.rows, sweep.family
    chosen = np.asarray(components)
    holders = [(_keys(rows.values[:0]), np.empty(0))] * len(chosen)
    points = np.zeros(len(chosen))
    most_kept = _MOST_KEPT_WITH_HOLES if rows.has_missing else _MOST_KEPT
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
            holders[position] = _merged(holders[position], (keys[own > 0], own[own > 0]), most_kept)
            matter = slice(None) if features is None else features[position]
            points[position] = _effective_number(holders[position], rows, family, matter)
    return points


def effective_values(sweep: Sweep, model: Model, enough: float) -> FloatArray:
    """The effective number of values (K, d) of every feature that each component holds, counted to ``enough`` of all.

    That is (Σc)²/Σc² as above, over the rows that have the feature, and at most Σr: many rows with a tiny share alike
    are no values. It is that of a sample where it has enough, else of all rows.
    """
    of_sample = _effective_values(sweep, model, sweep.facts.sample, enough)
    return of_sample if (of_sample >= enough).all() else _effective_values(sweep, model, sweep.facts.rows, enough)


def _effective_values(sweep: Sweep, model: Model, rows: Rows, enough: float) -> FloatArray:
    shape = model.parameters.means.shape
    first, second, rows_held, numbers = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for part in pieces(rows.shape[0], 8 * max(shape)):
        block = rows.take(part)
        shares = responsibilities_of(block, model, sweep).astype(np.float64)
        if block.weights is not None:
            shares[block.weights == 0] = 0.0
        has = (~np.isnan(block.values)).astype(np.float64)
        rows_held += shares.T @ has
        if block.weights is not None:
            shares *= block.weights[:, np.newaxis]
        first += shares.T @ has
        second += np.square(shares).T @ has
        numbers = np.minimum(np.square(first) / np.where(second > 0, second, 1.0), rows_held)
        if (numbers >= enough).all():
            break
    return numbers


Holders = tuple[Array, FloatArray]


def _merged(holders: Holders, more: Holders, most_kept: int) -> Holders:
    """Distinct rows, by their bytes, and their weights; where they are very many the heaviest are enough."""
    if not len(holders[0]) and len(more[0]) <= most_kept:
        return more
    both = np.concatenate([holders[0], more[0]])
    keys, which = np.unique(both, return_inverse=True)
    total = np.bincount(which, np.concatenate([holders[1], more[1]]), len(keys)).astype(np.float64)
    heaviest = np.argsort(-total)[:most_kept]
    return keys[heaviest], total[heaviest]


def _keys(values: Array) -> Array:
    contiguous = np.ascontiguousarray(values + 0.0)  # the two zeros are equal, but not in their bytes
    keys: Array = contiguous.view(np.dtype((np.void, values.shape[1] * values.itemsize)))[:, 0]
    return keys


def _effective_number(holders: Holders, rows: Rows, family: CovarianceFamily, features: BoolArray | slice) -> float:
    """(Σc)²/Σc² of weights c, computed from their ratios to the largest, since squares of small ones underflow.

    Where values are missing that of the pair of some features, or the feature, which the fewest have.
    """
    keys, weights = holders
    if not weights.any():
        return 0.0
    relative = weights / weights.max()
    if not rows.has_missing or family.kernel == "spherical":
        return float(relative.sum() ** 2 / (relative**2).sum())
    has = (~np.isnan(keys.view(rows.values.dtype).reshape(len(keys), -1))).astype(np.float64)[:, features]
    first, second = (has.T * relative) @ has, (has.T * relative**2) @ has
    numbers = np.square(first) / np.where(second > 0, second, 1.0)
    return float(numbers.min() if family.has_matrices else numbers.diagonal().min())
