"""Laws of fits to rows with holes: what happens to the data happens to the model, and the objective never falls."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture, Prior
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import CovarianceFamily
from fastgmm.parameters import BoolArray, FloatArray
from tests.laws import test_fits
from tests.laws.test_fits import Draw, Model, assert_same, draws, model_of
from tests.problems import assert_close, draw_parameters

pytestmark = pytest.mark.filterwarnings(
    "ignore::fastgmm.errors.DegenerateComponentWarning",
    "ignore::fastgmm.errors.RegularizationWarning",
    "ignore::fastgmm.errors.UnobservedPairWarning",
    "ignore:Best performing initialization did not converge",
)
laws = settings(max_examples=8, deadline=None, derandomize=True)
shares = st.sampled_from([0.05, 0.2, 0.5])
FAR = 2.0**27


def with_holes(draw: Draw, share: float) -> FloatArray:
    """Numbers of twenty binary places, which a shift leaves as they are; some rows have none."""
    rng = np.random.default_rng(draw.seed + 4)
    values = np.round(draw.rows() * 2**20) / 2**20
    return np.where(rng.random(values.shape) < share, np.nan, values)


def fitted(*how: Any, **options: Any) -> GaussianMixture:
    """Unless a component collapses, of which rounding decides whether it still has a factor."""
    try:
        return test_fits.fitted(*how, **options)
    except DegenerateComponentError:
        reject()


def precisions_of(family: CovarianceFamily, start: Model) -> FloatArray:
    return family.precisions(family.precisions_cholesky(start.covariances))


@laws
@given(draw=draws, share=shares)
def test_a_fit_follows_permutations_of_rows_features_and_components(
    family: CovarianceFamily, draw: Draw, share: float
) -> None:
    rng = np.random.default_rng(draw.seed + 3)
    of_rows, of_features, of_components = map(rng.permutation, draw[1:])

    def permuted(model: Model) -> Model:
        covariances = model.covariances if family.is_shared else model.covariances[of_components]
        if family.has_matrices:
            covariances = covariances[..., of_features, :][..., of_features]
        elif family.name == "diag":
            covariances = covariances[:, of_features]
        return Model(model.weights[of_components], model.means[of_components][:, of_features], covariances)

    rows, start = with_holes(draw, share), draw.start(family.name)
    there = fitted(family.name, rows[of_rows][:, of_features], permuted(start))
    assert_same(model_of(there), permuted(model_of(fitted(family.name, rows, start))), 1e-8)


@laws
@given(draw=draws, share=shares)
def test_a_weight_is_how_often_a_row_is_there(family: CovarianceFamily, draw: Draw, share: float) -> None:
    rows, start, weights = with_holes(draw, share), draw.start(family.name), draw.weights()

    def model(rows: FloatArray, weights: FloatArray | None = None) -> Model:
        return model_of(fitted(family.name, rows, start, weights, reg_covar=1e-4))

    assert_same(model(rows, weights), model(np.repeat(rows, weights.astype(int), axis=0)))
    assert_same(model(rows, weights), model(rows[weights > 0], weights[weights > 0]))
    assert_same(model(rows), model(rows, np.full(len(rows), 2.0)))


@laws
@given(draw=draws, share=shares)
def test_a_fit_follows_shifts_and_scales_of_features(family: CovarianceFamily, draw: Draw, share: float) -> None:
    rng = np.random.default_rng(draw.seed + 3)
    scale, shift = rng.uniform(0.1, 10.0, draw.n_features), 10.0 * rng.normal(size=draw.n_features)
    scale = scale[:1] if family.name == "spherical" else scale
    squares = {"diag": scale**2, "spherical": scale**2}.get(family.name, np.outer(scale, scale))

    def mapped(model: Model) -> Model:
        return Model(model.weights, model.means * scale + shift, model.covariances * squares)

    rows, start = with_holes(draw, share), draw.start(family.name)
    there = fitted(family.name, rows * scale + shift, mapped(start))
    assert_same(model_of(there), mapped(model_of(fitted(family.name, rows, start))), 1e-8)


@laws
@given(draw=draws, share=shares)
def test_a_fit_far_from_zero_is_the_fit_here(family: CovarianceFamily, draw: Draw, share: float) -> None:
    rows, start = with_holes(draw, share), draw.start(family.name)
    start = start._replace(means=np.round(start.means * 2**20) / 2**20)
    here, there = (
        fitted(family.name, rows, start),
        fitted(family.name, rows + FAR, start._replace(means=start.means + FAR)),
    )
    assert_close(there.covariances_, here.covariances_, 1e-10)
    assert_close(there.weights_, here.weights_, 1e-10)
    assert np.abs(there.means_ - FAR - here.means_).max() <= 2.0**-26  # the last place of a mean there
    assert there.lower_bound_ == pytest.approx(here.lower_bound_, rel=1e-11)


@laws
@given(draw=draws, share=shares, prior=st.sampled_from([None, "default"]))
def test_rows_without_any_value_change_no_bit(family: CovarianceFamily, draw: Draw, share: float, prior: Any) -> None:
    rng = np.random.default_rng(draw.seed + 3)
    rows = with_holes(draw, share)
    rows = rows[~np.isnan(rows).all(axis=1)]
    more = np.insert(rows, np.sort(rng.integers(len(rows), size=20)), np.nan, axis=0)
    options = {"covariance_type": family.name, "random_state": 0, "prior": prior, "max_iter": 20}
    one, other = (GaussianMixture(draw.n_components, **options).fit(each) for each in (rows, more))
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert one.bic(rows) == other.bic(more)
    assert one.degenerate_components_ == other.degenerate_components_


# --- the objective ---------------------------------------------------------------------------------------------------


def labels_at_random(rng: np.random.Generator, kind: str | None, allowed: BoolArray) -> Any:
    """Of a quarter of the rows the component is known; or those that are allowed, or how much each is believed in."""
    if kind is None:
        return None
    if kind == "numbers":
        numbers = rng.integers(allowed.shape[1], size=len(allowed))
        numbers[: allowed.shape[1]] = np.arange(allowed.shape[1])
        return np.where(rng.random(len(allowed)) < 0.25, numbers, -1)
    return allowed if kind == "allowed" else allowed * rng.uniform(0.1, 3.0, allowed.shape)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    draw=draws,
    share=shares,
    kind=st.sampled_from([None, "numbers", "allowed", "soft"]),
    weighted=st.booleans(),
    has_prior=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    is_fixed=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_the_objective_never_falls(
    family: CovarianceFamily,
    draw: Draw,
    share: float,
    kind: str | None,
    weighted: bool,
    has_prior: tuple[bool, bool, bool],
    is_fixed: tuple[bool, bool, bool],
) -> None:
    rng = np.random.default_rng(draw.seed + 5)
    rows, start = with_holes(draw, share), draw.start(family.name)
    allowed = rng.random((draw.n_rows, draw.n_components)) < 0.7
    allowed[np.arange(draw.n_rows), rng.integers(draw.n_components, size=draw.n_rows)] = True
    of_mean, of_covariance, of_weights = has_prior
    scale = draw_parameters(rng, family.name, draw.n_features, draw.n_components)
    prior = Prior(
        5.0 if of_mean else 0.0,
        scale.means,
        draw.n_features + 2.0 if of_covariance else None,
        scale.covariances if of_covariance else None,
        rng.uniform(1.0, 20.0, draw.n_components) if of_weights else 1.0,
    )
    some = {
        name: [0] if name != "covariances" or not family.is_shared else list(range(draw.n_components))
        for name, is_so in zip(("weights", "means", "covariances"), is_fixed, strict=True)
        if is_so
    }
    gm = GaussianMixture(
        draw.n_components,
        covariance_type=family.name,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=precisions_of(family, start),
        prior=prior if any(has_prior) else None,
        fixed=some,
        reg_covar=0.0,
        tol=0.0,
        max_iter=15,
    )
    weights = draw.weights() + 0.25 if weighted else None
    try:
        gm.fit(rows, sample_weight=weights, labels=labels_at_random(rng, kind, allowed))
    except DegenerateComponentError:
        return  # a component collapsed, where its covariance has no prior
    assert gm.n_iter_ > 1 or all(is_fixed)
    bounds = np.array(gm.lower_bounds_)
    assert (np.diff(bounds) >= -1e-12 * (1.0 + np.abs(bounds[1:]))).all()
    for array in (gm.weights_, gm.means_, gm.covariances_):
        assert np.isfinite(array).all()
