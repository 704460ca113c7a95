"""Memory above the data does not grow with the number of rows."""

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys, warnings
import numpy as np
from fastgmm import GaussianMixture

warnings.simplefilter("ignore")
family, n_rows = sys.argv[1], int(sys.argv[2])
small = np.random.default_rng(0).standard_normal((20_000, 10))
GaussianMixture(20, covariance_type=family, max_iter=2, random_state=0).fit(small)
data = np.empty((n_rows, 10))
for begin in range(0, n_rows, 20_000):
    data[begin : begin + 20_000] = small + begin / n_rows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
GaussianMixture(20, covariance_type=family, max_iter=3, random_state=0).fit(data)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
def test_a_fit_needs_little_memory_above_the_data(family):
    """Two million rows and 20 components: responsibilities alone would take 320 MB, a copy of the data 160."""
    command = [sys.executable, "-c", MEASURE, family, "2000000"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(finished.stdout) <= 64
