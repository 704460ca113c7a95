"""The M-step under a prior, with parameters that are fixed, and the objective that it makes rise."""

import contextlib
import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture, Prior
from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.fit.fixed import fixed_of
from fastgmm.fit.maximize import maximize
from fastgmm.fit.posterior import Constraints, Posterior
from fastgmm.fit.prior import log_prior_of
from fastgmm.fit.update import NoModelError
from fastgmm.kernels.backend import Backend
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.problems import as_mixture, assert_close, draw_parameters, same_bits

NOTHING: dict[str, list[int]] = {"weights": [], "means": [], "covariances": []}


class Draw(NamedTuple):
    """Rows, a start, a prior and what is fixed, all at random."""

    seed: int
    n_rows: int
    n_features: int
    n_components: int
    mean_precision: float
    has_covariance: bool
    has_concentration: bool
    fixed: tuple[bool, bool, bool]

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def rows(self) -> Rows:
        centers = self.rng.normal(scale=2.0, size=(self.n_components + 1, self.n_features))
        values = centers[self.rng.integers(len(centers), size=self.n_rows)]
        values = values + self.rng.normal(size=values.shape)
        return Rows(values, self.rng.uniform(0.5, 2.0, self.n_rows) if self.seed % 2 else None)

    def start(self, family: CovarianceFamily) -> Parameters:
        return draw_parameters(np.random.default_rng(self.seed + 1), family.name, self.n_features, self.n_components)

    def prior(self, family: CovarianceFamily) -> Prior:
        scale = draw_parameters(np.random.default_rng(self.seed + 2), family.name, self.n_features, self.n_components)
        return Prior(
            self.mean_precision,
            scale.means,
            self.n_features + 2.0 if self.has_covariance else None,
            scale.covariances if self.has_covariance else None,
            self.rng.uniform(1.0, 20.0, self.n_components) if self.has_concentration else 1.0,
        )

    def components_fixed(self, family: CovarianceFamily) -> dict[str, list[int]]:
        some = {
            name: self.rng.permutation(self.n_components)[: self.rng.integers(1, self.n_components + 1)].tolist()
            for name, is_fixed in zip(NOTHING, self.fixed, strict=True)
            if is_fixed
        }
        if family.is_shared and "covariances" in some:
            some["covariances"] = list(range(self.n_components))
        return NOTHING | some


draws = st.builds(
    Draw,
    st.integers(0, 2**32),
    st.integers(40, 120),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.01, 30.0]),
    st.booleans(),
    st.booleans(),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
laws = settings(max_examples=25, deadline=None, derandomize=True)


def posterior(
    family: CovarianceFamily,
    start: Parameters,
    prior: Prior | None = None,
    fixed: Any = (),
    regularization: FloatArray | None = None,
) -> Posterior:
    shape = start.means.shape
    constraints = Constraints(log_prior_of(prior, family, *shape, None), fixed_of(fixed, family, shape[0]))
    regularization = np.zeros(shape[1]) if regularization is None else regularization
    return Posterior(family, regularization, np.dtype(np.float64), constraints, start)


def naive_prior(prior: Prior, n_components: int, n_features: int) -> naive.Prior:
    concentrations = np.broadcast_to(prior.weight_concentration, n_components).tolist()
    scale = None if prior.covariance is None else np.asarray(prior.covariance).tolist()
    means = np.broadcast_to(prior.mean, (n_components, n_features)).tolist()
    return naive.Prior(prior.mean_precision, means, prior.degrees_of_freedom, scale, concentrations)


