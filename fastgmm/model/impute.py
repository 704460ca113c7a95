"""What values that are missing may be, given those of their row that are there.

For a row and a component, with O the observed features, M the missing ones and Σ⁻¹ = UUᵀ, the rows of U that belong to
M make a QR factorization U_Mᵀ = QR, and

    E[x_M | x_O] = μ_M − R⁻¹Qᵀ U_Oᵀ (x_O − μ_O),   Cov[x_M | x_O] = R⁻¹R⁻ᵀ

No covariance is inverted, and none comes out with a negative eigenvalue. Components are mixed by their probabilities.
Where each row lacks other values a pattern is little work, so that patterns of one shape are computed together.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.patterns import patterns_of, patterns_of_one_shape
from fastgmm.data.single_precision import as_float64
from fastgmm.machine.pieces import pieces
from fastgmm.machine.small_products import product
from fastgmm.model.orthogonal import inverse_of_triangle, orthogonal_and_triangle
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows

# Of a row: patterns are looked for among 130,000 rows at a time, since among fewer they would have fewer rows each.
_BYTES_OF_AN_ORDER = 8


class _Batch(NamedTuple):
    """P patterns of missing values with r rows each, where m values are missing, and what these may be.

    Places of rows (P, r), missing features (P, m), and of every component ``probabilities`` (P, r, K), ``means``
    (K, P, r, m), ``roots`` (K, P, m, m): B with Cov[x_M | x_O] = BBᵀ.
    """

    places: NDArray[np.intp]
    missing: NDArray[np.intp]
    probabilities: FloatArray
    means: FloatArray
    roots: FloatArray

    @property
    def cells(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices of the missing values."""
        return self.places[:, :, np.newaxis], self.missing[:, np.newaxis, :]


def expected(rows: Rows, scorer: Scorer, n_threads: int | None) -> Array:
    """The rows with the conditional mean for what is missing."""
    result = _copies(rows)
    for batch in _batches(rows, scorer, n_threads):
        result[batch.cells] = _representable(_mean(batch), result)
    return result


def expected_with_deviations(rows: Rows, scorer: Scorer, n_threads: int | None) -> tuple[Array, Array]:
    """The same, and the conditional standard deviations: 0 of what is observed."""
    result, deviations = _copies(rows), np.zeros(rows.shape, rows.values.dtype)
    for batch in _batches(rows, scorer, n_threads):
        mean = _mean(batch)
        result[batch.cells] = _representable(mean, result)
        deviations[batch.cells] = _representable(_deviations(batch, mean), deviations)
    return result, deviations


def drawn(
    rows: Rows, scorer: Scorer, n_threads: int | None, n_draws: int, random_state: np.random.RandomState
) -> Array:
    """(n_draws, n, d): the rows with draws, independent of each other, for what is missing."""
    result = _copies(rows, n_draws)
    for batch in _batches(rows, scorer, n_threads):
        for part in pieces(
            n_draws, 8 * batch.places.size * (batch.probabilities.shape[2] + 3 * batch.missing.shape[1])
        ):
            values = _draws_of(batch, part.stop - part.start, random_state)
            result[(part, *batch.cells)] = _representable(values, result)
    return result


@np.errstate(over="ignore")
def _draws_of(batch: _Batch, n_draws: int, random_state: np.random.RandomState) -> FloatArray:
    """(n_draws, P, r, m): a component for each row, and values of its conditional distribution."""
    limits = np.cumsum(batch.probabilities, axis=2)
    uniform = random_state.uniform(size=(n_draws, *batch.places.shape)) * limits[:, :, -1]
    components = np.minimum((limits <= uniform[..., np.newaxis]).sum(axis=3), limits.shape[2] - 1)
    normal = random_state.standard_normal((n_draws, *batch.means.shape[1:]))
    values = np.empty(normal.shape)
    for k in np.unique(components):
        of_component = batch.means[k] + product(normal, np.swapaxes(batch.roots[k], 1, 2))
        np.copyto(values, of_component, where=(components == k)[..., np.newaxis])
    return values


def _copies(rows: Rows, *numbers: int) -> Array:
    """(*numbers, n, d) in C order, where indexing by rows is quick; in pieces, between which signals are answered."""
    result = np.empty((*numbers, *rows.shape), rows.values.dtype)
    for part in pieces(rows.shape[0], math.prod(numbers) * rows.values[:1].nbytes):
        result[..., part, :] = rows.values[part]
    return result


def _representable(values: FloatArray, result: Array) -> FloatArray:
    """Beyond the range of a result's dtype stands the largest number that it has."""
    largest = np.finfo(result.dtype).max
    return np.clip(values, -largest, largest)


