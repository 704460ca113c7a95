"""Covariances ΛΛᵀ + Ψ of low rank beside a diagonal: their algebra in O(dq²), where d × d numbers would be too many.

``covariances`` (K, d, q + 1) are loadings and then uniquenesses, ``root`` (K, d, q + 1) is A = Ψ^(−½)Λ and then 1/√ψ.
What is asked of them follows from the singular values A = U diag(s) Wᵀ, without the squares of A, which would lose
small ones beside large ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import FloatArray

# A diagonal this near 0, beside the limit, is moved to the side of the smaller ones.
_NEAR = 1e-12
_BISECTIONS = 60


class Spectrum(NamedTuple):
    """U (K, d, q), s (K, q) and Wᵀ (K, q, q)."""

    directions: FloatArray
    lengths: FloatArray
    rotation: FloatArray

    @property
    def projection(self) -> FloatArray:
        """(I + AᵀA)⁻¹Aᵀ = W diag(s/(1 + s²)) Uᵀ, (K, q, d)."""
        shares = self.lengths / (1.0 + self.lengths**2)
        rotated: FloatArray = np.swapaxes(self.rotation * shares[..., np.newaxis], 1, 2)
        product: FloatArray = rotated @ np.swapaxes(self.directions, 1, 2)
        return product

    @property
    def left(self) -> FloatArray:
        """(I + AᵀA)⁻¹ = W diag(1/(1 + s²)) Wᵀ, (K, q, q): the covariance of factors whose point is known."""
        scaled = self.rotation / (1.0 + self.lengths**2)[..., np.newaxis]
        product: FloatArray = np.swapaxes(self.rotation, 1, 2) @ scaled
        return product


def spectrum_of(standard: FloatArray) -> Spectrum:
    """That of A (K, d, q)."""
    return Spectrum(*np.linalg.svd(standard, full_matrices=False))


def with_last(loadings: FloatArray, last: FloatArray) -> FloatArray:
    """Numbers (..., d, q) and of each feature one more (..., d)."""
    return np.concatenate([loadings, last[..., np.newaxis]], axis=-1)


def standard_of(covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A (K, d, q) and 1/√ψ (K, d)."""
    inverse = 1.0 / np.sqrt(covariances[..., -1])
    return covariances[..., :-1] * inverse[..., np.newaxis], inverse