@laws
@given(draw=draws)
def test_a_step_is_that_of_the_oracle(backend: Backend, family: CovarianceFamily, draw: Draw) -> None:
    rows, start, prior = draw.rows(), draw.start(family), draw.prior(family)
    fixed, regularization = draw.components_fixed(family), 0.25
    update = posterior(family, start, prior, fixed, np.full(draw.n_features, regularization))
    model = update.prepare(start)
    moments = make_sweep(Facts(rows), family, backend, 1).moments(model.prepared)
    found = update.maximize(moments, model)
    weights = [1.0] * draw.n_rows if rows.weights is None else rows.weights.tolist()
    believed = naive_prior(prior, draw.n_components, draw.n_features)
    expected = naive.posterior_step(as_mixture(start), rows.values.tolist(), weights, believed, fixed, regularization)
    assert_close(found.weights, np.array(expected.weights), 1e-11)
    assert_close(found.means, np.array(expected.means), 1e-11)
    assert_close(found.covariances, np.array(expected.covariances), 1e-10)
    log_likelihood = naive.moments(as_mixture(start), rows.values.tolist(), weights).log_likelihood
    of_free = [1.0 if k in fixed.get("weights", ()) else alpha for k, alpha in enumerate(believed.concentrations)]
    log_prior = naive.log_prior(as_mixture(start), believed._replace(concentrations=of_free))
    objective = (log_likelihood + log_prior) / sum(weights)
    assert update.objective(moments, model) == pytest.approx(objective, rel=1e-11)


@laws
@given(draw=draws)
def test_the_objective_never_falls(backend: Backend, family: CovarianceFamily, draw: Draw) -> None:
    rows, start = draw.rows(), draw.start(family)
    update = posterior(family, start, draw.prior(family), draw.components_fixed(family))
    sweep, objectives, parameters = make_sweep(Facts(rows), family, backend, 1), [], start
    with contextlib.suppress(NoModelError):  # a component may collapse where covariances have no prior
        for _ in range(12):
            model = update.prepare(parameters)
            moments = sweep.moments(model.prepared)
            objectives.append(update.objective(moments, model))
            parameters = update.maximize(moments, model)
    assert (np.diff(objectives) >= -1e-12 * (1.0 + np.abs(objectives[1:]))).all()


@laws
@given(draw=draws)
def test_what_is_fixed_stays_to_the_bit_also_after_an_extrapolation(family: CovarianceFamily, draw: Draw) -> None:
    start, fixed = draw.start(family), draw.components_fixed(family)
    update = posterior(family, start, fixed=fixed)
    moved = draw._replace(seed=draw.seed + 7).start(family)
    found = update.prepare(moved).parameters
    for name, components in fixed.items():
        if not (name == "covariances" and family.is_shared):
            assert np.array_equal(getattr(found, name)[components], getattr(start, name)[components])
        elif components:
            assert np.array_equal(found.covariances, start.covariances)
    assert found.weights.sum() == pytest.approx(1.0, rel=1e-12)


def test_without_a_prior_and_anything_fixed_it_is_maximum_likelihood(
    backend: Backend, family: CovarianceFamily
) -> None:
    draw = Draw(1, 80, 2, 3, 0.0, False, False, (False, False, False))
    start, regularization = draw.start(family), np.full(2, 0.1)
    moments = make_sweep(Facts(draw.rows()), family, backend, 1).moments(family.prepare(start, np.float64))
    update = posterior(family, start, regularization=regularization)
    model = update.prepare(start)
    found, expected = update.maximize(moments, model), maximize(family, moments, regularization)
    for name in ("weights", "means", "covariances"):
        assert_close(getattr(found, name), getattr(expected, name), 1e-13)
    assert update.objective(moments, model) == moments.log_likelihood / moments.total_weight


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_features_may_be_counted_for_themselves(covariance_type: str, backend: Backend) -> None:
    """Where rows lack features N of a feature takes the place of N; here every row has the first one twice."""
    family = FAMILIES[covariance_type]
    draw = Draw(3, 60, 2, 2, 5.0, True, False, (False, False, False))
    start, prior = draw.start(family), draw.prior(family)
    moments = make_sweep(Facts(draw.rows()), family, backend, 1).moments(family.prepare(start, np.float64))
    update = posterior(family, start, prior)
    everywhere = dataclasses.replace(moments, extra=np.repeat(moments.counts[:, np.newaxis], 2, axis=1))
    plain, counted = (update.maximize(each, update.prepare(start)) for each in (moments, everywhere))
    assert same_bits(plain.means, counted.means)
    doubled = everywhere.extra * [2.0, 1.0]
    some = dataclasses.replace(moments, extra=doubled, first=moments.first * [2.0, 1.0])
    assert_close(update.maximize(some, update.prepare(start)).means[:, 1], plain.means[:, 1], 1e-15)
    expected = (some.first + 5.0 * (np.asarray(prior.mean) - start.means)) / (doubled + 5.0)
    assert_close(update.maximize(some, update.prepare(start)).means, start.means + expected, 1e-13)


