"""Rows of known errors: see ``kernels/uncertain.py``."""

import math
from typing import NamedTuple

import numpy as np

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import Order
from fastgmm.kernels.numpy_.complete import LOWEST, add_priors, log_sum_exp, put_outputs, tiles
from fastgmm.kernels.uncertain import UncertainKernels, UncertainSlots
from fastgmm.parameters import BoolArray, FloatArray, PreparedUncertain, UncertainVariances
from fastgmm.rows import Rows


class _Expected(NamedTuple):
    """Joint log-densities (K, n), b (K, n, d), and VᵀV (K or 1, n, d, d), of variances its diagonal (K, n, d)."""

    joint: FloatArray
    b: FloatArray
    explained: FloatArray


def _expected(rows: Rows, prepared: PreparedUncertain) -> _Expected:
    assert rows.errors is not None
    values, errors = rows.points().astype(np.float64, order="C"), rows.errors.astype(np.float64)
    observed = ~np.isnan(values)
    differences = np.where(observed, values - prepared.means[:, np.newaxis, :], 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # absurd rows have a density of 0
        of_family = _of_variances if isinstance(prepared, UncertainVariances) else _of_matrices
        squares, log_determinant, b, explained = of_family(prepared, differences, errors, observed)
        normal = -0.5 * (observed.sum(axis=1) * math.log(2 * math.pi) + log_determinant + squares)
        joint = prepared.exponent * (prepared.log_weights[:, np.newaxis] + normal)
    joint = np.where(joint > LOWEST, joint, LOWEST)
    return _Expected(add_priors(joint, rows), b, explained)


def _of_variances(
    prepared: PreparedUncertain, differences: FloatArray, errors: FloatArray, observed: BoolArray
) -> tuple[FloatArray, ...]:
    """T = σ² + s: b = σδ/T, VᵀV = σ²/T."""
    variances = prepared.covariances[:, np.newaxis, :] + errors
    explained = np.where(observed, prepared.covariances[:, np.newaxis, :] / variances, 0.0)
    logarithms = np.where(observed, np.log(variances), 0.0)
    b = prepared.roots[:, np.newaxis, :] * differences / variances
    return (differences**2 / variances).sum(axis=2), logarithms.sum(axis=2), b, explained


def _of_matrices(
    prepared: PreparedUncertain, differences: FloatArray, errors: FloatArray, observed: BoolArray
) -> tuple[FloatArray, ...]:
    """L, y and V with rows of the unit matrix, 0 and 0 for features that are missing."""
    d = differences.shape[2]
    matrices = errors if errors.ndim == 3 else errors[:, :, np.newaxis] * np.eye(d)
    both = observed[:, :, np.newaxis] & observed[:, np.newaxis, :]
    total = np.where(both, prepared.covariances[:, np.newaxis] + matrices, np.eye(d))  # (K or 1, n, d, d)
    roots = np.where(observed[:, :, np.newaxis], prepared.roots[:, np.newaxis], 0.0)
    lower, y, V = np.zeros(total.shape), np.empty(differences.shape), np.empty(roots.shape)
    # Row by row of L, so that the number of rows changes no bit.
    for i in range(d):
        for j in range(i):
            inner = (lower[..., i, :j] * lower[..., j, :j]).sum(axis=-1)
            lower[..., i, j] = (total[..., i, j] - inner) / lower[..., j, j]
        lower[..., i, i] = np.sqrt(total[..., i, i] - np.square(lower[..., i, :i]).sum(axis=-1))
        y[..., i] = (differences[..., i] - (lower[..., i, :i] * y[..., :i]).sum(axis=-1)) / lower[..., i, i]
        known = (lower[..., i, :i, np.newaxis] * V[..., :i, :]).sum(axis=-2)
        V[..., i, :] = (roots[..., i, :] - known) / lower[..., i, i, np.newaxis]
    logarithms = 2.0 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
    b = (V * y[..., np.newaxis]).sum(axis=-2)
    return np.square(y).sum(axis=-1), logarithms, b, np.swapaxes(V, -1, -2) @ V


def sweep(
    rows: Rows,
    prepared: PreparedUncertain,
    order: Order | None,
    section: Section,
    slots: UncertainSlots,
    n_threads: int,
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    for chunk, tile in tiles(rows.shape[0] if order is None else len(order), section):
        some = rows.take(tile if order is None else order[tile])
        if some.weights is not None:
            some = some.take(np.flatnonzero(some.weights > 0))
        weights = np.ones(some.shape[0]) if some.weights is None else some.weights
        found = _expected(some, prepared)
        log_density, responsibilities = log_sum_exp(found.joint)
        responsibilities *= weights
        slots.counts[chunk] += responsibilities.sum(axis=1)
        slots.totals[chunk] += weights.sum(), weights @ log_density
        shares = responsibilities[:, :, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):  # absurd rows end in a covariance that is refused
            # A component without a share may be too far to be compared with.
            b = np.where(shares > 0, found.b, 0.0)
            slots.first[chunk] += (shares * b).sum(axis=1)
            slots.second[chunk] += _second(prepared, responsibilities, b, found.explained)


def _second(
    prepared: PreparedUncertain, responsibilities: FloatArray, b: FloatArray, explained: FloatArray
) -> FloatArray:
    """Σwr(bbᵀ − VᵀV)"""
    shares = responsibilities[:, :, np.newaxis]
    if isinstance(prepared, UncertainVariances):
        result: FloatArray = (shares * (b**2 - explained)).sum(axis=1)
        return result
    outer = np.swapaxes(shares * b, 1, 2) @ b
    if len(prepared.covariances) < len(b):
        total = outer.sum(axis=0) - np.einsum("t,tij->ij", responsibilities.sum(axis=0), explained[0])
        return np.asarray(total[np.newaxis], np.float64)
    return np.asarray(outer - np.einsum("kt,ktij->kij", responsibilities, explained), np.float64)


def log_density(rows: Rows, prepared: PreparedUncertain, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    for _, tile in tiles(rows.shape[0], section):
        put_outputs(outputs, tile, _expected(rows.take(tile), prepared).joint)


KERNELS = UncertainKernels(sweep, log_density)
