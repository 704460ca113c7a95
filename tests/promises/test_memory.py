"""Memory above the data, and above what is asked for, does not grow with the number of rows."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.kernels import get_backend

STATUS = Path("/proc/self/status")
needs_the_peak = pytest.mark.skipif(
    not STATUS.exists() or "VmHWM" not in STATUS.read_text(), reason="the system does not say how much memory was used"
)
# A process that is started has inherited ``ru_maxrss`` from this one, which is larger than it will ever be.
PEAK = """
def peak():
    "The most memory that this process has had, in bytes."
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""
MEASURE = (
    PEAK
    + """
import sys, warnings
import numpy as np
from fastgmm import GaussianMixture

warnings.simplefilter("ignore")
family, n_rows, distance, megabytes_more = sys.argv[1], *map(int, sys.argv[2:])
rng = np.random.default_rng(0)
small = rng.standard_normal((20_000, 10)) + distance * rng.standard_normal((20, 10))[rng.integers(20, size=20_000)]
GaussianMixture(20, covariance_type=family, max_iter=2, random_state=0).fit(small)
data = np.empty((n_rows, 10))
for begin in range(0, n_rows, 20_000):
    data[begin : begin + 20_000] = small + begin / n_rows
more = lambda step: np.ones(megabytes_more * 2**17)
before = peak()
GaussianMixture(20, covariance_type=family, max_iter=6, tol=0.0, random_state=0, callbacks=[more]).fit(data)
print((peak() - before) / 2**20)
"""
)


def megabytes_of_a_fit(family: str, n_rows: int, distance: int, more: int = 0) -> float:
    """Of a process of its own; ``more`` are taken during the fit."""
    command = [sys.executable, "-c", MEASURE, family, str(n_rows), str(distance), str(more)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@needs_the_peak
@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("distance", [0, 20], ids=["overlapping", "apart"])
def test_a_fit_needs_little_memory_above_the_data(family, distance):
    """Half a million rows and 20 components: responsibilities alone would take 80 MB, a copy of the data 40.

    Of components that lie apart, the order of the rows takes four bytes each, which is 2 MB.
    """
    if distance and get_backend().bounded_sweep is None:
        pytest.skip("reorders no rows: what lies apart is treated like what overlaps")
    assert megabytes_of_a_fit(family, 500_000, distance) <= 16


@needs_the_peak
def test_what_a_fit_takes_besides_is_seen_however_large_the_process_that_measures():
    memory = np.ones(25 * 2**20)
    assert 40 <= megabytes_of_a_fit("spherical", 40_000, 0, more=40) <= 40 + 16
    del memory


SCORE = (
    PEAK
    + """
import sys
import numpy as np
from fastgmm import GaussianMixture

family, dtype, order = sys.argv[1:]
rng = np.random.default_rng(0)
small = rng.standard_normal((20_000, 10)).astype(dtype)
estimator = GaussianMixture(20, covariance_type=family, tol=1e9, random_state=0).fit(small)
for method in ("predict", "score_samples", "score"):
    getattr(estimator, method)(small)
data = np.empty((500_000, 10), dtype, order=order)
for begin in range(0, len(data), len(small)):
    data[begin : begin + len(small)] = small
answers = []
for method in ("predict", "score_samples", "predict_proba", "score"):
    before = peak()
    answers.append(getattr(estimator, method)(data))
    print((peak() - before - getattr(answers[-1], "nbytes", data.itemsize * len(data))) / 2**20)
"""
)


@needs_the_peak
@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(("dtype", "order"), [("float64", "C"), ("float32", "F")])
def test_a_score_needs_little_memory_above_its_answer(family, dtype, order):
    """Of half a million rows a copy would take 20 or 40 MB, and responsibilities 40 or 80."""
    command = [sys.executable, "-c", SCORE, family, dtype, order]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    above = [float(line) for line in finished.stdout.split()]
    assert len(above) == 4
    assert max(above) <= 8, above


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
def test_a_batch_needs_little_memory_above_its_rows(family, rng):
    """Of 400,000 rows, of which a copy would take 12 MB, the first batch or a later one."""
    X, peaks = rng.normal(size=(400_000, 4)), []
    mixture = GaussianMixture(2, covariance_type=family, random_state=0)
    GaussianMixture(2, covariance_type=family, random_state=0).partial_fit(X[:5_000])
    for _ in range(2):
        tracemalloc.start()
        mixture.partial_fit(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] <= 8 * 2**20
    assert peaks[1] <= 2**20


@pytest.mark.parametrize("family", ["full", "diag"])
def test_rows_with_holes_take_tens_of_bytes_each(family, rng):
    """Their order, by what they lack, and what it is found with."""
    X = rng.normal(size=(400_000, 4))
    X[np.arange(len(X)), rng.integers(4, size=len(X))] = np.nan
    mixture = GaussianMixture(2, covariance_type=family, tol=1e9, random_state=0).fit(X[:5_000])

    def bytes_of_a_row(call):
        tracemalloc.start()
        answer = call(X)
        peak = tracemalloc.get_traced_memory()[1] - getattr(answer, "nbytes", 0)
        tracemalloc.stop()
        return peak / len(X)

    scores = mixture.predict, mixture.score_samples, mixture.predict_proba
    assert max(bytes_of_a_row(call) for call in (*scores, mixture.fit)) <= 43  # whatever else is needed among them
