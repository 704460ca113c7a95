"""Hard and stochastic assignment, and annealing, in whole fits: what their criteria do, and where they end."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture, Prior
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning
from fastgmm.families import FAMILIES, FOUR
from fastgmm.fit.options import InvalidParameterError
from fastgmm.kernels import available_backends
from tests import naive
from tests.problems import draw_parameters

BACKENDS = [name for name, state in available_backends().items() if state == "available"]
OTHERS = {
    "hard": {"assignment": "hard"},
    "stochastic": {"assignment": "stochastic", "max_iter": 6},
    "annealed": {"annealing": 0.6, "max_iter": 6},
}
others = pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(5)
    centers = 2.0 * rng.normal(size=(4, 3))
    return centers[rng.integers(4, size=1500)] + rng.normal(size=(1500, 3))


def fit(x, family="full", n_components=4, sample_weight=None, labels=None, **options):
    options = {"random_state": 0, "covariance_type": family, "reg_covar": 0.0} | options
    with warnings.catch_warnings(action="ignore"):
        return GaussianMixture(n_components, **options).fit(x, sample_weight=sample_weight, labels=labels)


def parameters(gm):
    return gm.weights_, gm.means_, gm.covariances_


def mixture(gm):
    return naive.Mixture(gm.covariance_type, *(array.tolist() for array in parameters(gm)))


def start_of(gm):
    return {"weights_init": gm.weights_, "means_init": gm.means_, "precisions_init": gm.precisions_}


def with_holes(x, share=0.2):
    is_missing = np.random.default_rng(9).random(x.shape) < share
    return np.where(is_missing & ~is_missing.all(axis=1, keepdims=True), np.nan, x)


def changes(gm):
    return np.array([step.change for step in gm.history_])


# What never falls


def drawn_fit(family, seed, has_holes, has_weights, belief, has_prior, fixed, options):
    """A fit of everything at random, from a start that is no good; None where a component collapses."""
    rng = np.random.default_rng(seed)
    start = draw_parameters(rng, family, 2, 3)
    x = 2.0 * rng.normal(size=(3, 2))[rng.integers(3, size=90)] + rng.normal(size=(90, 2))
    x[rng.random(90) < 0.3 * has_holes, rng.integers(2)] = np.nan
    x[:9] = np.nan if has_holes else x[:9]
    labels = {
        "nothing": None,
        "labels": np.where(rng.random(90) < 0.2, rng.integers(3, size=90), -1),
        "beliefs": rng.uniform(0.1, 1.0, (90, 3)),
    }[belief]
    given = {
        "weights_init": start.weights,
        "means_init": start.means,
        "precisions_init": FAMILIES[family].precisions(FAMILIES[family].precisions_cholesky(start.covariances)),
    }
    prior = Prior(2.0, [0.0, 0.0], weight_concentration=2.0) if has_prior else None
    weights = rng.uniform(0.5, 2.0, 90) if has_weights else None
    with contextlib.suppress(DegenerateComponentError):
        return fit(x, family, 3, weights, labels, tol=0.0, prior=prior, fixed=fixed, **given, **options)
    return None


@pytest.mark.parametrize(
    "options",
    [{"assignment": "hard", "max_iter": 60}, {"annealing": 0.4, "max_iter": 8}],
    ids=["hard", "annealed"],
)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    has_holes=st.booleans(),
    has_weights=st.booleans(),
    belief=st.sampled_from(["nothing", "labels", "beliefs"]),
    has_prior=st.booleans(),
    fixed=st.sampled_from([(), ("weights",), ("means",), ("covariances",)]),
)
def test_the_criterion_never_falls(family, options, seed, has_holes, has_weights, belief, has_prior, fixed):
    gm = drawn_fit(family.name, seed, has_holes, has_weights, belief, has_prior, fixed, options)
    if gm is not None:
        assert (changes(gm) >= -1e-12 * (1.0 + np.abs(gm.lower_bounds_))).all()


# Hard


@pytest.mark.parametrize("share", [0.0, 0.3], ids=["complete", "holes"])
@pytest.mark.parametrize("family", FOUR)
def test_hard_iterations_are_those_of_the_oracle(x, family, share):
    some = with_holes(x[:150], share)
    before = fit(x[:200], family)
    gm = fit(some, family, assignment="hard", tol=0, max_iter=3, **start_of(before))
    expected = mixture(before)
    for step in gm.history_:
        moments = naive.hard_moments(expected, some.tolist(), [1.0] * 150)
        assert step.lower_bound == pytest.approx(moments.log_likelihood / 150, rel=1e-9)
        expected = naive.step_of_moments(expected, moments)
    for ours, true in zip(parameters(gm), expected[1:], strict=True):
        np.testing.assert_allclose(ours, np.array(true), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("family", FOUR)
def test_a_hard_fit_ends_where_no_label_changes(x, family):
    gm = fit(x, family, assignment="hard", tol=0.0, max_iter=500)
    assert (gm.converged_, gm.stop_reason_) == (True, "converged")
    again = naive.step_of_moments(mixture(gm), naive.hard_moments(mixture(gm), x.tolist(), [1.0] * len(x)))
    np.testing.assert_allclose(gm.means_, np.array(again.means), rtol=1e-9, atol=1e-12)
    assert gm.lower_bound_ == pytest.approx(gm.predict_joint_log_proba(x).max(axis=1).mean(), rel=1e-9)


def test_with_components_alike_a_hard_fit_is_k_means(x):
    means = x[:4]
    gm = fit(
        x,
        "spherical",
        assignment="hard",
        tol=0.0,
        max_iter=500,
        weights_init=[0.25] * 4,
        means_init=means,
        precisions_init=equal("spherical"),
        fixed=("weights", "covariances"),
    )
    for _ in range(gm.n_iter_):
        labels = np.square(x[:, np.newaxis] - means).sum(axis=2).argmin(axis=1)
        means = np.array([x[labels == k].mean(axis=0) for k in range(4)])
    np.testing.assert_allclose(gm.means_, means, rtol=1e-12, atol=1e-13)
    assert np.array_equal(gm.predict(x), labels)


@pytest.mark.parametrize("family", FOUR)
def test_a_weight_of_0_removes_a_row_and_of_2_repeats_it_in_a_hard_fit(x, family):
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    options = {"assignment": "hard", "tol": 0.0, "max_iter": 500, "means_init": x[:4]}
    weighted = fit(x, family, sample_weight=weights, **options)
    repeated = fit(np.repeat(x, weights, axis=0), family, **options)
    assert weighted.n_iter_ == repeated.n_iter_
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-8, atol=1e-10)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-9)


def test_bounds_leave_a_hard_fit_as_it_is(monkeypatch):
    rng = np.random.default_rng(3)
    x = 6.0 * np.array([divmod(k, 3) for k in range(8)])[rng.integers(8, size=20_000)] + rng.normal(size=(20_000, 2))
    options = {"assignment": "hard", "tol": 0.0, "max_iter": 12, "reg_covar": 1e-6, "init_params": "random_from_data"}
    one = fit(x, "full", 8, **options)
    monkeypatch.setattr("fastgmm.sweeps.bounded._FEWEST_COMPONENTS", 9)
    other = fit(x, "full", 8, **options)
    assert one.n_iter_ == other.n_iter_ > 4
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-9, atol=1e-9)


def test_a_component_without_rows_is_named_as_degenerate(x):
    start = {"means_init": [*x[:3], [1e3] * 3], "precisions_init": np.broadcast_to(np.eye(3), (4, 3, 3))}
    with pytest.warns(DegenerateComponentWarning, match="Component 3"):
        gm = GaussianMixture(4, assignment="hard", max_iter=500, **start).fit(x)
    assert gm.degenerate_components_ == (3,)
    assert gm.means_[3].tolist() == [1e3] * 3
    assert gm.weights_[3] < 1e-14
    with pytest.raises(DegenerateComponentError):
        fit(x, assignment="hard", reg_covar=0.0, **start)


# Stochastic


@pytest.mark.parametrize("family", FOUR)
def test_a_stochastic_fit_ends_with_the_likeliest_that_it_has_visited(x, family):
    with warnings.catch_warnings(action="error"):
        gm = GaussianMixture(4, covariance_type=family, assignment="stochastic", max_iter=20, random_state=0).fit(x)
    assert (gm.n_iter_, gm.converged_, gm.stop_reason_) == (20, False, "max_iter")
    assert gm.lower_bound_ == max(gm.lower_bounds_)
    assert gm.lower_bound_ == pytest.approx(gm.score(x), rel=1e-12)
    assert changes(gm).min() < 0.0  # it wanders


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_a_stochastic_fit_returns_no_component_that_has_collapsed_on_its_way(reg_covar):
    """With a component more than there are clusters one of three does, and has a likelihood without bound."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        some = np.where(rng.random(120) < 0.5, 0.0, 4.0)[:, np.newaxis] + rng.normal(size=(120, 1))
        gm = fit(some, "full", 3, assignment="stochastic", max_iter=200, random_state=seed, reg_covar=reg_covar)
        assert gm.degenerate_components_ == ()
        assert gm.covariances_.min() > 1e-4
        assert gm.n_iter_ == 200
        assert gm.lower_bound_ == pytest.approx(gm.score(some), rel=1e-9)


