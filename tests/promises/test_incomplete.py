"""What is promised of rows with holes: closed forms, and data whose likelihood has no bound."""

import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError
from tests.conftest import BACKENDS
from tests.problems import assert_close


def monotone(n_rows=400, n_features=2, seed=0, offset=0.0):
    """Correlated rows of which ever fewer have the next feature, the more seldom the larger the one before."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_rows, n_features)) @ (np.eye(n_features) + rng.normal(size=(n_features, n_features)))
    values += np.arange(n_features)
    for j in range(1, n_features):
        lacks = np.isnan(values[:, j - 1]) | (rng.random(n_rows) < np.where(values[:, 0] > 0, 0.5, 0.2))
        values[lacks, j] = np.nan
    return np.round(values * 2**20) / 2**20 + offset


def factored(values):
    """The maximum of the likelihood: every feature's regression on those before it, from the rows that have it.

    T. W. Anderson, "Maximum likelihood estimates for a multivariate normal distribution when some observations are
    missing", JASA 52 (1957).
    """
    mean, covariance = np.empty(0), np.empty((0, 0))
    for j in range(values.shape[1]):
        own = values[~np.isnan(values[:, j])]
        center = own[:, :j].mean(axis=0)
        slopes, *_ = np.linalg.lstsq(own[:, :j] - center, own[:, j] - own[:, j].mean())
        residual = np.square(own[:, j] - own[:, j].mean() - (own[:, :j] - center) @ slopes).mean()
        across = covariance @ slopes
        mean = np.append(mean, own[:, j].mean() + slopes @ (mean - center))
        covariance = np.block([[covariance, across[:, None]], [across[None, :], residual + slopes @ across]])
    return mean, covariance


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", ["full", "tied"])
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_of_monotone_holes_it_is_the_factored_likelihood(family, backend, accelerate):
    options = {"covariance_type": family, "backend": backend, "reg_covar": 0.0, "accelerate": accelerate}
    for n_features, offset in ((2, 0.0), (3, 0.0), (2, 1e8)):
        values = monotone(n_features=n_features)
        mean, covariance = factored(values)
        gm = GaussianMixture(tol=0.0, max_iter=150, **options).fit(values + offset)
        assert np.abs(gm.means_[0] - offset - mean).max() <= 1e-7
        assert np.abs(gm.covariances_.reshape(covariance.shape) - covariance).max() <= 1e-7


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("seed", range(3))
def test_a_likelihood_without_bound_ends_in_an_error_or_is_flagged(family, seed):
    """Eighty rows of one Gaussian in twelve features, a third of the values missing, and nothing added to variances."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(80, 12)) @ (np.eye(12) + 0.3 * rng.normal(size=(12, 12)))
    values[rng.random(values.shape) < 0.3] = np.nan
    pairs = [np.count_nonzero(~np.isnan(values[:, [i, j]]).any(axis=1)) for i in range(12) for j in range(i)]
    gm = GaussianMixture(covariance_type=family, reg_covar=0.0, tol=1e-12, max_iter=1000)
    failure = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gm.fit(values)
        except DegenerateComponentError as error:
            failure = error
    if failure is not None:
        assert failure.n_observed_pairs == min(pairs)
        return
    assert np.isfinite(gm.covariances_).all()
    matrices = gm.covariances_ if family in ("full", "tied") else np.eye(12)
    smallest = np.linalg.eigvalsh(matrices).min()
    assert smallest > 1e-3 or gm.degenerate_components_ == (0,)


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
def test_fifty_iterations_lead_to_the_same_model_in_every_backend(family, dtype):
    """With a fifth of the values missing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 5)) @ (np.eye(5) + 0.3 * rng.normal(size=(5, 5)))
    values += 3.0 * rng.normal(size=(3, 5))[rng.integers(3, size=500)]
    values[rng.random(values.shape) < 0.2] = np.nan
    options = {"covariance_type": family.name, "tol": 0.0, "max_iter": 50, "random_state": 0}
    one, *others = (GaussianMixture(3, backend=each, **options).fit(values.astype(dtype)) for each in BACKENDS)
    for other in others:
        for name in ("weights_", "means_", "covariances_"):
            assert_close(getattr(other, name), getattr(one, name), 1e-12 if dtype == "float64" else 1e-5)
        assert np.array_equal(one.predict(values), other.predict(values))
