"""Scoring of many rows under pytest-benchmark."""

import pytest

from bench.problems import SMALL, generate
from fastgmm.covariance import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import Rows
from fastgmm.sweep import evaluate
from fastgmm.threads import resolve_n_threads


@pytest.mark.parametrize("wanted", ["log_density", "labels", "responsibilities"])
@pytest.mark.parametrize("problem", SMALL, ids=lambda problem: problem.name)
def test_score(benchmark, problem, wanted):
    data, start = generate(problem)
    prepared = FAMILIES[problem.covariance_type].prepare(start, data.dtype)
    scores = benchmark(evaluate, Rows(data), prepared, get_backend(), resolve_n_threads(None), wanted)
    assert len(scores) == problem.n_rows
