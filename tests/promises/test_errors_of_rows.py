"""Rows of known errors: accuracy beside sixty digits, optima that are known otherwise, and what is promised of fits."""

import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning
from tests.conftest import BACKENDS
from tests.problems import assert_close

mpmath = pytest.importorskip("mpmath")

from tests import many_digits, many_digits_of_errors  # noqa: E402
from tests.promises.test_accuracy import ERRORS, UNITS, draw_case, largest_error  # noqa: E402

CASES = [
    (family, condition, offset)
    for family in ("full", "tied", "diag", "spherical")
    for condition in (tuple(ERRORS)[1:] if family in ("full", "tied") else (1.0,))
    for offset in (0.0, 1e8)
]


def drawn_errors(kind, n_rows, d, seed=0):
    """From none at all to many times the variance of components, which are about 1."""
    rng = np.random.default_rng([11, seed, n_rows, d])
    sizes = np.where(rng.random((n_rows, d)) < 0.2, 0.0, 10.0 ** rng.uniform(-6, 3, (n_rows, d)))
    if kind == "variances":
        return sizes
    roots = rng.normal(size=(n_rows, d, d)) * np.sqrt(sizes)[:, :, np.newaxis]
    return roots @ np.swapaxes(roots, 1, 2)


def as_matrices(errors):
    return errors if errors.ndim == 3 else errors[:, :, np.newaxis] * np.eye(errors.shape[1])


@pytest.mark.parametrize("kind", ["variances", "matrices"])
@pytest.mark.parametrize(("family", "condition", "offset"), CASES)
def test_a_step_has_the_digits_that_the_condition_leaves(family, condition, offset, kind):
    weights, means, covariances, rows = draw_case(family, condition, offset, UNITS["one"])
    errors = drawn_errors(kind, *rows.shape)
    is_missing = np.random.default_rng(2).random(rows.shape) < 0.2
    is_missing[:, 0] &= ~is_missing.all(axis=1)
    rows = np.where(is_missing, np.nan, rows)
    of_model = family, weights, means, covariances, rows, as_matrices(errors)
    joint = many_digits_of_errors.joint_log_density(*of_model)
    step = many_digits_of_errors.em_step(*of_model, many_digits.responsibilities(joint))
    true = many_digits.log_density(joint)
    for backend in BACKENDS:
        model = GaussianMixture.from_parameters(weights, means, covariances, family).set_params(backend=backend)
        assert largest_error(model.score_samples(rows, errors=errors), true) <= ERRORS[condition]
        model.set_params(warm_start=True, max_iter=1, tol=0.0, reg_covar=0.0)
        with pytest.warns(ConvergenceWarning):
            model.fit(rows, errors=errors)
        found = model.weights_, model.means_, model.covariances_
        spacing = np.spacing(np.abs(model.means_).max())
        for actual, expected, more in zip(found, step, (0.0, spacing, 0.0), strict=True):
            assert largest_error(actual, expected) <= ERRORS[condition] + more


def measured(n_rows=400, d=2, seed=0, kind="matrices"):
    """Two groups, the covariance of both, and measurements with errors of their own."""
    rng = np.random.default_rng(seed)
    root = np.eye(d) + np.tril(rng.normal(size=(d, d)), -1) / d
    errors = np.clip(drawn_errors(kind, n_rows, d, seed), -4.0, 4.0) if kind == "variances" else None
    if errors is None:
        roots = rng.normal(size=(n_rows, d, d)) * rng.uniform(0.2, 1.0, (n_rows, 1, 1))
        errors = roots @ np.swapaxes(roots, 1, 2)
    true = 4.0 * rng.integers(2, size=n_rows)[:, np.newaxis] + rng.normal(size=(n_rows, d)) @ root.T
    noise = np.linalg.cholesky(as_matrices(errors) + 1e-12 * np.eye(d)) @ rng.normal(size=(n_rows, d, 1))
    return true + noise[:, :, 0], errors, true


