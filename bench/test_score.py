"""Scoring of many rows under pytest-benchmark."""

import pytest

from bench.problems import SMALL, generate
from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate


@pytest.mark.parametrize("wanted", ["log_density", "labels", "responsibilities"])
@pytest.mark.parametrize("problem", SMALL, ids=lambda problem: problem.name)
def test_score(benchmark, problem, wanted):
    data, start = generate(problem)
    prepared = FAMILIES[problem.covariance_type].prepare(start, data.dtype)
    scores = benchmark(evaluate, Rows(data), prepared, get_backend(), resolve_n_threads(None), wanted)
    assert len(scores) == problem.n_rows