def test_a_stochastic_fit_from_a_start_that_has_collapsed_leaves_it(x):
    """Whatever the likelihood of the start, which is larger than that of all that follows."""
    some = np.concatenate([x[:150, :1], np.repeat(x[:1, :1], 9, axis=0)])
    start = {"means_init": [x[0, :1], [0.0]], "weights_init": [0.05, 0.95], "precisions_init": [[[1e12]], [[0.1]]]}
    gm = fit(some, "full", 2, assignment="stochastic", max_iter=50, reg_covar=1e-3, **start)
    assert gm.lower_bound_ < gm.lower_bounds_[0]
    assert gm.degenerate_components_ == ()


def test_a_seed_says_what_is_drawn(x):
    one, same, other = (fit(x, assignment="stochastic", max_iter=5, random_state=seed).means_ for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


# All of them, with whatever else there is


@others
@pytest.mark.parametrize("family", FOUR)
def test_threads_change_no_bit(x, family, options):
    rows = with_holes(np.concatenate([x] * 3))
    labels = np.where(np.arange(len(rows)) % 10 == 0, np.arange(len(rows)) % 4, -1)
    options = (
        {"reg_covar": 1e-6, "means_init": x[:4], "precisions_init": equal(family), "weights_init": [0.25] * 4}
        | options
        | {"max_iter": 4}
    )
    fits = [fit(rows, family, n_threads=n, labels=labels, **options) for n in (1, 2, 3, 7)]
    for other in fits[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(parameters(fits[0]), parameters(other), strict=True))


def equal(family):
    """Precisions of 1 for four components in three dimensions."""
    return {"full": [np.eye(3)] * 4, "tied": np.eye(3), "diag": np.ones((4, 3)), "spherical": np.ones(4)}[family]


@others
@pytest.mark.parametrize("family", FOUR)
def test_backends_agree(x, family, options):
    labels = np.where(np.arange(len(x)) % 10 == 0, 0, -1)
    fits = [fit(with_holes(x), family, labels=labels, backend=name, **options) for name in BACKENDS]
    for other in fits[1:]:
        assert other.n_iter_ == fits[0].n_iter_
        np.testing.assert_allclose(other.means_, fits[0].means_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(other.covariances_, fits[0].covariances_, rtol=1e-7, atol=1e-9)


@others
@pytest.mark.parametrize("method", ["kmeans", "k-means++", "random", "random_from_data", lambda x, k, _: x[:k]])
def test_every_start_will_do_and_so_do_several(x, method, options):
    gm = fit(x[:300], reg_covar=1e-6, init_params=method, n_init=2, **options)
    assert {step.restart for step in gm.history_} == {0, 1}
    assert np.isfinite(gm.lower_bound_)


@others
def test_what_is_fixed_stays_and_a_prior_counts(x, options):
    start = start_of(fit(x))
    gm = fit(x, fixed=("weights", "means"), prior="default", **start, **options)
    assert np.array_equal(gm.weights_, start["weights_init"])
    assert np.array_equal(gm.means_, start["means_init"])
    everything = fit(x, fixed=("weights", "means", "covariances"), **start, **options)
    assert everything.converged_
    middle = x.mean(axis=0)
    drawn_near = fit(x, prior=Prior(1e9, middle), **start, **options)
    assert np.abs(drawn_near.means_ - middle).max() < 1e-4


@others
def test_a_warm_start_goes_on_from_any_fit(x, options):
    gm = GaussianMixture(4, random_state=0, warm_start=True, max_iter=500).fit(x)
    with warnings.catch_warnings(action="ignore"):
        before, after = gm.means_, gm.set_params(**options).fit(x).means_
    assert gm.history_[0].change == np.inf
    assert not gm.history_[0].fell
    assert np.abs(after - before).max() < 2.0


@others
def test_rows_of_float32_far_from_zero_are_fitted_as_they_are_here(x, options):
    here, there = (fit(rows.astype("f4"), reg_covar=1e-6, **options) for rows in (x, x + 2.0**10))
    np.testing.assert_allclose(there.means_ - 2.0**10, here.means_, atol=0.02)


@pytest.mark.prints
def test_draws_are_no_failure_that_is_explained(x, capsys, caplog):
    with caplog.at_level("INFO", "fastgmm"):
        GaussianMixture(4, assignment="stochastic", max_iter=20, random_state=0, verbose=1).fit(x)
    assert "took its iterations" in capsys.readouterr().out
    assert "fall" not in caplog.text


@pytest.mark.parametrize("assignment", ["hard", "stochastic"])
@pytest.mark.parametrize("option", [{"accelerate": "squarem"}, {"annealing": 0.5}], ids=["accelerate", "annealing"])
def test_what_is_for_soft_assignments_is_refused_elsewhere(x, assignment, option):
    ((name, value),) = option.items()
    gm = GaussianMixture(2).fit(x)
    before = gm.means_
    words = f"^The '{name}' parameter of GaussianMixture must be None where assignment='{assignment}': it is for soft "
    with pytest.raises(InvalidParameterError, match=f"{words}assignments. Got {value!r} instead.$"):
        gm.set_params(assignment=assignment, **option).fit(x)
    assert gm.means_ is before


def test_a_fit_may_be_annealed_and_accelerated(x):
    gm = fit(x, annealing=0.7, accelerate="squarem", tol=1e-7, max_iter=500)
    assert gm.converged_
    assert gm.lower_bound_ == pytest.approx(gm.score(x), abs=1e-6)
