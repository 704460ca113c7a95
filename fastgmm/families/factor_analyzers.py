"""Mixtures of factor analyzers: every component stretches along a few directions, and has noise along the axes.

A point is x = μ + Λz + e with factors z ~ N(0, I) of ``rank`` q, loadings Λ (d, q) and noise e ~ N(0, Ψ), so that

    Σ = ΛΛᵀ + Ψ,   Ψ = diag(ψ),   the uniquenesses; in probabilistic PCA Ψ = σ²I [2]_

No matrix of d × d numbers is ever made. With A = Ψ^(−½)Λ and the expected factors z = M(x − μ) of a point,

    M = (I + AᵀA)⁻¹AᵀΨ^(−½),   log det Σ = Σⱼ log ψⱼ + log det(I + AᵀA)
    (x − μ)ᵀΣ⁻¹(x − μ) = ‖Ψ^(−½)(x − μ − Λz)‖² + ‖z‖²

The last is a sum of squares, not the difference by which Woodbury's formula has it, which loses all digits where
uniquenesses are small. It also is the least over all z, so that rounding errors of z count by their squares.

An M-step has no closed form. Ours is a step of the EM algorithm in which factors are missing as well [1]_, under the
same responsibilities: from S' and C' = S'Mᵀ, the second moments about the new means,

    Λ' = C'(V + MC')⁻¹,   Ψ' = diag(S' − Λ'C'ᵀ),   V = (I + AᵀA)⁻¹

which raises the expected log-likelihood, as much as an iteration has to. More steps of this kind without a look at the
rows would need more of S than diagonals and C'. Loadings are determined up to a rotation of the factors.

References
----------
.. [1] Z. Ghahramani and G. E. Hinton, "The EM algorithm for mixtures of factor analyzers", University of Toronto
   CRG-TR-96-1 (1996).
.. [2] M. E. Tipping and C. M. Bishop, "Mixtures of probabilistic principal component analyzers", Neural Computation 11
   (1999).
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fastgmm.families.diag import inverse_deviations
from fastgmm.families.factors import ROUNDING, log_constants
from fastgmm.families.family import Coordinates, CovarianceFamily, NotPositiveDefiniteError
from fastgmm.families.low_rank import (
    coordinates_of,
    count_smaller,
    covariances_of_coordinates,
    distances_apart,
    expected_factors,
    growth,
    precisions_of_root,
    smallest_variances,
    spectrum_of,
    whitened,
    with_last,
)
from fastgmm.moments import Moments
from fastgmm.parameters import BoolArray, FloatArray, PreparedFactor

NAMES = ("factor", "ppca")
_OF_A_RANK = re.compile(rf"({'|'.join(NAMES)})\(([1-9]\d*)\)")


def _assemble(weights: FloatArray, means: FloatArray, root: FloatArray, dtype: Any) -> PreparedFactor:
    standard, inverse = root[..., :-1], root[..., -1]
    spectrum = spectrum_of(standard)
    log_determinants = np.log(inverse).sum(axis=1) - 0.5 * np.log1p(spectrum.lengths**2).sum(axis=1)
    projections = inverse[..., np.newaxis] * np.swapaxes(spectrum.projection, 1, 2)
    return PreparedFactor(
        log_constants(weights, log_determinants, means.shape[1]).astype(dtype),
        np.array(means, np.float64, order="C"),
        np.array(inverse, dtype, order="C"),
        np.full(len(means), 0.5, dtype),
        np.array(-standard, dtype, order="C"),
        np.array(projections, dtype, order="C"),
    )


def _start(moments: Moments, counts: FloatArray, shifts: FloatArray, rank: int) -> FloatArray:
    """Variances S/N − δ² as uniquenesses, and no loadings: from there EM moves nowhere, and a start goes on."""
    variances = moments.second / counts[:, np.newaxis] - shifts**2
    return with_last(np.zeros((*variances.shape, rank)), variances)


def _improve(
    moments: Moments, counts: FloatArray, shifts: FloatArray, before: FloatArray, is_isotropic: bool
) -> FloatArray:
    """The step of EM above. Uniquenesses are at least what rounding leaves of a feature's variance."""
    n, average, h = counts[:, np.newaxis], moments.first / counts[:, np.newaxis], shifts
    projections, left = expected_factors(before)
    cross = moments.extra.reshape(*h.shape, -1) / n[..., np.newaxis]
    own, moved = (np.einsum("kqd,kd->kq", projections, each)[:, np.newaxis, :] for each in (average, h))
    # C' = C − s(Mh)ᵀ − h(Ms)ᵀ + h(Mh)ᵀ of sums that are divided by N.
    cross = cross - average[..., np.newaxis] * moved - h[..., np.newaxis] * (own - moved)
    squares = moments.second / n - h * (2.0 * average - h)
    of_factors = left + projections @ cross
    of_factors = 0.5 * (of_factors + np.swapaxes(of_factors, 1, 2))
    try:
        loadings = np.swapaxes(np.linalg.solve(of_factors, np.swapaxes(cross, 1, 2)), 1, 2)
    except np.linalg.LinAlgError:  # of absurd rows
        return np.full_like(before, np.nan)
    unique = np.maximum(squares - np.einsum("kdq,kdq->kd", loadings, cross), ROUNDING * squares)
    if is_isotropic:
        unique = np.broadcast_to(unique.mean(axis=1, keepdims=True), unique.shape)
    return with_last(loadings, unique)


