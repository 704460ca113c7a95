"""Rows that lack some of their values: see ``kernels/incomplete.py``."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteKernels, IncompleteSlots, Order
from fastgmm.kernels.numpy_.complete import LOWEST, add_priors, log_sum_exp, put_outputs, tiles
from fastgmm.parameters import FloatArray, IncompleteDiag, IncompleteFull, IncompleteTied, PreparedIncomplete
from fastgmm.rows import Rows, begins_of_equal


class _Run(NamedTuple):
    """Rows of one pattern: their places in the data, differences (K, n, |O|), and the features O and M."""

    places: NDArray[np.int32]
    differences: FloatArray
    observed: NDArray[np.intp]
    missing: NDArray[np.intp]


class _Factors(NamedTuple):
    """L (K or 1, |O|, |O|) and y = L⁻¹δ_O (K, n, |O|)."""

    lower: FloatArray
    whitened: FloatArray


def _runs(rows: Rows, prepared: PreparedIncomplete, order: Order) -> Iterator[_Run]:
    """Neighbors of the same pattern."""
    values = rows.take(order).points().astype(np.float64)
    is_missing = np.isnan(values)
    begins = begins_of_equal(is_missing)
    for begin, end in zip(begins, np.r_[begins[1:], len(order)], strict=True):
        observed, missing = np.flatnonzero(~is_missing[begin]), np.flatnonzero(is_missing[begin])
        differences = values[np.newaxis, begin:end, observed] - prepared.means[:, np.newaxis, observed]
        yield _Run(order[begin:end], differences, observed, missing)


def _factors(prepared: PreparedIncomplete, run: _Run) -> _Factors:
    if isinstance(prepared, IncompleteDiag):
        deviations = np.sqrt(prepared.covariances[:, run.observed])
        lower = deviations[:, :, np.newaxis] * np.eye(len(run.observed))
        with np.errstate(over="ignore"):
            return _Factors(lower, run.differences / deviations[:, np.newaxis, :])
    block = np.ix_(run.observed, run.observed)
    covariances = prepared.covariances.reshape(-1, *prepared.covariances.shape[-2:])
    lower = np.stack([_cholesky(covariance[block]) for covariance in covariances])
    return _Factors(lower, _solve(lower, run.differences))


def _cholesky(matrix: FloatArray) -> FloatArray:
    """NaN where there is none, of a covariance that rounding has made indefinite."""
    try:
        return np.asarray(np.linalg.cholesky(matrix), np.float64)
    except np.linalg.LinAlgError:
        return np.full(matrix.shape, np.nan)


def _solve(lower: FloatArray, right: FloatArray) -> FloatArray:
    """L⁻¹ of every row of right (K, n, |O|). Row by row of L, so that the number of rows changes no bit."""
    result = np.empty(right.shape)
    with np.errstate(over="ignore", invalid="ignore"):  # rows far beyond a component's unit have a density of 0
        for i in range(right.shape[2]):
            known = (lower[:, np.newaxis, i, :i] * result[:, :, :i]).sum(axis=2)
            result[:, :, i] = (right[:, :, i] - known) / lower[:, np.newaxis, i, i]
    return result


def _joint(rows: Rows, prepared: PreparedIncomplete, run: _Run, factors: _Factors) -> FloatArray:
    """Joint log-densities (K, n); −inf and NaN become the lowest number."""
    log_deviations = np.log(np.diagonal(factors.lower, axis1=1, axis2=2)).sum(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        distances = np.square(factors.whitened).sum(axis=2)
        normal = -0.5 * (len(run.observed) * math.log(2 * math.pi) + distances) - log_deviations[:, np.newaxis]
        joint = prepared.exponent * (prepared.log_weights[:, np.newaxis] + normal)
    joint = np.where(joint > LOWEST, joint, LOWEST)
    return add_priors(joint, rows.take(run.places))


def sweep(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, slots: IncompleteSlots, n_threads: int
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    for chunk, tile in tiles(len(order), section):
        members = order[tile]
        if rows.weights is not None:
            members = members[rows.weights[members] > 0]
        if not len(members):
            continue
        for run in _runs(rows, prepared, members):
            weights = np.ones(len(run.places)) if rows.weights is None else rows.weights[run.places]
            factors = _factors(prepared, run)
            log_density, responsibilities = log_sum_exp(_joint(rows, prepared, run, factors))
            responsibilities *= weights
            slots.counts[chunk] += responsibilities.sum(axis=1)
            slots.totals[chunk] += weights.sum(), weights @ log_density
            if isinstance(prepared, IncompleteDiag):
                _add_observed(run, responsibilities, slots, chunk)
            else:
                _add_expected(prepared, run, factors, responsibilities, slots, chunk)


def _add_observed(run: _Run, responsibilities: FloatArray, slots: IncompleteSlots, chunk: int) -> None:
    """Sums over the rows that have the feature."""
    weighted = responsibilities[:, :, np.newaxis] * run.differences
    slots.first[chunk][:, run.observed] += weighted.sum(axis=1)
    slots.second[chunk][:, run.observed] += (weighted * run.differences).sum(axis=1)
    slots.observed[chunk][:, run.observed] += responsibilities.sum(axis=1)[:, np.newaxis]


def _add_expected(
    prepared: IncompleteFull | IncompleteTied,
    run: _Run,
    factors: _Factors,
    responsibilities: FloatArray,
    slots: IncompleteSlots,
    chunk: int,
) -> None:
    """Σwr·e, and Σwr(e·eᵀ + C)."""
    n_components, n_features = prepared.means.shape
    covariances = prepared.covariances.reshape(-1, n_features, n_features)
    columns = _solve(factors.lower, covariances[:, run.missing[:, np.newaxis], run.observed])  # Vᵀ, (K or 1, |M|, |O|)
    filled = np.empty((n_components, len(run.places), n_features))
    filled[:, :, run.observed] = run.differences
    filled[:, :, run.missing] = factors.whitened @ np.swapaxes(columns, 1, 2)
    weighted = responsibilities[:, :, np.newaxis] * filled
    slots.first[chunk] += weighted.sum(axis=1)
    second = np.swapaxes(weighted, 1, 2) @ filled
    block = np.ix_(run.missing, run.missing)
    conditional = covariances[:, block[0], block[1]] - columns @ np.swapaxes(columns, 1, 2)
    second[:, block[0], block[1]] += responsibilities.sum(axis=1)[:, np.newaxis, np.newaxis] * conditional
    slots.second[chunk] += second.sum(axis=0) if isinstance(prepared, IncompleteTied) else second


def log_density(
    rows: Rows, prepared: PreparedIncomplete, order: Order, section: Section, outputs: Outputs, n_threads: int
) -> None:
    """Fill the outputs of the section's rows, each in its place."""
    for _, tile in tiles(len(order), section):
        for run in _runs(rows, prepared, order[tile]):
            put_outputs(outputs, run.places, _joint(rows, prepared, run, _factors(prepared, run)))


KERNELS = IncompleteKernels(sweep, log_density)
