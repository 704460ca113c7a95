"""What the true values of rows of known errors are expected to be."""

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.machine.pieces import pieces
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows

Expected = tuple[FloatArray, FloatArray]


def expected_values(rows: Rows, scorer: Scorer, n_threads: int | None) -> tuple[Array, FloatArray]:
    """E[v | x] (n, d), in the dtype of the values, and Cov[v | x] (n, d, d), some rows at a time.

    Each component says N(μ + b, B) by ``kernels/uncertain.py``, and responsibilities r mix what they say:
    E = Σ r(μ + b), Cov = Σ r(B + (μ + b − E)(μ + b − E)ᵀ).
    """
    n_components, d = scorer.shape
    parameters = scorer.parameters
    matrices = FAMILIES[parameters.covariance_type].matrices(parameters.covariances, n_components, d)
    means, covariances = np.empty((rows.shape[0], d), rows.values.dtype), np.empty((rows.shape[0], d, d))
    for part in pieces(rows.shape[0], 8 * n_components * d * (d + 2)):
        some = rows.take(part)
        shares = scorer.evaluate(some, n_threads, "responsibilities").astype(np.float64)
        means[part], covariances[part] = _mixed(shares, *_of_components(some, parameters.means, matrices))
    return means, covariances


def _of_components(rows: Rows, means: FloatArray, matrices: FloatArray) -> Expected:
    """μ + b (K, n, d) and B (K, n, d, d): with T = Σ + S of what is observed, b = ΣT⁻¹δ and B = Σ − ΣT⁻¹Σ.

    Where all is observed and errors are the smaller, that is S − ST⁻¹S, of which nothing cancels.
    """
    assert rows.errors is not None
    d = rows.shape[1]
    values, errors = rows.points().astype(np.float64), rows.errors.astype(np.float64)
    errors = errors if errors.ndim == 3 else errors[:, :, np.newaxis] * np.eye(d)
    there = ~np.isnan(values)
    both = there[:, :, np.newaxis] & there[:, np.newaxis, :]
    differences = np.where(there, values - means[:, np.newaxis, :], 0.0)
    expected, left = np.empty(differences.shape), np.empty((len(means), *errors.shape))
    for k, matrix in enumerate(matrices):
        lower = np.linalg.cholesky(np.where(both, matrix + errors, np.eye(d)))
        across = np.where(there[:, :, np.newaxis], matrix, 0.0)
        explained = np.linalg.solve(lower, across)
        whitened = np.linalg.solve(lower, differences[k, :, :, np.newaxis])[:, :, 0]
        expected[k] = means[k] + np.einsum("nij,ni->nj", explained, whitened)
        left[k] = matrix - np.swapaxes(explained, 1, 2) @ explained
        are_small = there.all(axis=1) & (np.trace(errors, axis1=1, axis2=2) < np.trace(matrix))
        small = errors[are_small]
        shrunk = np.linalg.solve(lower[are_small], small)
        left[k, are_small] = small - np.swapaxes(shrunk, 1, 2) @ shrunk
    return expected, left


def _mixed(shares: FloatArray, expected: FloatArray, left: FloatArray) -> Expected:
    mean = np.einsum("nk,kni->ni", shares, expected)
    apart = expected - mean
    between = np.einsum("nk,kni,knj->nij", shares, apart, apart)
    return mean, np.einsum("nk,knij->nij", shares, left) + between