def _at_least(covariances: FloatArray, variances: FloatArray) -> FloatArray:
    """Uniquenesses no less than ``variances``, by which, given loadings, the likelihood is the largest."""
    unique = covariances[..., -1]  # a view
    np.maximum(unique, variances, out=unique)
    return covariances


def _root_of(covariances: FloatArray) -> FloatArray:
    """Ψ^(−½)Λ and 1/√ψ."""
    inverse = inverse_deviations(covariances[..., -1])
    with np.errstate(over="ignore", invalid="ignore"):
        standard = covariances[..., :-1] * inverse[..., np.newaxis]
    sound = np.isfinite(standard).all(axis=(1, 2))
    if not sound.all():
        raise NotPositiveDefiniteError(int(np.argmin(sound)))
    return with_last(standard, inverse)


def _sound_root(root: FloatArray) -> FloatArray:
    if not (np.isfinite(root).all() and (root[..., -1] > 0).all()):
        raise ValueError("precisions_cholesky_ should be finite: Λ/√ψ, and 1/√ψ, which are positive")
    return root


def _covariances_of_root(root: FloatArray) -> FloatArray:
    deviations = 1.0 / root[..., -1]
    return with_last(root[..., :-1] * deviations[..., np.newaxis], np.square(deviations))


def _covariances_of_precisions(precisions: FloatArray) -> FloatArray:
    """Of Σ⁻¹ = diag(p) − VVᵀ: Ψ = 1/p, and Λ = Ψ^½U t/√(1 − t²) where Ψ^½V = U t Wᵀ."""
    deviations = inverse_deviations(precisions[..., -1])
    u, t, _ = np.linalg.svd(precisions[..., :-1] * deviations[..., np.newaxis], full_matrices=False)
    if not (t < 1.0).all():
        raise NotPositiveDefiniteError(int(np.argwhere(~(t < 1.0))[0, 0]))
    loadings = deviations[..., np.newaxis] * u * (t / np.sqrt((1.0 - t) * (1.0 + t)))[:, np.newaxis, :]
    return with_last(loadings, np.square(deviations))


