"""Sweeps under pytest-benchmark: ``python -m pytest bench --benchmark-only``."""

import pytest

from bench.problems import FULL, OTHERS, Problem, generate
from fastgmm.covariance import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import Rows
from fastgmm.sweep import evaluate, make_sweep
from fastgmm.threads import resolve_n_threads

QUICK = [Problem(p.covariance_type, p.n_rows // 10, p.n_features, p.n_components) for p in (*FULL, *OTHERS)]


@pytest.mark.parametrize("problem", QUICK, ids=lambda problem: problem.name)
def test_sweep(benchmark, problem):
    data, start = generate(problem)
    family = FAMILIES[problem.covariance_type]
    sweep = make_sweep(Rows(data), family, get_backend(), resolve_n_threads(None))
    prepared = family.prepare(start, data.dtype)
    moments = benchmark(sweep, prepared)
    assert moments.total_weight == pytest.approx(problem.n_rows)


@pytest.mark.parametrize("problem", QUICK, ids=lambda problem: problem.name)
def test_log_density(benchmark, problem):
    data, start = generate(problem)
    prepared = FAMILIES[problem.covariance_type].prepare(start, data.dtype)
    rows, backend, n_threads = Rows(data), get_backend(), resolve_n_threads(None)
    densities = benchmark(evaluate, rows, prepared, backend, n_threads, "log_density")
    assert densities.shape == (problem.n_rows,)
