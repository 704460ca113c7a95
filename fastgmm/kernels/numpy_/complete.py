"""Rows that have all of their values."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.entries import Entries
from fastgmm.kernels.contract import LARGEST_TILE, Outputs, Section, Slots
from fastgmm.kernels.incomplete import Order
from fastgmm.parameters import (
    FloatArray,
    Prepared,
    PreparedDiag,
    PreparedFactor,
    PreparedFull,
    PreparedSpherical,
    PreparedTied,
)
from fastgmm.rows import Rows, are_of_table

# The lowest joint log-density: −inf would make NaN of the difference of two of them.
LOWEST = -1.7e308
# That of a component that the row's group excludes: below those it allows, however far these may be.
_EXCLUDED = -1.79e308


def tiles(n_rows: int, section: Section) -> Iterator[tuple[int, slice]]:
    """The tiles of the section, each with the number of its chunk."""
    for chunk in range(section.n_chunks):
        begin = chunk * section.chunk_rows + section.start
        end = min(chunk * section.chunk_rows + section.stop, n_rows)
        for first in range(begin, end, section.tile_rows):
            yield chunk, slice(first, min(first + section.tile_rows, end))


def _in_double(rows: Rows) -> FloatArray:
    """Float64 in C order: the order of memory decides the order of sums."""
    return rows.points().astype(np.float64, order="C")


def _differences(x: FloatArray, prepared: Prepared) -> FloatArray:
    """x − μₖ as (K, rows, d)."""
    result: FloatArray = x[np.newaxis, :, :] - prepared.means[:, np.newaxis, :]
    return result


def _squared_norm(y: FloatArray) -> FloatArray:
    result: FloatArray = np.einsum("kti,kti->kt", y, y)
    return result


def _product(rows: FloatArray, factors: FloatArray) -> FloatArray:
    """Rows (..., n, d) times factors (..., d, d), always as many rows as the largest tile has.

    BLAS adds in another order for few rows than for many, and a row should have the same bits among any others.
    """
    padded = np.zeros((*rows.shape[:-2], LARGEST_TILE, rows.shape[-1]))
    padded[..., : rows.shape[-2], :] = rows
    result: FloatArray = (padded @ factors)[..., : rows.shape[-2], :]
    return result


def _mahalanobis_full(x: FloatArray, prepared: PreparedFull) -> FloatArray:
    """‖L⁻¹ₖ(x − μₖ)‖²"""
    factors = np.swapaxes(prepared.inverse_cholesky, 1, 2).astype(np.float64)
    return _squared_norm(_product(_differences(x, prepared), factors))


def _mahalanobis_tied(x: FloatArray, prepared: PreparedTied) -> FloatArray:
    """‖L⁻¹(x − c) − L⁻¹(μₖ − c)‖², c the pivot."""
    whitened = _product(x - prepared.pivot, prepared.inverse_cholesky.T.astype(np.float64))
    return _squared_norm(whitened[np.newaxis, :, :] - prepared.whitened_means[:, np.newaxis, :])


def _mahalanobis_diag(x: FloatArray, prepared: PreparedDiag) -> FloatArray:
    """Σⱼ ((xⱼ − μₖⱼ)/σₖⱼ)²"""
    return _squared_norm(_differences(x, prepared) * prepared.inverse_deviations[:, np.newaxis, :].astype(np.float64))


def _mahalanobis_spherical(x: FloatArray, prepared: PreparedSpherical) -> FloatArray:
    """‖x − μₖ‖²/σₖ²"""
    result: FloatArray = _squared_norm(_differences(x, prepared)) * prepared.precisions[:, np.newaxis]
    return result


def _factors(differences: FloatArray, prepared: PreparedFactor) -> FloatArray:
    """z = M(x − μ), (K, rows, rank)."""
    return _product(differences, prepared.projections.astype(np.float64))


def _mahalanobis_factor(x: FloatArray, prepared: PreparedFactor) -> FloatArray:
    """2h(‖Ψ^(−½)(x − μₖ − Λz)‖² + ‖z‖²)"""
    differences = _differences(x, prepared)
    factors = _factors(differences, prepared)
    explained = _product(factors, np.swapaxes(prepared.loadings, 1, 2).astype(np.float64))  # −Ψ^(−½)Λz
    unexplained = differences * prepared.inverse_deviations[:, np.newaxis, :].astype(np.float64) + explained
    squares = _squared_norm(unexplained) + _squared_norm(factors)
    result: FloatArray = squares * (2.0 * prepared.halves.astype(np.float64))[:, np.newaxis]
    return result


def _cross_factor(weighted: FloatArray, z: FloatArray, prepared: PreparedFactor) -> FloatArray:
    """C = Σ wr(x − μ)zᵀ, (K, d, rank)."""
    return np.swapaxes(weighted, 1, 2) @ _factors(z, prepared)


def _second_full(weighted: FloatArray, z: FloatArray) -> FloatArray:
    return np.swapaxes(weighted, 1, 2) @ z


def _second_diag(weighted: FloatArray, z: FloatArray) -> FloatArray:
    result: FloatArray = np.einsum("kti,kti->ki", weighted, z)
    return result


def _second_spherical(weighted: FloatArray, z: FloatArray) -> FloatArray:
    result: FloatArray = np.einsum("kti,kti->k", weighted, z)
    return result


def _second_tied(weighted: FloatArray, z: FloatArray) -> FloatArray:
    d = z.shape[2]
    result: FloatArray = weighted.reshape(-1, d).T @ z.reshape(-1, d)
    return result


_Mahalanobis = Callable[[FloatArray, Any], FloatArray]
_Second = Callable[[FloatArray, FloatArray], FloatArray]
_FAMILIES: dict[type, tuple[_Mahalanobis, _Second]] = {
    PreparedFull: (_mahalanobis_full, _second_full),
    PreparedTied: (_mahalanobis_tied, _second_tied),
    PreparedDiag: (_mahalanobis_diag, _second_diag),
    PreparedSpherical: (_mahalanobis_spherical, _second_spherical),
    PreparedFactor: (_mahalanobis_factor, _second_diag),
}
# What else families collect.
_EXTRA: dict[type, Callable[[FloatArray, FloatArray, Any], FloatArray]] = {PreparedFactor: _cross_factor}


def _joint_density(x: FloatArray, rows: Rows, prepared: Prepared) -> FloatArray:
    """cₖ − ½·Mahalanobis² + log-prior, (K, rows); −inf and NaN (from inf − inf) become the lowest number."""
    mahalanobis, _ = _FAMILIES[type(prepared)]
    with np.errstate(over="ignore", invalid="ignore"):
        joint = prepared.log_constants[:, np.newaxis] - 0.5 * mahalanobis(x, prepared)
    joint = np.where(joint > LOWEST, joint, LOWEST)
    return add_priors(joint, rows)


def add_priors(joint: FloatArray, rows: Rows | Entries) -> FloatArray:
    """Joint log-densities (K, rows) with the log-priors of the rows' groups."""
    if rows.groups is None or rows.group_prior is None:
        return joint
    known = are_of_table(rows.groups, rows.group_prior)
    joint[:, known] += rows.group_prior[rows.groups[known]].T
    return np.where(joint > _EXCLUDED, joint, _EXCLUDED)


