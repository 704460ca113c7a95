"""Sweeps under pytest-benchmark: ``python -m pytest bench --benchmark-only``."""

import pytest

from bench.problems import SMALL, generate
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep


@pytest.mark.parametrize("backend", ["c", "numba"])
@pytest.mark.parametrize("problem", SMALL, ids=lambda problem: problem.name)
def test_sweep(benchmark, problem, backend):
    data, start = generate(problem)
    family = FAMILIES[problem.covariance_type]
    sweep = make_sweep(Facts(Rows(data)), family, get_backend(backend), resolve_n_threads(None))
    prepared = family.prepare(start, data.dtype)
    sweep.moments(prepared)  # compiles
    moments = benchmark(sweep.moments, prepared)
    assert moments.total_weight == pytest.approx(problem.n_rows)