def _matrices(covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
    """ΛΛᵀ + Ψ: for whoever asks for matrices, as no fit and no score does."""
    loadings, unique = covariances[..., :-1], covariances[..., -1]
    matrices: FloatArray = loadings @ np.swapaxes(loadings, 1, 2) + unique[..., np.newaxis] * np.eye(n_features)
    return matrices


def _have_smaller(covariances: FloatArray, roots: FloatArray | None, units: FloatArray, limit: float) -> BoolArray:
    result: BoolArray = count_smaller(covariances, units, np.full(len(covariances), limit)) > 0
    return result


def _movement(before: PreparedFactor, after: PreparedFactor) -> tuple[FloatArray, FloatArray]:
    """s = 1/√λ with λ at least the largest eigenvalue of Σ' relative to Σ, and δ = ‖Σ'^(−½)(μ' − μ)‖.

    Distances are those that the log-densities c − h·m² speak of.
    """
    units = np.sqrt(2.0 * after.halves.astype(np.float64))
    inverses = before.inverse_deviations.astype(np.float64), after.inverse_deviations.astype(np.float64)
    roots = [
        with_last(-each.loadings.astype(np.float64), inverse)
        for each, inverse in zip((before, after), inverses, strict=True)
    ]
    try:
        shrink = 1.0 / np.sqrt(growth(*roots))
        drift = distances_apart(roots[1], after.means - before.means)
    except np.linalg.LinAlgError:  # of numbers that float32 does not hold: nothing is known
        return np.zeros(len(units)), np.zeros(len(units))
    return shrink * np.sqrt(after.halves / before.halves), drift * units


def _coloring(covariances: FloatArray, component: int) -> Callable[[FloatArray], FloatArray]:
    loadings, deviations = covariances[component, :, :-1], np.sqrt(covariances[component, :, -1])

    def color(normal: FloatArray) -> FloatArray:
        d = len(deviations)
        points: FloatArray = normal[:, d:] @ loadings.T
        points += normal[:, :d] * deviations
        return points

    return color


def n_covariance_parameters(rank: int, n_unique: int | None, n_components: int, n_features: int) -> int:
    """dq − q(q − 1)/2 numbers of loadings, since a rotation does not matter, and the uniquenesses of a component.

    Never more than those of a covariance, d(d + 1)/2, of which all may be had.
    """
    unique = n_features if n_unique is None else n_unique
    own = n_features * rank - rank * (rank - 1) // 2 + unique
    return n_components * min(own, n_features * (n_features + 1) // 2)


@lru_cache(maxsize=256)
def family_of_rank(name: str, rank: int) -> CovarianceFamily:
    """Factor analyzers of a rank, ``"factor(3)"``, or probabilistic principal components, ``"ppca(3)"``."""
    is_isotropic = name == "ppca"

    def regularize(covariances: FloatArray, variances: FloatArray) -> FloatArray:
        return _at_least(covariances, np.full_like(variances, variances.mean()) if is_isotropic else variances)

    def start(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
        covariances = _start(moments, counts, shifts, rank)
        if is_isotropic:
            covariances[..., -1] = covariances[..., -1].mean(axis=1, keepdims=True)
        return covariances

    return CovarianceFamily(
        name=f"{name}({rank})",
        kernel="factor",
        n_covariance_parameters=partial(n_covariance_parameters, rank, 1 if is_isotropic else None),
        assemble=_assemble,
        maximize=start,
        regularize=regularize,
        precisions_cholesky=_root_of,
        upper_root=_sound_root,
        covariances_of_root=_covariances_of_root,
        precisions=precisions_of_root,
        covariances_of_precisions=_covariances_of_precisions,
        matrices=_matrices,
        smallest_variances=smallest_variances,
        have_smaller_variances=_have_smaller,
        movement=_movement,
        coloring=_coloring,
        coordinates=Coordinates(coordinates_of, covariances_of_coordinates, whitened),
        is_closed_under_scaling=not is_isotropic,
        extra_shape=lambda n_components, n_features: (n_components, n_features, rank),
        improve=partial(_improve, is_isotropic=is_isotropic),
        rank=rank,
        is_floor=True,
    )


def family_named(name: object) -> CovarianceFamily | None:
    """That of a name such as ``"factor(3)"``; None where it is none."""
    found = _OF_A_RANK.fullmatch(name) if isinstance(name, str) else None
    return None if found is None else family_of_rank(found[1], int(found[2]))
