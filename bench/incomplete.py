"""Rows with missing values beside complete ones: ``python -m bench.incomplete``.

A sweep over rows with holes in so many times that of the same rows without; the peak memory of a fit and of ``impute``;
and how long a row with a hole takes to score. Ratios are of processor time on one thread, each of two sweeps that took
turns in one process, the best turn of either. ``--parts sweeps memory latency``, ``--backends c numba numpy``,
``--separations overlapping separated`` and ``--share 0.2`` (of the rows) choose a part.
"""

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench.latency import durations, percentiles
from bench.problems import Problem, generate
from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, FOUR
from fastgmm.kernels import get_backend
from fastgmm.parameters import Array, BoolArray
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import suited_to_missing

PARTS = ("sweeps", "memory", "latency")
SECONDS_OF_A_RATIO = 3.0
LEAST_ROUNDS = 3
# NumPy's kernels work pattern by pattern, some hundred microseconds for each.
MOST_ROWS_OF_NUMPY = 2000


@dataclass(frozen=True)
class Case:
    """Which values of a problem are missing, and how many times a complete sweep one of them may take.

    ``n_patterns`` is 0 where every row has a pattern of its own.
    """

    problem: Problem
    share_missing: float
    most_times: float
    n_patterns: int = 0
    share_incomplete: float = 1.0

    @property
    def name(self) -> str:
        patterns = f"{self.n_patterns} patterns" if self.n_patterns else "each its own pattern"
        return f"{self.problem.name}, {self.share_incomplete:.0%} of rows, {patterns}, {self.share_missing:.0%} missing"

    def of(self, separation: str, n_rows: int) -> "Case":
        """The same of other rows; patterns that are many stay as large."""
        problem = replace(self.problem, separation=separation, n_rows=n_rows)
        n_patterns = self.n_patterns if self.n_patterns <= 20 else self.n_patterns * n_rows // self.problem.n_rows
        return replace(self, problem=problem, n_patterns=n_patterns)

    def holes(self, seed: int = 1) -> BoolArray:
        """(n, d): which values are missing; every row with holes keeps a value."""
        rng = np.random.default_rng(seed)
        shape = self.problem.n_rows, self.problem.n_features
        patterns = rng.uniform(size=(self.n_patterns or shape[0], shape[1])) < self.share_missing
        patterns[patterns.all(axis=1), 0] = False
        patterns[~patterns.any(axis=1), -1] = True
        missing = patterns[rng.integers(len(patterns), size=shape[0])] if self.n_patterns else patterns
        missing[rng.uniform(size=shape[0]) >= self.share_incomplete] = False
        return missing


