"""Peak memory of a fit above the data, kept beside the times of pytest-benchmark."""

import sys
from dataclasses import replace

import pytest

from bench.fits import MEMORY, peak_bytes_above_the_data


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units elsewhere")
def test_peak_memory(benchmark):
    problem = replace(MEMORY, n_rows=MEMORY.n_rows // 4)
    peak = benchmark.pedantic(peak_bytes_above_the_data, (problem,), rounds=1)
    benchmark.extra_info["peak_mebibytes"] = peak / 2**20
    assert peak < problem.n_rows * problem.n_components * 8, "as much as the responsibilities would take"
