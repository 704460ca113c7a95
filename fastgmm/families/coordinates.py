"""Unconstrained coordinates of covariances: any numbers there are a covariance here, so one can extrapolate in them.

They are taken about reference covariances, which are at zero, and scaled so that the sum of their squares is, for small
displacements dΣ, what the Fisher information of a Gaussian says of them: ½ tr((Σ⁻¹dΣ)²). A length measured in them
depends neither on the units of the features nor on where their zero is.

Matrices have the lower Cholesky factor of Σ = LLᵀ seen from Σ₀ = L₀L₀ᵀ, M = L₀⁻¹L: below the diagonal Mᵢⱼ, on it
√2 log Mᵢᵢ. The matrix logarithm agrees with it to first order, and would not depend on the order of the features at
all; but it takes an eigendecomposition of every covariance, several times the work of a factorization.
Variances have log(σ²/σ₀²)/√2, times √d where one variance stands for d features.
"""

import numpy as np

from fastgmm.families.factors import times_transpose
from fastgmm.families.family import Coordinates
from fastgmm.parameters import FloatArray


def _coordinates_of_matrices(covariances: FloatArray, reference: FloatArray, n_features: int) -> FloatArray:
    relative = np.linalg.solve(np.linalg.cholesky(reference), np.linalg.cholesky(covariances))
    logarithms = np.sqrt(2.0) * np.log(np.diagonal(relative, axis1=-2, axis2=-1))
    coordinates: FloatArray = np.tril(relative, -1) + logarithms[..., np.newaxis] * np.eye(n_features)
    return coordinates


def _matrices_of_coordinates(coordinates: FloatArray, reference: FloatArray, n_features: int) -> FloatArray:
    diagonals = np.exp(np.diagonal(coordinates, axis1=-2, axis2=-1) / np.sqrt(2.0))
    relative = np.tril(coordinates, -1) + diagonals[..., np.newaxis] * np.eye(n_features)
    return times_transpose(np.linalg.cholesky(reference) @ relative)


def _whiten_by_matrices(differences: FloatArray, reference: FloatArray) -> FloatArray:
    whitened: FloatArray = np.linalg.solve(np.linalg.cholesky(reference), differences[..., np.newaxis])[..., 0]
    return whitened


MATRICES = Coordinates(_coordinates_of_matrices, _matrices_of_coordinates, _whiten_by_matrices)

VARIANCES = Coordinates(
    of=lambda variances, reference, d: np.log(variances / reference) / np.sqrt(2.0),
    covariances=lambda coordinates, reference, d: reference * np.exp(np.sqrt(2.0) * coordinates),
    whiten=lambda differences, reference: differences / np.sqrt(reference),
)

# One variance stands for d features.
SINGLE_VARIANCES = Coordinates(
    of=lambda variances, reference, d: np.sqrt(0.5 * d) * np.log(variances / reference),
    covariances=lambda coordinates, reference, d: reference * np.exp(coordinates / np.sqrt(0.5 * d)),
    whiten=lambda differences, reference: differences / np.sqrt(reference)[:, np.newaxis],
)
