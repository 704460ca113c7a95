"""What values that are missing may be, given those of their row that are there.

For a row and a component, with O the observed features, M the missing ones and Σ⁻¹ = UUᵀ, the rows of U that belong to
M make a QR factorization U_Mᵀ = QR, and

    E[x_M | x_O] = μ_M − R⁻¹Qᵀ U_Oᵀ (x_O − μ_O),   Cov[x_M | x_O] = R⁻¹R⁻ᵀ

No covariance is inverted, and none comes out with a negative eigenvalue. Components are mixed by their probabilities.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.patterns import patterns_of
from fastgmm.data.single_precision import as_float64
from fastgmm.machine.pieces import pieces
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows


class _Run(NamedTuple):
    """Rows of one pattern: their places, their missing features, and of every component what these may be.

    ``probabilities`` (n, K), ``means`` (K, n, |M|), ``roots`` (K, |M|, |M|): B with Cov[x_M | x_O] = BBᵀ.
    """

    places: NDArray[np.int32]
    missing: NDArray[np.intp]
    probabilities: FloatArray
    means: FloatArray
    roots: FloatArray

    @property
    def cells(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Indices of the missing values."""
        return self.places[:, np.newaxis], self.missing


def expected(rows: Rows, scorer: Scorer, n_threads: int | None) -> Array:
    """The rows with the conditional mean for what is missing."""
    result = _copy(rows)
    for run in _runs(rows, scorer, n_threads):
        result[run.cells] = _mean(run)
    return result


def expected_with_deviations(rows: Rows, scorer: Scorer, n_threads: int | None) -> tuple[Array, Array]:
    """The same, and the conditional standard deviations: 0 of what is observed."""
    result, deviations = _copy(rows), np.zeros(rows.shape, rows.values.dtype)
    for run in _runs(rows, scorer, n_threads):
        mean = _mean(run)
        within = np.square(run.roots).sum(axis=2)[:, np.newaxis, :]
        between = np.square(run.means - mean)
        result[run.cells] = mean
        deviations[run.cells] = np.sqrt(np.einsum("nk,knm->nm", run.probabilities, within + between))
    return result, deviations


def drawn(
    rows: Rows, scorer: Scorer, n_threads: int | None, n_draws: int, random_state: np.random.RandomState
) -> Array:
    """(n_draws, n, d): the rows with draws, independent of each other, for what is missing."""
    result = np.empty((n_draws, *rows.shape), rows.values.dtype)
    result[:] = rows.values
    for run in _runs(rows, scorer, n_threads):
        limits = np.cumsum(run.probabilities, axis=1)
        for draw in result:
            uniform = random_state.uniform(size=len(run.places)) * limits[:, -1]
            components = np.minimum((limits <= uniform[:, np.newaxis]).sum(axis=1), limits.shape[1] - 1)
            normal = random_state.standard_normal((len(run.places), len(run.missing)))
            for k in np.unique(components):
                some = np.flatnonzero(components == k)
                cells = run.places[some, np.newaxis], run.missing
                draw[cells] = run.means[k, some] + normal[some] @ run.roots[k].T
    return result


def _copy(rows: Rows) -> Array:
    """In C order: indexing by rows then is quick."""
    return np.array(rows.values, order="C")


def _mean(run: _Run) -> FloatArray:
    result: FloatArray = np.einsum("nk,knm->nm", run.probabilities, run.means)
    return result


def _runs(rows: Rows, scorer: Scorer, n_threads: int | None) -> Iterator[_Run]:
    """All rows that lack values, by pattern."""
    patterns = patterns_of(rows)
    order = np.concatenate([patterns.incomplete, patterns.empty])
    n_components, n_features = scorer.shape
    for part in pieces(len(order), 8 * n_components * n_features):
        some = as_float64(rows.take(order[part]))
        probabilities = scorer.evaluate(some, n_threads, "responsibilities")
        is_missing = np.isnan(some.values)
        begins = np.flatnonzero(np.r_[True, (is_missing[1:] != is_missing[:-1]).any(axis=1)])
        for begin, end in zip(begins, np.r_[begins[1:], len(is_missing)], strict=True):
            missing, observed = np.flatnonzero(is_missing[begin]), np.flatnonzero(~is_missing[begin])
            differences = some.values[begin:end, observed] - scorer.in_double.means[:, np.newaxis, observed]
            shifts, roots = _conditional(scorer, differences, observed, missing)
            means = scorer.in_double.means[:, np.newaxis, missing] + shifts
            yield _Run(order[part][begin:end], missing, probabilities[begin:end], means, roots)


def _conditional(
    scorer: Scorer, differences: FloatArray, observed: NDArray[np.intp], missing: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """E[x_M − μ_M | x_O] of differences (K, n, |O|), and roots of Cov[x_M | x_O]."""
    n_components, n_rows, _ = differences.shape
    if not scorer.family.has_matrices:
        precisions = np.broadcast_to(scorer.root.reshape(n_components, -1), scorer.in_double.means.shape)
        roots = np.eye(len(missing)) / precisions[:, np.newaxis, missing]
        return np.zeros((n_components, n_rows, len(missing))), roots
    root = scorer.root.reshape(-1, *scorer.root.shape[-2:])  # one for all components where they share it
    q, r = np.linalg.qr(np.swapaxes(root[:, missing], 1, 2))
    inverse = np.linalg.inv(r)
    coefficients = root[:, observed] @ q @ np.swapaxes(inverse, 1, 2)
    return -differences @ coefficients, np.broadcast_to(inverse, (n_components, *inverse.shape[1:]))
