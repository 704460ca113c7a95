"""One row through the public class, validation included, under pytest-benchmark; percentiles: ``bench.latency``."""

import pytest

from bench.problems import Problem, generate
from fastgmm import GaussianMixture


@pytest.mark.parametrize("method", ["score_samples", "predict", "predict_proba"])
def test_single_row(benchmark, method):
    data, start = generate(Problem("full", 1_000, 8, 8))
    model = GaussianMixture.from_parameters(start.weights, start.means, start.covariances)
    row = data[:1].copy()
    assert len(benchmark(getattr(model, method), row)) == 1
