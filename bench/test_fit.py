"""Starts and whole fits through the public class, under pytest-benchmark."""

import warnings

import pytest

from bench.problems import SMALL, Problem, generate
from fastgmm import GaussianMixture

FITTED = (Problem("full", 10_000, 4, 3), *SMALL[:3], *SMALL[-3:])


def quietly(estimator: GaussianMixture, data) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge
        return estimator.fit(data)


@pytest.mark.parametrize("init_params", ["auto", "kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("problem", FITTED[:3], ids=lambda problem: problem.name)
def test_start(benchmark, problem, init_params):
    data, _ = generate(problem)
    estimator = GaussianMixture(problem.n_components, init_params=init_params, max_iter=0, random_state=0)
    assert benchmark(quietly, estimator, data).n_iter_ == 0


@pytest.mark.parametrize("problem", FITTED, ids=lambda problem: problem.name)
def test_fit(benchmark, problem):
    data, _ = generate(problem)
    estimator = GaussianMixture(problem.n_components, covariance_type=problem.covariance_type, random_state=0)
    benchmark.extra_info["iterations"] = quietly(estimator, data).n_iter_
    fitted = benchmark.pedantic(quietly, (estimator, data), rounds=3)
    assert fitted.n_iter_ == benchmark.extra_info["iterations"]