# --- fits ------------------------------------------------------------------------------------------------------------


def overlapping(seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1.5])


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fit_settles_on_a_mode(family: CovarianceFamily, accelerate: Any, dtype: str) -> None:
    values = overlapping().astype(dtype)
    options = {"covariance_type": family.name, "reg_covar": 0.0, "random_state": 0, "prior": "default"}
    tol = 1e-9 if dtype == "float64" else 1e-6
    gm = GaussianMixture(3, tol=tol, max_iter=3000, accelerate=accelerate, **options).fit(values)
    assert gm.converged_
    rounding = 1e-12 if dtype == "float64" else 1e-6
    assert (np.diff(gm.lower_bounds_) >= -rounding * np.abs(gm.lower_bounds_[1:])).all()
    # The objective is the score, and the density of the prior that is shown.
    believed = naive_prior(gm.prior_, 3, 2)
    if believed.scale is not None:
        shape = family.covariance_shape(3, 2)
        believed = believed._replace(scale=np.broadcast_to(gm.prior_.covariance, shape).tolist())
    mixture = naive.Mixture(family.name, gm.weights_.tolist(), gm.means_.tolist(), gm.covariances_.tolist())
    objective = gm.score(values) + naive.log_prior(mixture, believed) / len(values)
    assert gm.lower_bound_ == pytest.approx(objective, abs=1e-6 if dtype == "float64" else 1e-4)


def test_a_fit_far_from_zero_is_that_of_the_data_near_it(family: CovarianceFamily) -> None:
    values = np.round(overlapping(), 4)
    options = {"covariance_type": family.name, "prior": "default", "random_state": 0, "tol": 1e-8, "max_iter": 1000}
    near, far = (GaussianMixture(2, **options).fit(values + offset) for offset in (0.0, 2.0**20))
    assert_close(far.means_ - 2.0**20, near.means_, 1e-6)
    assert_close(far.covariances_, near.covariances_, 1e-6)
    assert_close(far.prior_.mean - 2.0**20, near.prior_.mean, 1e-6)


def test_fewer_rows_than_features_are_no_degenerate_component_where_a_prior_holds_covariances() -> None:
    values = np.random.default_rng(0).normal(size=(6, 8))
    prior = Prior(degrees_of_freedom=10.0, covariance=np.eye(8))
    gm = GaussianMixture(2, prior=prior, reg_covar=0, random_state=0, max_iter=500).fit(values)
    assert gm.degenerate_components_ == ()
    assert np.linalg.eigvalsh(gm.covariances_).min() > 1e-3


def test_a_column_that_is_constant_is_flat_under_the_default_prior_too() -> None:
    values = np.column_stack([overlapping(), np.zeros(120)])
    with pytest.warns(DegenerateComponentWarning, match="constant column 2"):
        assert GaussianMixture(2, prior="default", random_state=0).fit(values).degenerate_components_ == (0, 1)
    with pytest.raises(DegenerateComponentError, match="constant column 2") as caught:
        GaussianMixture(2, prior="default", random_state=0, reg_covar=0).fit(values)
    assert str(caught.value).endswith(
        "constant column 2. The scale of prior='default' is the covariance of all rows, which is singular as well: "
        "drop columns that are constant or follow from others, or give a Prior with a covariance of your own."
    )


