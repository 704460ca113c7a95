"""The optima that another system, R's mclust, finds on iris: 2·log-likelihood − (free parameters)·log n.

Its three-component optimum has the log-likelihood −180.186. Higher ones are spikes, components on a few points or a
plane; some starts end in lower ones.
"""

import contextlib

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError

datasets = pytest.importorskip("sklearn.datasets")


@pytest.mark.parametrize(
    ("covariance_type", "n_components", "criterion", "digits"),
    [
        ("full", 1, -829.9782, 4),
        ("full", 2, -574.0178, 4),
        ("full", 3, -580.84, 2),
        ("tied", 2, -688.0972, 4),
        ("diag", 2, -857.5515, 4),
        ("spherical", 2, -1012.2352, 4),
    ],
    ids=["VVV-1", "VVV-2", "VVV-3", "EEE-2", "VVI-2", "VII-2"],
)
def test_iris_has_the_optimum_that_mclust_finds(
    covariance_type: str, n_components: int, criterion: float, digits: int
) -> None:
    iris = datasets.load_iris().data
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        reg_covar=0.0,
        tol=1e-10,
        max_iter=2000,
        n_init=10,
        random_state=0,
    )
    assert -mixture.fit(iris).bic(iris) == pytest.approx(criterion, abs=0.5 * 10**-digits)
    assert mixture.converged_
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)


def log_likelihoods(init_params: str, n_init: int, n_seeds: int, reg_covar: float | str) -> list[float]:
    """Of fits to iris whose model does not say that it has a degenerate component."""
    iris, found = datasets.load_iris().data, []
    options = {"n_init": n_init, "init_params": init_params, "reg_covar": reg_covar, "tol": 1e-8, "max_iter": 3000}
    for seed in range(n_seeds):
        with contextlib.suppress(DegenerateComponentError):
            mixture = GaussianMixture(3, random_state=seed, **options).fit(iris)
            if not mixture.degenerate_components_:
                found.append(mixture.score(iris) * len(iris))
    return found


# Single starts that end in a spike: seeds 54 (a plane), 81 and 93 (few points) of rows drawn from the data.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
@pytest.mark.filterwarnings("ignore::fastgmm.errors.RegularizationWarning")
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, "relative"])
@pytest.mark.parametrize("n_init", [1, 10, 40])
@pytest.mark.parametrize("init_params", ["auto", "kmeans", "k-means++", "random", "random_from_data"])
def test_no_start_lets_a_spike_win_on_iris(init_params: str, n_init: int, reg_covar: float | str) -> None:
    n_seeds = {1: 100, 10: 3, 40: 1}[n_init]
    likelihoods = log_likelihoods(init_params, n_init, n_seeds, reg_covar)
    assert len(likelihoods) >= 0.8 * n_seeds
    assert max(likelihoods) <= -180.186 + 0.01
    if init_params in ("auto", "kmeans") or (n_init > 1 and init_params != "random"):
        assert min(likelihoods) >= -180.186 - 0.01