def expected_factors(covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """M (K, q, d), which makes of x − μ the expected factors, and their covariance V (K, q, q)."""
    standard, inverse = standard_of(covariances)
    spectrum = spectrum_of(standard)
    return spectrum.projection * inverse[:, np.newaxis, :], spectrum.left


def precisions_of_root(root: FloatArray) -> FloatArray:
    """V (K, d, q) and then 1/ψ with Σ⁻¹ = diag(1/ψ) − VVᵀ: V = Ψ^(−½)U diag(s/√(1 + s²))."""
    inverse, spectrum = root[..., -1], spectrum_of(root[..., :-1])
    shares = spectrum.lengths / np.sqrt(1.0 + spectrum.lengths**2)
    subtracted = inverse[..., np.newaxis] * spectrum.directions * shares[:, np.newaxis, :]
    return with_last(subtracted, np.square(inverse))


def variances_of(covariances: FloatArray) -> FloatArray:
    """Of every feature (K, d), the diagonals of ΛΛᵀ + Ψ."""
    variances: FloatArray = np.square(covariances[..., :-1]).sum(axis=2) + covariances[..., -1]
    return variances


def count_smaller(covariances: FloatArray, units: FloatArray, limits: FloatArray) -> NDArray[np.intp]:
    """How many eigenvalues of each covariance are below its limit, with feature j in units of ``units[j]``.

    By Sylvester's law of inertia: with D = Ψ − limit the matrix [D Λ; Λᵀ −I] has as many negative eigenvalues as
    D + ΛΛᵀ and −I have, and as D and −(I + ΛᵀD⁻¹Λ).
    """
    limit = limits[:, np.newaxis]
    above = covariances[..., -1] / units**2 - limit
    near = _NEAR * limit
    above = np.where(np.abs(above) <= near, -near, above)
    loadings = covariances[..., :-1] / units[:, np.newaxis]
    n_below: NDArray[np.intp] = np.count_nonzero(above < 0, axis=1)
    for k in np.flatnonzero(n_below):
        inner: FloatArray = np.eye(loadings.shape[2]) + (loadings[k].T / above[k]) @ loadings[k]
        n_below[k] -= np.count_nonzero(np.linalg.eigvalsh(0.5 * (inner + inner.T)) < 0)
    return n_below


def smallest_variances(covariances: FloatArray, units: FloatArray) -> FloatArray:
    """The smallest eigenvalue of each covariance, by bisection; the smallest uniqueness where that is not positive."""
    unique = covariances[..., -1] / units**2
    low: FloatArray = unique.min(axis=1)
    high = (variances_of(covariances) / units**2).min(axis=1)
    sound = np.flatnonzero((low > 0) & np.isfinite(high))
    result: FloatArray = low.copy()
    low, high = np.log(low[sound]), np.log(high[sound])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        is_above = count_smaller(covariances[sound], units, np.exp(middle)) > 0
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    result[sound] = np.exp(high)
    return result


def growth(before: FloatArray, after: FloatArray) -> FloatArray:
    """At least the largest eigenvalue of Σ' relative to Σ, (K,), of two roots.

    Σ' = Ψ' + Λ'Λ'ᵀ ≤ aΣ + Λ'Λ'ᵀ − ΛΛᵀ with a = max(1, maxⱼ ψ'ⱼ/ψⱼ). Whitened by Σ^(−½) the last two are YJYᵀ with
    Y = QR (d, 2q), J = diag(I, −I), whose eigenvalues are those of RJRᵀ.
    """
    standard, inverse = before[..., :-1], before[..., -1]
    scale = inverse / after[..., -1]
    both = np.concatenate([after[..., :-1] * scale[..., np.newaxis], standard], axis=2)
    spectrum = spectrum_of(standard)
    # (I + AAᵀ)^(−½) = I − U diag(1 − 1/√(1 + s²)) Uᵀ
    shares = 1.0 - 1.0 / np.sqrt(1.0 + spectrum.lengths**2)
    along = np.swapaxes(spectrum.directions, 1, 2) @ both
    whitened_both = both - spectrum.directions @ (shares[..., np.newaxis] * along)
    triangle = np.linalg.qr(whitened_both, mode="r")
    signs = np.repeat([1.0, -1.0], standard.shape[2])
    largest = np.linalg.eigvalsh((triangle * signs) @ np.swapaxes(triangle, 1, 2))[:, -1]
    result: FloatArray = np.maximum(1.0, np.square(scale).max(axis=1)) + np.maximum(largest, 0.0)
    return result


def _parts(root: FloatArray, differences: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ψ^(−½)(δ − Λz) (K, d) and z = Mδ (K, q), whose squares add up to δᵀΣ⁻¹δ."""
    standard, inverse = root[..., :-1], root[..., -1]
    scaled = inverse * differences
    factors = np.einsum("kqd,kd->kq", spectrum_of(standard).projection, scaled)
    return scaled - np.einsum("kdq,kq->kd", standard, factors), factors


def whitened_rows(differences: FloatArray, root: FloatArray) -> FloatArray:
    """Numbers (n, d + q) whose squares add up to δᵀΣ⁻¹δ, of differences (n, d) under one root (d, q + 1)."""
    standard, scaled = root[:, :-1], differences * root[:, -1]
    factors = scaled @ spectrum_of(standard[np.newaxis]).projection[0].T
    return np.concatenate([scaled - factors @ standard.T, factors], axis=1)


def distances_apart(root: FloatArray, differences: FloatArray) -> FloatArray:
    """‖Σ^(−½)δ‖ (K,) of differences (K, d)."""
    unexplained, factors = _parts(root, differences)
    squares: FloatArray = np.square(unexplained).sum(axis=1) + np.square(factors).sum(axis=1)
    return np.sqrt(squares)


# Coordinates for extrapolation: those of loadings in units of the reference's √ψ, and log(ψ/ψ₀)/√2. Where factors are
# known the Fisher information of a point is ‖ΔΛ/√ψ‖² + ½Σ(Δ log ψ)², since these are standard normal.


def coordinates_of(covariances: FloatArray, reference: FloatArray, n_features: int) -> FloatArray:
    units = np.sqrt(reference[..., -1])[..., np.newaxis]
    logarithms = np.log(covariances[..., -1] / reference[..., -1]) / np.sqrt(2.0)
    return with_last((covariances[..., :-1] - reference[..., :-1]) / units, logarithms)


def covariances_of_coordinates(coordinates: FloatArray, reference: FloatArray, n_features: int) -> FloatArray:
    units = np.sqrt(reference[..., -1])[..., np.newaxis]
    unique = reference[..., -1] * np.exp(np.sqrt(2.0) * coordinates[..., -1])
    return with_last(reference[..., :-1] + coordinates[..., :-1] * units, unique)


def whitened(differences: FloatArray, reference: FloatArray) -> FloatArray:
    """Numbers (K, d + q) whose squares add up to δᵀΣ⁻¹δ."""
    return np.concatenate(_parts(with_last(*standard_of(reference)), differences), axis=1)