def log_sum_exp(joint: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log p(x) = m + log Σₖ exp(joint_k − m), and the responsibilities; −inf where every joint density is."""
    largest = joint.max(axis=0)
    exponentials = np.exp(joint - largest)
    # In C order NumPy adds up a point's numbers in pairs, and so loses less.
    total = exponentials.T.copy(order="C").sum(axis=1)
    return np.where(largest > LOWEST, largest + np.log(total), -np.inf), exponentials / total


def sweep(
    rows: Rows, prepared: Prepared, section: Section, slots: Slots, n_threads: int, order: Order | None = None
) -> None:
    """Add the moments of the section's rows to the slots of their chunks."""
    _, second = _FAMILIES[type(prepared)]
    for chunk, tile in tiles(rows.shape[0] if order is None else len(order), section):
        some = rows.take(tile if order is None else order[tile])
        if some.weights is not None:
            some = some.take(np.flatnonzero(some.weights > 0))
        x = _in_double(some)
        weights = np.ones(len(x)) if some.weights is None else some.weights
        log_density, responsibilities = log_sum_exp(_joint_density(x, some, prepared))
        responsibilities *= weights
        with np.errstate(over="ignore", invalid="ignore"):  # absurd rows end in a covariance that is refused
            z = _differences(x, prepared)
            weighted = responsibilities[:, :, np.newaxis] * z
            slots.counts[chunk] += responsibilities.sum(axis=1)
            slots.first[chunk] += weighted.sum(axis=1)
            if slots.second.size:
                slots.second[chunk] += second(weighted, z)
            if (extra := _EXTRA.get(type(prepared))) is not None:
                slots.extra[chunk] += extra(weighted, z, prepared)
            slots.totals[chunk] += weights.sum(), weights @ log_density


def log_density(rows: Rows, prepared: Prepared, section: Section, outputs: Outputs, n_threads: int) -> None:
    """Fill the outputs of the section's rows."""
    for _, tile in tiles(rows.shape[0], section):
        some = rows.take(tile)
        put_outputs(outputs, tile, _joint_density(_in_double(some), some, prepared))


def put_outputs(outputs: Outputs, places: slice | NDArray[np.integer[Any]], joint: FloatArray) -> None:
    """Fill what is wanted of some rows from their joint log-densities (K, rows)."""
    densities, responsibilities = log_sum_exp(joint)
    if len(outputs.log_density):
        with np.errstate(over="ignore"):  # beyond float32's range lies −inf
            outputs.log_density[places] = densities
    if len(outputs.labels):
        outputs.labels[places] = joint.argmax(axis=0)
    if len(outputs.joint):
        table = responsibilities if outputs.normalize else np.maximum(joint, np.finfo(outputs.joint.dtype).min)
        outputs.joint[places] = table.T