def to_the_end(mixture, *what, **errors):
    mixture.set_params(tol=1e-13, max_iter=20_000, reg_covar=0.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(*what, **errors)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_equal_errors_leave_what_a_fit_without_them_finds_less_their_covariance(name):
    X, _, _ = measured(1500)
    S = np.array([[0.5, -0.2], [-0.2, 0.3]])
    ordinary = to_the_end(GaussianMixture(2, covariance_type=name), X)
    with_errors = to_the_end(GaussianMixture(2, covariance_type=name), X, errors=np.tile(S, (len(X), 1, 1)))
    assert with_errors.lower_bound_ == pytest.approx(ordinary.lower_bound_, abs=1e-11)
    assert_close(with_errors.weights_, ordinary.weights_, 1e-5)
    assert_close(with_errors.means_, ordinary.means_, 1e-5)
    assert_close(with_errors.covariances_ + S, ordinary.covariances_, 1e-5)


def test_meta_analysis_finds_the_optimum_of_a_numerical_maximization_and_of_sixty_digits():
    """y_i ~ N(μ, τ² + s_i), its smallest case."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(1)
    s = rng.uniform(0.1, 3.0, 40)
    y = 0.7 + 1.2 * rng.normal(size=40) + np.sqrt(s) * rng.normal(size=40)

    def cost(at):
        variances = np.exp(at[1]) + s
        return 0.5 * np.sum(np.log(2 * np.pi * variances) + (y - at[0]) ** 2 / variances)

    mixture = to_the_end(GaussianMixture(), y[:, np.newaxis], errors=s)
    best = optimize.minimize(cost, [0.0, 0.0], options={"gtol": 1e-9})
    found = float(mixture.means_[0, 0]), float(mixture.covariances_[0, 0, 0])
    assert found == pytest.approx((best.x[0], np.exp(best.x[1])), abs=1e-5)
    assert found == pytest.approx(tuple(map(float, many_digits_of_errors.univariate_optimum(y, s))), abs=1e-5)
    assert mixture.score(y[:, np.newaxis], errors=s) * 40 >= -best.fun - 1e-10


def test_where_errors_explain_all_of_the_spread_the_variance_goes_to_0_and_the_mean_is_that_of_inverse_variances():
    rng = np.random.default_rng(0)
    s = rng.uniform(0.5, 3.0, 60)
    y = np.sqrt(s) * rng.normal(size=60) * 0.5
    mixture = to_the_end(GaussianMixture(accelerate="squarem"), y[:, np.newaxis], errors=s)
    assert 0.0 < mixture.covariances_[0, 0, 0] < 1e-3
    assert mixture.means_[0, 0] == pytest.approx(np.average(y, weights=1 / s), abs=1e-3)
    assert mixture.degenerate_components_ == ()


@pytest.mark.parametrize("seed", range(100))
def test_the_objective_never_falls(seed):
    rng = np.random.default_rng(seed)
    d, n_components = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    name, kind = rng.choice(["full", "tied", "diag", "spherical", "EEI", "VEV", "EEV"]), "variances"
    kind = rng.choice(["variances", "matrices"])
    X, errors, _ = measured(150, d, seed, kind)
    if seed % 3 == 0:
        X = np.where((rng.random(X.shape) < 0.2) & (np.arange(d) > 0), np.nan, X)
    mixture = GaussianMixture(
        n_components, covariance_type=name, tol=0.0, max_iter=25, reg_covar=0.0, random_state=seed, backend="c"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bounds = np.array(mixture.fit(X, errors=errors).lower_bounds_)
    assert len(bounds) == 25
    assert (np.diff(bounds) >= -1e-12 * np.maximum(1.0, np.abs(bounds[1:]))).all()


def start_of(name, d):
    """All of it, since to find one Numba would compile more kernels."""
    precisions = {"full": np.tile(np.eye(d), (2, 1, 1)), "tied": np.eye(d), "diag": np.ones((2, d))}
    own = precisions.get(name, np.ones(2))
    return {"means_init": [[0.0] * d, [4.0] * d], "weights_init": [0.5, 0.5], "precisions_init": own}


@pytest.mark.filterwarnings("ignore::fastgmm.errors.ConvergenceWarning")
@pytest.mark.parametrize("backend", [name for name in ("c", "numba") if name in BACKENDS])
@pytest.mark.parametrize("name", ["full", "tied", "diag"])
def test_a_fit_has_the_same_bits_on_1_to_64_threads(backend, name):
    X, errors, _ = measured(66 * 1024, 2, kind="variances")

    def found(n_threads):
        mixture = GaussianMixture(2, covariance_type=name, backend=backend, n_threads=n_threads, **start_of(name, 2))
        mixture.set_params(tol=0.0, max_iter=2).fit(X, errors=errors)
        scores = mixture.score_samples(X[:5000], errors=errors[:5000])
        return [mixture.weights_, mixture.means_, mixture.covariances_, mixture.lower_bounds_, scores]

    alone = found(1)
    for n_threads in (2, 7, 64):
        assert all(np.array_equal(one, other) for one, other in zip(alone, found(n_threads), strict=True))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.ConvergenceWarning")
def test_backends_and_precisions_agree(family):
    X, errors, _ = measured(700, 3)
    X[::9, 1] = np.nan
    start = start_of(family.name, 3)
    fits = []
    # Numba compiles for each precision anew: its kernels' own tests have it in both.
    for backend, dtype in [*((name, "float64") for name in BACKENDS), ("numpy", "float32"), ("c", "float32")]:
        if backend not in BACKENDS:
            continue
        mixture = GaussianMixture(2, covariance_type=family.name, backend=backend, tol=0.0, max_iter=20, **start)
        x, e = X.astype(dtype), errors.astype(dtype)
        mixture.fit(x, errors=e)
        assert mixture.covariances_.dtype == np.float64
        assert mixture.score_samples(x, errors=e).dtype == dtype
        fits.append((mixture, 1e-10 if dtype == "float64" else 1e-4))
    for mixture, tolerance in fits[1:]:
        assert_close(mixture.means_, fits[0][0].means_, tolerance)
        assert_close(mixture.covariances_, fits[0][0].covariances_, tolerance)


def test_a_fit_of_many_rows_takes_no_memory_beyond_them():
    import tracemalloc

    X, errors, _ = measured(100_000, 3, kind="matrices")
    mixture = GaussianMixture(3, backend="c", n_threads=1, random_state=0, tol=0.0, max_iter=2)
    start = {"means_init": [[0.0] * 3, [4.0] * 3, [2.0] * 3], "weights_init": [0.3, 0.3, 0.4]}
    mixture.set_params(precisions_init=np.tile(np.eye(3), (3, 1, 1)), **start)
    tracemalloc.start()
    with pytest.warns(ConvergenceWarning):
        mixture.fit(X, errors=errors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Of 2.4 MB of rows and 7.2 MB of errors: pieces of a megabyte, and a bit for a row where one is looked at.
    assert peak < 6 * 2**20