LARGE = Problem("full", 500_000, 16, 32)
CASES = (
    Case(LARGE, 0.2, 1.25, n_patterns=20, share_incomplete=0.3),
    Case(LARGE, 0.2, 2.0, n_patterns=LARGE.n_rows // 100, share_incomplete=0.3),
    Case(Problem("full", 100_000, 16, 32), 0.2, 5.0),
    Case(Problem("full", 100_000, 32, 32), 0.2, 8.0),
    Case(Problem("full", 100_000, 64, 32), 0.2, 12.0),
    Case(Problem("full", 100_000, 32, 32), 0.5, 14.0),
    Case(Problem("tied", 100_000, 16, 32), 0.2, 4.0),
    Case(Problem("tied", 100_000, 32, 32), 0.2, 4.0),
    Case(Problem("diag", 100_000, 16, 32), 0.2, 2.0),
    Case(Problem("spherical", 100_000, 16, 32), 0.2, 2.0),
)


def best_in_turns(functions: tuple[Callable[[], object], ...]) -> list[float]:
    """The least processor time of each, in rounds in which each has its turn, for some seconds in all."""
    times: list[list[float]] = [[] for _ in functions]
    until = time.perf_counter() + SECONDS_OF_A_RATIO
    while len(times[0]) < LEAST_ROUNDS or time.perf_counter() < until:
        for found, function in zip(times, functions, strict=True):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
    return [min(found) for found in times]


def sweep_seconds(case: Case, backend_name: str) -> list[float]:
    """Of a sweep over the complete rows, and of one over those with holes."""
    data, start = generate(case.problem)
    family, backend = FAMILIES[start.covariance_type], get_backend(backend_name)
    model = family.model_of(start, data.dtype)
    gaps = np.where(case.holes(), np.nan, data)
    complete = suited_to_missing(Facts(Rows(data)), family, backend, 1)
    incomplete = suited_to_missing(Facts(Rows(gaps, has_missing=True)), family, backend, 1)
    complete([model]), incomplete([model])
    return best_in_turns((lambda: complete([model]), lambda: incomplete([model])))


def show_sweeps(backends: list[str], separations: list[str], share: float) -> None:
    for backend, case, separation in itertools.product(backends, CASES, separations):
        most_rows = MOST_ROWS_OF_NUMPY if backend == "numpy" else case.problem.n_rows
        some = case.of(separation, min(most_rows, int(case.problem.n_rows * share)))
        whole, gaps = sweep_seconds(some, backend)
        n_rows, verdict = some.problem.n_rows, "" if gaps <= case.most_times * whole else " *"
        print(
            f"{backend:5} {some.name}: {gaps / whole:5.2f} times a complete sweep, at most {case.most_times:g}"
            f"{verdict}; {1e9 * gaps / n_rows:.0f} ns a row",
            flush=True,
        )


MEASURE = """
import resource, warnings
import numpy as np
from fastgmm import GaussianMixture

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def rows(n):
    data = np.empty((n, 16))
    for begin in range(0, n, 20_000):
        part = data[begin : begin + 20_000]
        part[:] = rng.standard_normal(part.shape) + rng.integers(-3, 4, (len(part), 1))
        missing = rng.uniform(size=part.shape) < 0.2
        missing[~missing.any(axis=1), 0] = True
        missing[missing.all(axis=1), 1] = False
        part[missing] = np.nan
    return data

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
model = GaussianMixture({n_components}, covariance_type={family!r}, max_iter=3, tol=0.0, random_state=0)
small = rows(20_000)
model.fit(small).impute(small)
data = rows({n_rows})
before = peak()
model.fit(data)
fitted = peak()
model.impute(data)
print(fitted - before, peak() - fitted)
"""


def show_memory(share: float, n_components: int = 16) -> None:
    """Peaks above that of a process that holds the data and has made a small fit before."""
    n_rows = int(1_000_000 * share)
    for family in FOUR:
        program = MEASURE.format(family=family, n_rows=n_rows, n_components=n_components)
        finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        fit, impute = (int(number) / 1024 for number in finished.stdout.split())
        print(
            f"{family}, {n_rows:,} x 16 in {n_rows:,} patterns: fit {fit:.0f} MiB above the data, at most "
            f"{(16e6 + 24 * n_rows) / 2**20:.0f}; impute {impute:.0f} more, at most {128 * n_rows / 2**20 + 8:.0f}",
            flush=True,
        )


def show_latency(backends: list[str], calls: int = 20_000) -> None:
    """One row of eight features, without and with a hole."""
    data: Array
    data, start = generate(Problem("full", 1000, 8, 8))
    for backend in backends:
        model = GaussianMixture.from_parameters(start.weights, start.means, start.covariances, backend=backend)
        for name, n_missing in (("complete row", 0), ("row with a hole", 1), ("row with four", 4)):
            row = data[:1].copy()
            row[0, 2 : 2 + n_missing] = np.nan
            print(f"{backend:5} score_samples of a {name}: {percentiles(durations(model.score_samples, row, calls))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--backends", nargs="+", default=["c"], choices=["c", "numba", "numpy"])
    parser.add_argument("--separations", nargs="+", default=["overlapping", "separated"])
    parser.add_argument("--share", type=float, default=1.0, help="of the rows")
    choice = parser.parse_args()
    if "sweeps" in choice.parts:
        show_sweeps(choice.backends, choice.separations, choice.share)
    if "memory" in choice.parts:
        show_memory(choice.share)
    if "latency" in choice.parts:
        show_latency(choice.backends)


if __name__ == "__main__":
    main()