@np.errstate(over="ignore", invalid="ignore")
def _deviations(batch: _Batch, mean: FloatArray) -> FloatArray:
    within = np.square(batch.roots).sum(axis=3)[:, :, np.newaxis, :]
    between = np.square(batch.means - mean)
    result: FloatArray = np.sqrt(np.einsum("prk,kprm->prm", batch.probabilities, within + between))
    return result


@np.errstate(over="ignore")
def _mean(batch: _Batch) -> FloatArray:
    result: FloatArray = np.einsum("prk,kprm->prm", batch.probabilities, batch.means)
    return result


def _batches(rows: Rows, scorer: Scorer, n_threads: int | None) -> Iterator[_Batch]:
    """All rows that lack values."""
    for block in pieces(rows.shape[0], _BYTES_OF_AN_ORDER):
        patterns = patterns_of(rows.take(block))
        order = block.start + np.concatenate([patterns.incomplete, patterns.empty])
        yield from _batches_in(rows, order, scorer, n_threads)


def _batches_in(rows: Rows, order: NDArray[np.intp], scorer: Scorer, n_threads: int | None) -> Iterator[_Batch]:
    """Those of an order by pattern."""
    n_components, n_features = scorer.shape
    for part in pieces(len(order), 8 * n_components * n_features):
        some = as_float64(rows.take(order[part]))
        probabilities = scorer.evaluate(some, n_threads, "responsibilities")
        for places, missing, observed in patterns_of_one_shape(np.isnan(some.values)):
            n_missing, n_rows = missing.shape[1], places.shape[1]
            n_numbers = n_components * n_features * (3 * n_missing + n_rows)  # of a pattern: factors, and differences
            for few in pieces(len(places), 8 * n_numbers):
                own = places[few]
                values = some.values[own[:, :, np.newaxis], observed[few, np.newaxis, :]]
                means, roots = _conditional(scorer, values, observed[few], missing[few])
                yield _Batch(order[part][own], missing[few], probabilities[own], means, roots)


@np.errstate(over="ignore", invalid="ignore")
def _conditional(
    scorer: Scorer, values: FloatArray, observed: NDArray[np.intp], missing: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """E[x_M | x_O] of every component, and roots of Cov[x_M | x_O], where values (P, r, |O|) are observed."""
    means = scorer.in_double.means
    n_components, n_missing = len(means), missing.shape[1]
    centers = means[:, missing][:, :, np.newaxis, :]
    if not scorer.family.has_matrices:
        deviations = 1.0 / np.broadcast_to(scorer.root.reshape(n_components, -1), means.shape)[:, missing]
        shape = (n_components, *values.shape[:2], n_missing)
        return np.broadcast_to(centers, shape), np.eye(n_missing) * deviations[:, :, np.newaxis, :]
    root = scorer.root.reshape(-1, *scorer.root.shape[-2:])  # one for all components where they share it
    q, r = orthogonal_and_triangle(np.swapaxes(root[:, missing], 2, 3))
    inverse = inverse_of_triangle(r)
    differences = values - means[:, observed][:, :, np.newaxis, :]
    if values.shape[1] < n_missing:  # than coefficients, rows are fewer
        units = _powers_of_two(differences)
        whitened = _whitened(differences / units, root, observed)
        shifts = units * product(product(whitened, q), np.swapaxes(inverse, 2, 3))
    else:
        coefficients = product(product(root[:, observed], q), np.swapaxes(inverse, 2, 3))
        shifts = product(differences, coefficients)
    conditional = _representable(centers - shifts, values)
    return conditional, np.broadcast_to(inverse, (n_components, *inverse.shape[1:]))


def _powers_of_two(differences: FloatArray) -> FloatArray:
    """(K, P, r, 1): units in which a row's differences are between -2 and 2, so that whitened they are numbers, too."""
    _, exponents = np.frexp(np.abs(differences).max(axis=3, keepdims=True, initial=0.0))
    units: FloatArray = np.ldexp(1.0, exponents - 1)
    return units


def _whitened(differences: FloatArray, root: FloatArray, observed: NDArray[np.intp]) -> FloatArray:
    """U_Oᵀδ_O of every row (K, P, r, d), without the many copies of U that patterns would take."""
    n_components, n_patterns, n_rows, _ = differences.shape
    n_features = root.shape[-1]
    filled = np.zeros((n_components, n_patterns, n_rows, n_features))
    filled[:, np.arange(n_patterns)[:, np.newaxis], :, observed] = np.moveaxis(differences, (1, 3), (0, 1))
    return product(filled.reshape(n_components, -1, n_features), root).reshape(filled.shape)
