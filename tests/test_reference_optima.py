"""The optima that another system, R's mclust, finds on iris: 2·log-likelihood − (free parameters)·log n."""

import numpy as np
import pytest

from fastgmm import GaussianMixture

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
