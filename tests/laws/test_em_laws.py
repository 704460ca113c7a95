"""Laws of EM, one step of which is prepare → sweep → maximize; no estimator takes part."""

import contextlib
import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.fit.maximize import maximize
from fastgmm.kernels.backend import Backend
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import assert_close, draw_parameters

laws = settings(max_examples=25, deadline=None, derandomize=True)


class Draw(NamedTuple):
    """Rows from a few blobs, enough for every component; a start that is not where they came from."""

    seed: int
    n_rows: int
    n_features: int
    n_components: int

    def rows(self) -> Rows:
        rng = np.random.default_rng(self.seed)
        centers = rng.normal(scale=2.0, size=(self.n_components + 1, self.n_features))
        values = centers[rng.integers(len(centers), size=self.n_rows)] + rng.normal(size=(self.n_rows, self.n_features))
        return Rows(values, rng.uniform(0.5, 2.0, self.n_rows) if self.seed % 2 else None)

    def start(self, family: CovarianceFamily) -> Parameters:
        return draw_parameters(np.random.default_rng(self.seed + 1), family.name, self.n_features, self.n_components)


draws = st.builds(Draw, st.integers(0, 2**32), st.integers(100, 400), st.integers(1, 4), st.integers(1, 4))


def em_step(backend, family, rows: Rows, parameters: Parameters) -> tuple[Parameters, Moments]:
    """The next parameters, and the moments under the ones given."""
    moments = make_sweep(Facts(rows), family, backend, 2).moments(family.prepare(parameters, rows.values.dtype))
    return maximize(family, moments, np.zeros(rows.shape[1])), moments


def transformed(parameters: Parameters, scale: float = 1.0, shift: FloatArray | float = 0.0) -> Parameters:
    """The parameters of ``scale·x + shift``."""
    return dataclasses.replace(
        parameters, means=scale * parameters.means + shift, covariances=scale**2 * parameters.covariances
    )


def permuted(parameters: Parameters, order: FloatArray) -> Parameters:
    """The components in another order."""
    shared = parameters.covariance_type == "tied"
    return dataclasses.replace(
        parameters,
        weights=parameters.weights[order],
        means=parameters.means[order],
        covariances=parameters.covariances if shared else parameters.covariances[order],
    )


def assert_same_parameters(one: Parameters, other: Parameters, tolerance: float = 1e-9) -> None:
    assert_close(one.weights, other.weights, tolerance)
    assert_close(one.means, other.means, tolerance)
    assert_close(one.covariances, other.covariances, tolerance)


@laws
@given(draw=draws)
def test_the_likelihood_never_falls(backend: Backend, family: CovarianceFamily, draw: Draw):
    """Without regularization a component may collapse onto a point, its likelihood rising to infinity: the end."""
    rows, parameters = draw.rows(), draw.start(family)
    likelihoods = []
    with contextlib.suppress(NotPositiveDefiniteError):
        for _ in range(10):
            parameters, moments = em_step(backend, family, rows, parameters)
            likelihoods.append(moments.log_likelihood)
    assert (np.diff(likelihoods) >= -1e-12 * np.abs(likelihoods).max()).all()


@laws
@given(draw=draws)
def test_the_order_of_rows_does_not_matter(backend: Backend, family: CovarianceFamily, draw: Draw):
    rows, start = draw.rows(), draw.start(family)
    shuffled = rows.take(np.random.default_rng(draw.seed).permutation(draw.n_rows))
    assert_same_parameters(*(em_step(backend, family, one, start)[0] for one in (rows, shuffled)))


@laws
@given(draw=draws)
def test_components_keep_their_parameters_in_any_order(backend: Backend, family: CovarianceFamily, draw: Draw):
    rows, start = draw.rows(), draw.start(family)
    order = np.random.default_rng(draw.seed).permutation(draw.n_components)
    then_permuted = permuted(em_step(backend, family, rows, start)[0], order)
    assert_same_parameters(em_step(backend, family, rows, permuted(start, order))[0], then_permuted)


@laws
@given(draw=draws.map(lambda draw: draw._replace(n_components=1)))
def test_one_component_has_the_mean_and_covariance_of_the_rows(backend: Backend, family: CovarianceFamily, draw: Draw):
    rows = draw.rows()
    found, _ = em_step(backend, family, rows, draw.start(family))
    covariance = np.cov(rows.values.T, aweights=rows.weights, bias=True).reshape(draw.n_features, draw.n_features)
    if family.name == "spherical":
        covariance = np.eye(draw.n_features) * covariance.trace() / draw.n_features
    elif family.name == "diag":
        covariance = np.diag(covariance.diagonal())
    assert found.weights.tolist() == [1.0]
    assert_close(found.means[0], np.average(rows.values, axis=0, weights=rows.weights), 1e-12, 10.0)
    assert_close(family.matrices(found.covariances, 1, draw.n_features)[0], covariance, 1e-12)


@laws
@given(draw=draws)
def test_a_second_step_of_one_component_changes_nothing(backend: Backend, family: CovarianceFamily, draw: Draw):
    draw = draw._replace(n_components=1)
    rows = draw.rows()
    once, _ = em_step(backend, family, rows, draw.start(family))
    assert_same_parameters(em_step(backend, family, rows, once)[0], once, 1e-12)


@laws
@given(draw=draws, shift=st.floats(-1e3, 1e3))
def test_a_step_moves_with_the_data(backend: Backend, family: CovarianceFamily, draw: Draw, shift: float):
    rows, start = draw.rows(), draw.start(family)
    shifts = shift * np.arange(1, draw.n_features + 1)
    there, _ = em_step(backend, family, Rows(rows.values + shifts, rows.weights), transformed(start, shift=shifts))
    assert_same_parameters(there, transformed(em_step(backend, family, rows, start)[0], shift=shifts))


@laws
@given(draw=draws, scale=st.floats(-20.0, 20.0).map(lambda power: 10.0**power))
def test_a_step_does_not_depend_on_the_unit_of_the_data(
    backend: Backend, family: CovarianceFamily, draw: Draw, scale: float
):
    rows, start = draw.rows(), draw.start(family)
    there, moments = em_step(backend, family, Rows(scale * rows.values, rows.weights), transformed(start, scale))
    here, unscaled = em_step(backend, family, rows, start)
    assert_same_parameters(there, transformed(here, scale))
    # log p(scale·x) = log p(x) − d·log scale
    change = -moments.total_weight * draw.n_features * np.log(scale)
    assert moments.log_likelihood == pytest.approx(unscaled.log_likelihood + change, rel=1e-9, abs=1e-6)


@laws
@given(draw=draws, scale=st.floats(-20.0, 20.0).map(lambda power: 10.0**power))
def test_a_step_does_not_depend_on_the_unit_of_the_weights(
    backend: Backend, family: CovarianceFamily, draw: Draw, scale: float
):
    rows, start = draw.rows(), draw.start(family)
    weights = np.ones(draw.n_rows) if rows.weights is None else rows.weights
    scaled = Rows(rows.values, scale * weights)
    assert_same_parameters(*(em_step(backend, family, one, start)[0] for one in (scaled, rows)))
