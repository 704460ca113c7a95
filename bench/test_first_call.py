"""What a fresh process waits for, under pytest-benchmark: imports, libraries and, where it is used, the compiler."""

import subprocess
import sys

import pytest

from bench.processes import environment

SCRIPTS = {
    "nothing": "",
    "numpy": "import numpy",
    "import": "import fastgmm",
    "fit": "import fastgmm, numpy; fastgmm.GaussianMixture(3, random_state=0).fit(numpy.random.rand(10_000, 4))",
    "score": "import fastgmm; fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]]).score([[0.0]])",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_first_call(benchmark, script):
    command = [sys.executable, "-c", SCRIPTS[script]]
    finished = benchmark.pedantic(
        subprocess.run, (command,), {"check": True, "env": environment()}, rounds=5, warmup_rounds=1
    )
    assert finished.returncode == 0
