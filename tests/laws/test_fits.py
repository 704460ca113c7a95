"""Laws of whole fits: what happens to the data happens to the model, and moments of the data are those of the fit."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import assert_close, assert_close_moments, draw_parameters, with_both_triangles

pytestmark = pytest.mark.filterwarnings(
    "ignore::fastgmm.errors.DegenerateComponentWarning", "ignore::fastgmm.errors.RegularizationWarning"
)
laws = settings(max_examples=10, deadline=None, derandomize=True)
ITERATIONS = 15


class Draw(NamedTuple):
    """Blobs that overlap, and the start of a fit."""

    seed: int
    n_rows: int
    n_features: int
    n_components: int

    def rows(self) -> FloatArray:
        rng = np.random.default_rng(self.seed)
        centers = rng.normal(scale=3.0, size=(self.n_components, self.n_features))
        noise = rng.normal(size=(self.n_rows, self.n_features))
        return centers[rng.integers(self.n_components, size=self.n_rows)] + noise

    def weights(self) -> FloatArray:
        """Whole numbers, some of them 0."""
        return np.random.default_rng(self.seed + 1).integers(0, 4, self.n_rows).astype(np.float64)

    def start(self, family: str) -> "Model":
        parameters = draw_parameters(np.random.default_rng(self.seed + 2), family, self.n_features, self.n_components)
        return Model(parameters.weights, 2.0 * parameters.means, 4.0 * parameters.covariances)


class Model(NamedTuple):
    weights: FloatArray
    means: FloatArray
    covariances: FloatArray


draws = st.builds(Draw, st.integers(0, 2**32), st.integers(250, 400), st.integers(1, 4), st.integers(1, 3))


def stop_at_the_end(step: Any) -> None:
    if step.iteration == ITERATIONS:
        raise StopIteration


def fitted(
    family: str, rows: FloatArray, start: Model, sample_weight: FloatArray | None = None, **options: Any
) -> GaussianMixture:
    """Fifteen iterations of EM from a given start, without regularization."""
    model = GaussianMixture.from_parameters(
        *start,
        family,
        warm_start=True,
        **({"reg_covar": 0.0, "tol": 0.0, "callbacks": [stop_at_the_end]} | options),
    )
    return model.fit(rows, sample_weight=sample_weight)


def model_of(mixture: GaussianMixture) -> Model:
    return Model(mixture.weights_, mixture.means_, mixture.covariances_)


def assert_same(one: Model, other: Model, tolerance: float = 1e-9) -> None:
    for actual, expected in zip(one, other, strict=True):
        assert_close(actual, expected, tolerance)


def mapped(model: Model, matrix: FloatArray, shift: FloatArray) -> Model:
    """The model of x·A + b."""
    return Model(model.weights, model.means @ matrix + shift, matrix.T @ model.covariances @ matrix)


@laws
@given(draw=draws)
@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_fit_follows_an_affine_map(name: str, draw: Draw) -> None:
    rng = np.random.default_rng(draw.seed + 3)
    matrix = np.eye(draw.n_features) + 0.4 * rng.normal(size=(draw.n_features, draw.n_features))
    shift = 10.0 * rng.normal(size=draw.n_features)
    rows, start = draw.rows(), draw.start(name)
    there = fitted(name, rows @ matrix + shift, mapped(start, matrix, shift))
    assert_same(model_of(there), mapped(model_of(fitted(name, rows, start)), matrix, shift), 1e-8)


@laws
@given(draw=draws)
def test_a_spherical_fit_follows_a_rotation(draw: Draw) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(draw.seed + 3).normal(size=(draw.n_features, draw.n_features)))
    rows, start = draw.rows(), draw.start("spherical")
    there = fitted("spherical", rows @ rotation, start._replace(means=start.means @ rotation))
    here = model_of(fitted("spherical", rows, start))
    assert_same(model_of(there), here._replace(means=here.means @ rotation))


@laws
@given(draw=draws)
def test_a_fit_follows_permutations_of_rows_features_and_components(family: CovarianceFamily, draw: Draw) -> None:
    rng = np.random.default_rng(draw.seed + 3)
    of_rows, of_features, of_components = map(rng.permutation, draw[1:])

    def permuted(model: Model) -> Model:
        covariances = model.covariances if family.is_shared else model.covariances[of_components]
        if family.name in ("full", "tied"):
            covariances = covariances[..., of_features, :][..., of_features]
        elif family.name == "diag":
            covariances = covariances[:, of_features]
        return Model(model.weights[of_components], model.means[of_components][:, of_features], covariances)

    rows, start = draw.rows(), draw.start(family.name)
    there = fitted(family.name, rows[of_rows][:, of_features], permuted(start))
    assert_same(model_of(there), permuted(model_of(fitted(family.name, rows, start))))


@laws
@given(draw=draws)
def test_a_weight_is_how_often_a_row_is_there(family: CovarianceFamily, draw: Draw) -> None:
    """Not at all, twice, thrice; all rows twice is a weight of 2, which changes nothing."""
    rows, start, weights = draw.rows(), draw.start(family.name), draw.weights()

    def model(rows: FloatArray, weights: FloatArray | None = None) -> Model:
        return model_of(fitted(family.name, rows, start, weights, reg_covar=1e-4))

    assert_same(model(rows, weights), model(np.repeat(rows, weights.astype(int), axis=0)))
    assert_same(model(rows, weights), model(rows[weights > 0], weights[weights > 0]))
    assert_same(model(rows), model(np.tile(rows, (2, 1))))
    assert_same(model(rows), model(rows, np.full(len(rows), 2.0)))


@laws
@given(draw=draws, where=st.floats(0.0, 1.0))
def test_moments_of_parts_add_up_to_those_of_the_whole(
    backend: Backend, family: CovarianceFamily, draw: Draw, where: float
) -> None:
    rows, weights = draw.rows(), draw.weights()
    weights[0] = 1.0
    start = draw_parameters(np.random.default_rng(draw.seed), family.name, draw.n_features, draw.n_components)
    prepared = family.prepare(start, np.float64)
    cut = 1 + int(where * (draw.n_rows - 2))

    def moments(part: slice) -> Any:
        sweep = make_sweep(Facts(Rows(rows[part], weights[part])), family, backend, 1)
        return with_both_triangles(sweep.moments(prepared), family)

    both = moments(slice(None, cut)) + moments(slice(cut, None))
    assert_close_moments(both, moments(slice(None)), 1e-12)


@laws
@given(draw=draws)
def test_a_fixed_point_stays_fixed(family: CovarianceFamily, draw: Draw) -> None:
    rows = draw.rows()
    options = {"tol": 1e-14, "max_iter": 20_000, "callbacks": None, "reg_covar": 1e-4, "accelerate": "squarem"}
    settled = fitted(family.name, rows, draw.start(family.name), **options)
    again = fitted(family.name, rows, model_of(settled), reg_covar=1e-4)
    assert_same(model_of(again), model_of(settled), 1e-5)
    assert again.lower_bound_ == pytest.approx(settled.lower_bound_, rel=1e-10)


@laws
@given(draw=draws)
def test_a_fit_keeps_the_mean_and_the_covariance_of_the_data(
    backend: Backend, family: CovarianceFamily, dtype: str, draw: Draw
) -> None:
    """Σwₖμₖ = x̄, and Σwₖ(Σₖ + (μₖ − x̄)(μₖ − x̄)ᵀ) = the covariance, plus regularization; or its diagonal, or trace."""
    rows, weights = draw.rows().astype(dtype), draw.weights() + 0.5
    regularization = 1e-4
    options = {"backend": backend.name, "reg_covar": regularization}
    mixture = fitted(family.name, rows, draw.start(family.name), weights, **options)
    d, tolerance = draw.n_features, {"float64": 1e-13, "float32": 1e-6}[dtype]
    mean = np.average(rows.astype(np.float64), axis=0, weights=weights)
    assert_close(mixture.weights_ @ mixture.means_, mean, tolerance, 10.0)
    within = FAMILIES[family.name].matrices(mixture.covariances_, draw.n_components, d)
    offsets = mixture.means_ - mean
    total = np.einsum("k,kij->ij", mixture.weights_, within) + (mixture.weights_ * offsets.T) @ offsets
    expected = np.cov(rows.T.astype(np.float64), aweights=weights, bias=True).reshape(d, d) + regularization * np.eye(d)
    if family.name == "diag":
        total, expected = np.diagonal(total), np.diagonal(expected)
    elif family.name == "spherical":
        total, expected = np.trace(total), np.trace(expected)
    assert_close(total, expected, tolerance)
