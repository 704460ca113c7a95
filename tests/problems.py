"""Small random problems with well-conditioned parameters, what the oracle says of them, and how near is near."""

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.moments import SECOND_MOMENTS, Moments
from fastgmm.parameters import Array, FloatArray, Parameters, Prepared, PreparedIncomplete
from fastgmm.rows import Rows
from tests import naive

# What rounding may change, relative to the size of the numbers that were added up.
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


@dataclass(frozen=True, eq=False)
class Problem:
    """A mixture and rows. The rows fit into float32, so that all dtypes share one answer of the oracle."""

    family: CovarianceFamily
    parameters: Parameters
    values: FloatArray
    weights: FloatArray | None

    def rows(self, dtype: str = "float64") -> Rows:
        return Rows(self.values.astype(dtype), self.weights)

    def prepared(self, dtype: str = "float64") -> Prepared:
        return self.family.prepare(self.parameters, np.dtype(dtype))

    def prepared_incomplete(self, exponent: float = 1.0) -> PreparedIncomplete:
        roots = self.family.precisions_cholesky(self.parameters.covariances)
        return self.family.prepare_incomplete(self.parameters, roots, exponent)

    @property
    def mixture(self) -> naive.Mixture:
        return as_mixture(self.parameters)


def slot_shapes(kernel: str, n_components: int, n_features: int) -> list[tuple[int, ...]]:
    """Of one chunk's counts, first and second moments, and totals."""
    second = SECOND_MOMENTS[kernel].shape(n_components, n_features)
    return [(n_components,), (n_components, n_features), second, (2,)]


def as_mixture(parameters: Parameters) -> naive.Mixture:
    return naive.Mixture(
        parameters.covariance_type,
        parameters.weights.tolist(),
        parameters.means.tolist(),
        parameters.covariances.tolist(),
    )


def draw_parameters(rng: np.random.Generator, family: str, n_features: int, n_components: int) -> Parameters:
    """Overlapping components; standard deviations between 0.5 and 2, and correlations where the family has any."""
    weights = rng.uniform(0.5, 1.5, n_components)
    means = rng.normal(size=(n_components, n_features))
    shape = FAMILIES[family].covariance_shape(n_components, n_features)
    if family in ("full", "tied"):
        shears = rng.normal(size=shape) / (2 * np.sqrt(n_features))
        covariances = 0.5 * np.eye(n_features) + shears @ np.swapaxes(shears, -1, -2)
    else:
        covariances = rng.uniform(0.5, 2.0, shape) ** 2
    return Parameters(family, weights / weights.sum(), means, covariances)


@functools.cache
def draw_problem(
    family: str, n_rows: int, n_features: int, n_components: int, weighted: bool = False, seed: int = 0
) -> Problem:
    rng = np.random.default_rng([seed, n_rows, n_features, n_components])
    parameters = draw_parameters(rng, family, n_features, n_components)
    centers = parameters.means[rng.integers(n_components, size=n_rows)]
    values = (centers + rng.normal(size=(n_rows, n_features))).astype(np.float32).astype(np.float64)
    weights = rng.uniform(0.25, 3.0, n_rows) if weighted else None
    return Problem(FAMILIES[family], parameters, values, weights)


@functools.cache
def oracle_moments(problem: Problem) -> Moments:
    weights = None if problem.weights is None else problem.weights.tolist()
    answer = naive.moments(problem.mixture, problem.values.tolist(), weights)
    sums = (np.array(field) for field in answer[:3])
    return Moments(*sums, *answer[3:], problem.rows().n_counted, problem.parameters.means, problem.family.name)


@functools.cache
def oracle_joint(problem: Problem) -> FloatArray:
    return np.array(naive.joint_log_density(problem.mixture, problem.values.tolist()))


@functools.cache
def oracle_log_density(problem: Problem) -> FloatArray:
    return np.array(naive.log_density(problem.mixture, problem.values.tolist()))


@functools.cache
def oracle_responsibilities(problem: Problem) -> FloatArray:
    return np.array(naive.responsibilities(problem.mixture, problem.values.tolist()))


def largest_error(actual: Array, expected: Array) -> float:
    """max |actual − expected|; NaN where either holds one."""
    assert np.shape(actual) == np.shape(expected)
    return float(np.abs(np.asarray(actual, np.float64) - expected).max(initial=0.0))


def assert_close(actual: Array, expected: Array, tolerance: float, scale: float | None = None) -> None:
    """Each number within ``tolerance`` of the largest one expected (or of ``scale``)."""
    scale = float(np.abs(expected).max(initial=0.0)) if scale is None else scale
    error = largest_error(actual, expected)
    assert error <= tolerance * scale, f"off by {error:.3g}, {error / (scale or 1.0):.3g} of {scale:.3g}"


def with_both_triangles(moments: Moments, family: CovarianceFamily) -> Moments:
    """Moments that are matrices, of which kernels promise the lower triangle only, made symmetric."""
    if not family.has_matrices:
        return moments
    lower = np.tril(moments.second)
    return dataclasses.replace(moments, second=lower + np.swapaxes(np.tril(lower, -1), -1, -2))


def assert_close_moments(actual: Moments, expected: Moments, tolerance: float) -> None:
    """N, s and S as near as sums over the same rows in another order."""
    weight = expected.total_weight
    assert_close(actual.total_weight, weight, tolerance)
    assert_close(actual.counts, expected.counts, tolerance, weight)
    assert_close(actual.second, expected.second, tolerance)
    # |s| ≤ √(N·S)
    assert_close(actual.first, expected.first, tolerance, float(np.sqrt(weight * np.abs(expected.second).max())))
    assert_close(actual.log_likelihood, expected.log_likelihood, tolerance, weight + abs(expected.log_likelihood))


def same_bits(one: object, other: object) -> bool:
    """Whether arrays, numbers, or records of them are the same to the last bit."""
    if one is None or isinstance(one, int | float | str | np.ndarray):
        return np.array_equal(one, other)
    fields = one._asdict() if hasattr(one, "_asdict") else vars(one)
    return all(same_bits(value, getattr(other, name)) for name, value in fields.items())
