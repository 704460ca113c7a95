"""Where loadings start: along the longest directions of what a start leaves of some rows.

From loadings of 0 EM moves nowhere, and from small random ones it takes many steps to turn towards the rows. So of
every component the residuals of a bounded sample, weighted by responsibilities, are decomposed: with features in units
of their deviations, and singular values s of residuals that weigh N,

    lᵢ = sᵢ²/N,   σ² = (d − Σᵢ lᵢ)/(d − q),   Λ = U √(l − σ²),   ψ = σ²

which are the estimates of probabilistic principal components [1]_. Only the q longest directions are found, from random
ones by some steps of subspace iteration [2]_: neither d × d numbers are made, nor a square of the rows.

References
----------
.. [1] M. E. Tipping and C. M. Bishop, "Probabilistic principal component analysis", JRSS B 61 (1999).
.. [2] N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Review 53 (2011).
"""

from dataclasses import replace

import numpy as np

from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.families.low_rank import with_last
from fastgmm.machine.waiting import check
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, evaluate

# Rows that are looked at: some hundreds of a component, and more for each of its directions, as few as that is.
_FEWEST_ROWS, _ROWS_OF_A_DIRECTION = 4096, 16
_MORE_DIRECTIONS, _POWER_STEPS = 8, 4
# Rows of a smaller responsibility are left out.
_NEGLIGIBLE = 1e-3
# What a start leaves to noise at least, as a share of variances, and to a factor, as a share of the noise.
_LEAST_NOISE, _LEAST_FACTOR = 1e-3, 0.05


def rows_for_loadings(n_components: int, rank: int) -> int:
    """How many rows a start of loadings looks at."""
    return max(_FEWEST_ROWS, n_components * _ROWS_OF_A_DIRECTION * (rank + 1))


def with_loadings(
    sweep: InMemory, sample: Rows, start: Parameters, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """The start with loadings that a sample of rows suggests, where its family has loadings and it has none.

    Without responsibilities, as where a variance is 0, it stays as it is: whoever prepares it says why.
    """
    family = sweep.family
    if family.rank is None or start.covariances[..., :-1].any():
        return start
    try:
        prepared = family.prepare(start, sample.values.dtype)
    except NotPositiveDefiniteError:
        return start
    shares = evaluate(sample, prepared, sweep.backend, sweep.n_threads, "responsibilities").astype(np.float64)
    if sample.weights is not None:
        shares *= sample.weights[:, np.newaxis]
    covariances = start.covariances.copy()
    for k in range(start.n_components):
        check()
        held = np.flatnonzero(shares[:, k] > _NEGLIGIBLE * shares[:, k].max(initial=0.0))
        residuals = (sample.take(held).points() - start.means[k]).astype(np.float64, copy=False)
        covariances[k] = _of_component(residuals, shares[held, k], covariances[k, :, -1], family.rank, random_state)
    covariances = family.constrained(family.regularize(covariances, regularization), start.weights)
    return replace(start, covariances=covariances)


def _of_component(
    residuals: FloatArray,
    shares: FloatArray,
    variances: FloatArray,
    rank: int,
    random_state: np.random.RandomState,
) -> FloatArray:
    """Loadings and uniquenesses (d, rank + 1) of features that have the ``variances``."""
    d, deviations = len(variances), np.sqrt(variances)
    total = max(float(shares.sum()), np.finfo(np.float64).tiny)
    residuals *= np.sqrt(shares / total)[:, np.newaxis]
    residuals /= deviations
    directions, eigenvalues = _longest(residuals, rank, random_state)
    noise = max((d - float(eigenvalues.sum())) / max(d - rank, 1), _LEAST_NOISE)
    lengths = np.sqrt(np.maximum(eigenvalues - noise, _LEAST_FACTOR * noise))
    return with_last(directions * lengths * deviations[:, np.newaxis], noise * variances)


def _longest(rows: FloatArray, rank: int, random_state: np.random.RandomState) -> tuple[FloatArray, FloatArray]:
    """The longest directions (d, rank) of rows, and their squares; random ones where rows do not have so many."""
    d = rows.shape[1]
    basis = np.linalg.qr(random_state.standard_normal((d, min(d, rank + _MORE_DIRECTIONS))))[0]
    for _ in range(_POWER_STEPS):
        basis = np.linalg.qr(rows.T @ (rows @ basis) + np.finfo(np.float64).eps * basis)[0]
    projected = rows @ basis
    missing = max(0, basis.shape[1] - len(projected))
    _, lengths, rotation = np.linalg.svd(np.pad(projected, ((0, missing), (0, 0))), full_matrices=False)
    return (basis @ rotation.T)[:, :rank], np.square(lengths[:rank])
