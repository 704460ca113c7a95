"""A fit of whatever rows, units and options ends in a sound model or in a documented error."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture
from fastgmm.errors import (
    ConvergenceWarning,
    DegenerateComponentError,
    DegenerateComponentWarning,
    RegularizationWarning,
)
from fastgmm.families import FAMILIES, FOUR, CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.parameters import Array, FloatArray
from tests.conftest import BACKENDS
from tests.problems import draw_parameters

# What validation says before any arithmetic.
TOO_FEW_ROWS = "Expected n_samples >= n_components"
STARTS = ("kmeans", "k-means++", "random", "random_from_data")
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every other row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "backwards": lambda values: np.ascontiguousarray(values[::-1])[::-1],
    "read-only": lambda values: np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape),
}


class Draw(NamedTuple):
    """Rows in clusters, in any unit and anywhere, with any of the usual misfortunes."""

    seed: int
    n_rows: int
    n_features: int
    n_clusters: int
    scale: float
    offset: float
    uneven_units: bool
    n_distinct: int
    constant: bool
    collinear: bool
    outlier: float
    layout: str
    dtype: str
    weights: str
    means: str

    def values(self) -> Array:
        rng = np.random.default_rng(self.seed)
        centers = 4.0 * rng.normal(size=(self.n_clusters, self.n_features))
        rows = centers[rng.integers(self.n_clusters, size=self.n_rows)]
        rows = rows + rng.normal(size=rows.shape)
        if self.n_distinct:
            rows = rows[rng.integers(min(self.n_distinct, self.n_rows), size=self.n_rows)]
        units = 10.0 ** rng.uniform(-6, 6, self.n_features) if self.uneven_units else np.ones(self.n_features)
        if self.constant:
            units[rng.integers(self.n_features)] = 0.0
        with np.errstate(all="ignore"):
            rows = rows * units
            if self.collinear:
                rows[:, -1] = rows[:, 0] - 2.0 * rows[:, rows.shape[1] // 2]
            rows = self.scale * (rows + self.offset)
            if self.outlier:
                rows[rng.integers(self.n_rows), 0] = self.outlier
            # The largest numbers there are, rather than infinity, which validation refuses.
            limit = np.finfo(self.dtype).max
            rows = np.clip(np.nan_to_num(rows, posinf=limit, neginf=-limit), -limit, limit).astype(self.dtype)
        return LAYOUTS[self.layout](rows)

    def sample_weight(self) -> FloatArray | None:
        rng = np.random.default_rng(self.seed + 1)
        if self.weights == "none":
            return None
        weights = rng.uniform(0.5, 2.0, self.n_rows)
        if self.weights == "some zero":
            weights[1:][rng.uniform(size=self.n_rows - 1) < 0.5] = 0.0
        return {"huge": 1e300, "tiny": 1e-300}.get(self.weights, 1.0) * weights

    def means_init(self, values: Array, n_components: int) -> FloatArray | None:
        """None, the same row for all components, or that with one of them 10⁸ deviations away from everything."""
        if self.means == "of the start":
            return None
        means = np.repeat(values[:1].astype(np.float64), n_components, axis=0)
        if self.means == "one far away":
            with np.errstate(over="ignore"):
                means[-1] += 1e8 * min(self.scale, 1e290)
        return np.clip(means, -1.7e308, 1.7e308)


def mostly(usual: Any, *misfortunes: Any) -> st.SearchStrategy[Any]:
    """The usual in three of four draws: where all misfortunes meet nothing is left to fit."""
    return st.sampled_from([usual] * 3 * len(misfortunes) + list(misfortunes))


scales = st.one_of(
    st.just(1.0),
    st.floats(-5.0, 5.0).map(lambda power: 10.0**power),
    st.sampled_from([1e-30, 1e30, 1e-100, 1e100, 1e-155, 1e-310]),
    st.floats(-325.0, 308.0).map(lambda power: 10.0**power),
)
draws = st.builds(
    Draw,
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.one_of(st.integers(2, 12), st.integers(13, 120)),
    n_features=st.integers(1, 5),
    n_clusters=st.integers(1, 5),
    scale=scales,
    offset=mostly(0.0, 5.0, 123456789.123, -1e8, 1e15),
    uneven_units=st.booleans(),
    n_distinct=mostly(0, 1, 2, 3),
    constant=mostly(False, True),
    collinear=mostly(False, True),
    outlier=mostly(0.0, 1e10, -1e30, 1e155, 1.7e308),
    layout=st.sampled_from(list(LAYOUTS)),
    dtype=st.sampled_from(["float64", "float32"]),
    weights=mostly("none", "uneven", "some zero", "huge", "tiny"),
    means=mostly("of the start", "equal", "one far away"),
)
options = st.fixed_dictionaries(
    {
        "n_components": st.integers(1, 8),
        "covariance_type": st.sampled_from(list(FOUR)),
        "backend": st.sampled_from(BACKENDS),
        "reg_covar": st.sampled_from([1e-6, 0.0, "relative", "relative", 1e-300]),
        "init_params": st.sampled_from(STARTS),
        "accelerate": st.sampled_from([None, "squarem"]),
        "n_init": st.sampled_from([1, 1, 3]),
        "max_iter": st.sampled_from([0, 1, 2, 30, 100]),
        "tol": st.sampled_from([1e-3, 0.0, 1e-9]),
        "random_state": st.integers(0, 100),
    }
)


def fit_or_refusal(values: Array, weights: FloatArray | None, options: dict[str, Any]) -> GaussianMixture | None:
    """The fitted model, or None after a documented error. Documented warnings are silent, any other is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RegularizationWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        try:
            return GaussianMixture(**options).fit(values, sample_weight=weights)
        except DegenerateComponentError:
            return None
        except ValueError as error:
            if TOO_FEW_ROWS in str(error):
                return None
            raise


