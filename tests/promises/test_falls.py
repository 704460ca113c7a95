"""The lower bound never falls, but where regularization is felt; then it is said, and not taken for convergence."""

import logging

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning
from tests.conftest import BACKENDS

# Of the bound, or of 1 where it is smaller; rounding moves it less.
ROUNDING = {"float64": 1e-12, "float32": 1e-6}


def overlapping(seed=0, n_components=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(600, 3)) + 1.5 * rng.normal(size=(n_components, 3))[rng.integers(n_components, size=600)]


# More of it than of the data's own variance in some directions: what EM finds is worse than where it passed.
FALLING = np.random.default_rng(2).normal(size=(300, 2))
LARGE = {"reg_covar": 0.3, "random_state": 2, "max_iter": 400}
suspicious = pytest.mark.filterwarnings("ignore:reg_covar=0.3 is absolute")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, "relative"])
def test_a_bound_that_is_ordinary_never_falls(family, backend, dtype, reg_covar):
    options = {"covariance_type": family.name, "backend": backend, "reg_covar": reg_covar, "random_state": 0}
    mixture = GaussianMixture(4, **options, tol=1e-14, max_iter=150, callbacks=[stop_at(60)])
    bounds = np.array(mixture.fit(overlapping().astype(dtype)).lower_bounds_)
    assert len(bounds) > 20
    assert (np.diff(bounds) >= -ROUNDING[dtype] * np.maximum(1.0, np.abs(bounds[1:]))).all()
    assert not any(step.fell for step in mixture.history_)


def stop_at(iteration):
    def callback(step):
        if step.iteration == iteration:
            raise StopIteration

    return callback


@suspicious
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fall_is_marked_and_is_no_convergence_however_small(family, backend):
    mixture = GaussianMixture(4, covariance_type=family.name, backend=backend, **LARGE).fit(FALLING)
    falls = [step for step in mixture.history_ if step.fell]
    assert any(-mixture.tol < step.change for step in falls)
    assert not any(step.converged for step in falls)
    for step in mixture.history_:
        assert step.fell == (step.change < -1e-12 * max(1.0, abs(step.lower_bound)))
    assert mixture.converged_
    assert abs(mixture.history_[-1].change) < mixture.tol


@suspicious
def test_a_fit_that_ends_in_falling_warns_of_that():
    with pytest.warns(ConvergenceWarning, match="did not converge.* The likelihood was falling") as caught:
        GaussianMixture(4, **(LARGE | {"max_iter": 10})).fit(FALLING)
    assert caught[0].message.change < 0
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(4, max_iter=3, tol=0.0).fit(FALLING)
    assert "falling" not in str(caught[0].message)


@suspicious
def test_falls_are_logged(caplog):
    with caplog.at_level(logging.INFO, "fastgmm"):
        mixture = GaussianMixture(4, **LARGE).fit(FALLING)
    falls = [-step.change for step in mixture.history_ if step.fell]
    [record] = [record for record in caplog.records if "fall" in record.message]
    assert f"fall in {len(falls)} of {mixture.n_iter_} iterations, by up to {max(falls):.3g}" in record.message
    caplog.clear()
    with caplog.at_level(logging.INFO, "fastgmm"):
        GaussianMixture(2, random_state=0).fit(FALLING)
    assert not [record for record in caplog.records if "fall" in record.message]
