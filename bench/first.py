"""What a fresh process waits for: ``python -m bench.first``. Every figure is the median of several processes."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

import fastgmm
from bench.processes import environment

PROCESSES = 7
IMPORT = """
import time
import numpy
began = time.perf_counter()
import fastgmm
print(time.perf_counter() - began)
"""
FIRST_FIT = """
import time
began = time.perf_counter()
from {module} import GaussianMixture
import numpy as np
imported = time.perf_counter()
rng = np.random.default_rng(0)
data = rng.normal(size=(10_000, 4)) + 5.0 * np.eye(4)[rng.integers(3, size=10_000)]
ready = time.perf_counter()
GaussianMixture(3, random_state=0).fit(data)
print(time.perf_counter() - ready + imported - began)
"""
FIRST_SCORE = """
import time
import fastgmm, numpy as np
row = np.zeros((1, 8))
model = fastgmm.load({path!r})
began = time.perf_counter()
model.score_samples(row)
print(time.perf_counter() - began)
"""
START_TO_SCORE = """
import time
began = time.perf_counter()
import fastgmm
model = fastgmm.load({path!r})
model.score_samples([[0.0] * 8])
print(time.perf_counter() - began)
"""


def milliseconds(script: str) -> float:
    runs = [
        subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
        for _ in range(1 + PROCESSES)
    ]
    return 1e3 * median(float(run.stdout) for run in runs[1:])  # the first one may have written bytecode


def main() -> None:
    print(f"import fastgmm, above import numpy: {milliseconds(IMPORT):.0f} ms")
    for name, module in (("fastgmm", "fastgmm"), ("scikit-learn", "sklearn.mixture")):
        print(
            f"{name}: import and first fit, 10,000 x 4, K = 3: {milliseconds(FIRST_FIT.format(module=module)):.0f} ms"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.npz"))
        data = np.random.default_rng(0).normal(size=(1000, 8))
        fastgmm.GaussianMixture(8, random_state=0, tol=0.1).fit(data).save(path)
        print(f"first score of a loaded model, K = 8: {milliseconds(FIRST_SCORE.format(path=path)):.2f} ms")
        print(f"import, load and first score: {milliseconds(START_TO_SCORE.format(path=path)):.0f} ms")


main()