def assert_sound(model: GaussianMixture, values: Array) -> None:
    n_components, n_features = model.means_.shape
    arrays = (model.weights_, model.means_, model.covariances_, model.precisions_cholesky_)
    assert all(np.isfinite(array).all() for array in arrays)
    assert (model.weights_ > 0).all()
    assert abs(model.weights_.sum() - 1.0) <= 4 * np.finfo(float).eps
    matrices = FAMILIES[model.covariance_type].matrices(model.covariances_, n_components, n_features)
    assert np.array_equal(matrices, np.swapaxes(matrices, 1, 2))
    diagonals = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    for matrix, deviations in zip(matrices, diagonals, strict=True):
        np.linalg.cholesky(matrix / np.outer(deviations, deviations))
    assert model.n_iter_ <= model.max_iter
    responsibilities = model.predict_proba(values)
    assert np.isfinite(responsibilities).all()
    assert (responsibilities >= 0).all()
    assert np.abs(responsibilities.sum(axis=1, dtype=np.float64) - 1.0).max() <= 4 * np.finfo(values.dtype).eps
    assert not np.isnan(model.score_samples(values)).any()
    if model.n_iter_ > 2:
        assert np.isfinite(model.lower_bound_)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(draw=draws, options=options)
def test_any_rows_give_a_sound_model_or_a_documented_error(draw: Draw, options: dict[str, Any]) -> None:
    values, weights = draw.values(), draw.sample_weight()
    options = options | {"means_init": draw.means_init(values, options["n_components"])}
    before = values.tobytes()
    model = fit_or_refusal(values, weights, options)
    assert values.tobytes() == before
    if model is not None:
        assert_sound(model, values)


def in_single_precision(draw: Draw) -> Draw:
    """The same in units that float32 has room for, and its digits."""
    return draw._replace(dtype="float32", scale=draw.scale**0.25, offset=min(draw.offset, 5.0))


ordinary = st.builds(
    Draw,
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(300, 400),
    n_features=st.integers(1, 4),
    n_clusters=st.integers(1, 5),
    scale=st.floats(-120.0, 120.0).map(lambda power: 10.0**power),
    offset=st.sampled_from([0.0, 5.0, 100.0]),
    uneven_units=st.booleans(),
    n_distinct=st.just(0),
    constant=st.just(False),
    collinear=st.just(False),
    outlier=st.just(0.0),
    layout=st.sampled_from(list(LAYOUTS)),
    dtype=st.just("float64"),
    weights=st.sampled_from(["none", "uneven", "huge", "tiny"]),
    means=st.just("of the start"),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(draw=st.one_of(ordinary, ordinary.map(in_single_precision)), options=options)
def test_ordinary_rows_are_refused_in_no_unit(draw: Draw, options: dict[str, Any]) -> None:
    values = draw.values()
    options = options | {"n_components": draw.n_clusters, "reg_covar": "relative"}
    model = fit_or_refusal(values, draw.sample_weight(), options)
    assert model is not None
    assert_sound(model, values)


@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100, 1e-15, 1e15])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (8, 5), (32, 3)], ids=str)
def test_no_point_is_too_far_away_for_responsibilities(
    backend: Backend, family: CovarianceFamily, dtype: str, scale: float, shape: tuple[int, int]
) -> None:
    """Up to the largest numbers there are; log-densities may be −inf."""
    n_components, n_features = shape
    rng = np.random.default_rng(0)
    parameters = draw_parameters(rng, family.name, n_features, n_components)
    means, covariances = scale * parameters.means, scale**2 * parameters.covariances
    model = GaussianMixture.from_parameters(parameters.weights, means, covariances, family.name, backend=backend.name)
    largest = float(np.finfo(dtype).max)
    sizes = np.minimum(10.0 ** rng.uniform(-320.0, 308.0, (200, 1)), largest)
    sizes[:9, 0] = np.minimum([0.0, 1e-320, 1e19, 1e38, 1.3e154, 1e155, 1e200, 1.7e308, largest], largest)
    together = sizes * rng.choice([-1.0, 1.0], (200, 1)) * np.ones(n_features)
    apart = sizes[rng.integers(200, size=(200, n_features)), 0] * rng.choice([-1.0, 0.0, 1.0], (200, n_features))
    points = np.concatenate([together, apart]).astype(dtype)
    responsibilities, densities = model.predict_proba(points), model.score_samples(points)
    assert np.isfinite(responsibilities).all()
    assert (responsibilities >= 0).all()
    for row in responsibilities.astype(np.float64).tolist():
        assert abs(math.fsum(row) - 1.0) <= 4 * np.finfo(dtype).eps
    assert not np.isnan(densities).any()
    assert (densities < np.inf).all()


def test_means_as_far_apart_as_numbers_go_are_no_reason_for_a_warning(
    backend: Backend, family: CovarianceFamily
) -> None:
    means = np.array([[1.7e308, 0.0], [-1.7e308, 0.0]])
    covariances = 1e-200 * (np.eye(2) if family.name in ("full", "tied") else np.ones(2))
    shape = family.covariance_shape(2, 2)
    covariances = np.broadcast_to(covariances, shape) if family.name != "spherical" else covariances
    model = GaussianMixture.from_parameters([0.5, 0.5], means, covariances, family.name, backend=backend.name)
    assert np.isfinite(model.predict_proba(np.array([[1.0, 2.0], [1.7e308, 0.0]]))).all()