def test_any_number_of_threads_gives_the_same_bits(family: CovarianceFamily) -> None:
    values = np.tile(overlapping(2), (60, 1))
    options = {"covariance_type": family.name, "prior": "default", "random_state": 0}
    one, other = (GaussianMixture(2, n_threads=n, **options).fit(values) for n in (1, 3))
    assert np.array_equal(one.covariances_, other.covariances_)
    assert one.lower_bounds_ == other.lower_bounds_


def test_a_whole_weight_is_the_row_repeated(family: CovarianceFamily) -> None:
    values, weights = overlapping(), np.arange(120) % 3
    options = {"covariance_type": family.name, "prior": "default", "means_init": [[0, 0], [1, 1]]}
    weighted = GaussianMixture(2, **options).fit(values, sample_weight=weights)
    repeated = GaussianMixture(2, **options).fit(np.repeat(values, weights, axis=0))
    assert_close(weighted.prior_.covariance, repeated.prior_.covariance, 1e-12)
    assert_close(weighted.covariances_, repeated.covariances_, 1e-9)


@pytest.mark.parametrize("power", [-1060, -64, 64, 1000])
def test_a_prior_is_worth_rows_of_weight_1_whatever_rows_weigh(family: CovarianceFamily, power: int) -> None:
    """Far from 1 it is all that counts, or nothing, as it is nearer to 1."""
    model = draw_parameters(np.random.default_rng(3), family.name, 2, 2)
    prior = Prior(3.0, model.means, 5.0, model.covariances, [2.0, 4.0])

    def fitted(weight: float, **options: Any) -> GaussianMixture:
        options = {"reg_covar": 0.0, "means_init": [[0.0, 0.0], [1.0, 1.0]]} | options
        gm = GaussianMixture(2, covariance_type=family.name, **options)
        return gm.fit(overlapping(), sample_weight=np.full(120, weight))

    expected = fitted(2.0**-50, prior=prior) if power < 0 else fitted(2.0**power)
    found = fitted(2.0**power, prior=prior)
    for name in ("weights_", "means_", "covariances_"):
        assert_close(getattr(found, name), getattr(expected, name), 1e-9)


def test_the_default_prior_counts_rows_in_the_unit_of_weights_however_far_from_1(family: CovarianceFamily) -> None:
    options = {"covariance_type": family.name, "prior": "default", "means_init": [[0, 0], [1, 1]]}
    one, other = (
        GaussianMixture(2, **options).fit(overlapping(), sample_weight=np.full(120, weight)).prior_
        for weight in (2.0**-50, 2.0**-70)
    )
    assert_close(other.covariance, one.covariance, 1e-12)


@pytest.mark.parametrize("prior", [None, "default"])
def test_half_an_iteration_at_a_time_is_the_fit(family: CovarianceFamily, prior: Any) -> None:
    values, fixed = overlapping(), {"means": [1]}
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.0, 0.0], [1.0, 2.0]]}
    precisions = family.precisions(
        family.precisions_cholesky(draw_parameters(np.random.default_rng(0), family.name, 2, 2).covariances)
    )
    options = {"covariance_type": family.name, "reg_covar": 0.0, "prior": prior, "fixed": fixed, "tol": 0.0} | start
    options["precisions_init"] = precisions
    with pytest.warns(match="did not converge"):
        one, two = (GaussianMixture(2, max_iter=n, **options).fit(values) for n in (1, 2))
    after = one.maximized(one.moments(values))
    assert_close(after.means_, two.means_, 1e-12)
    assert_close(after.covariances_, two.covariances_, 1e-12)
    assert after.lower_bound_ == pytest.approx(two.lower_bound_, rel=1e-12)
    assert (after.n_fixed_parameters_, after.prior_ is None) == (2, prior is None)
    assert np.array_equal(after.means_[1], [1.0, 2.0])


def test_moments_know_no_default_prior() -> None:
    gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag", prior="default")
    with pytest.raises(ValueError, match="prior='default' depends on the data, which moments do not know"):
        gm.maximized(gm.moments([[1.0], [3.0]]))
