"""The short set of figures that ``ci/benchmark.sh`` watches, each on one thread and in CPU seconds.

Threads that wait for each other on a shared machine cost several times what a regression does; a single thread's CPU
time hardly notices its neighbors.
"""

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.gate_rule import Limit, Reading
from bench.problems import Problem, generate
from bench.processes import environment
from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.kernels import available_backends, get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate, make_sweep

Job = Callable[[], Any]
ROUNDS = 7
# A round repeats what is shorter than this.
SHORTEST_ROUND = 0.02
MATRIX = 1024

SWEEPS = (
    Problem("full", 100_000, 2, 10),
    Problem("full", 100_000, 8, 16),
    Problem("full", 40_000, 16, 32),
    Problem("full", 12_000, 32, 32),
    Problem("full", 4_000, 64, 32),
    Problem("full", 2_000, 128, 16),
    Problem("full", 10_000, 16, 128),
    Problem("diag", 50_000, 16, 32),
    Problem("tied", 50_000, 16, 32),
    Problem("spherical", 50_000, 16, 32),
    Problem("full", 12_000, 32, 32, "float32"),
    Problem("diag", 50_000, 16, 32, "float32"),
)
FIRST_FIT = """
import numpy as np
from fastgmm import GaussianMixture
rng = np.random.default_rng(0)
GaussianMixture(3, random_state=0).fit(rng.normal(size=(1000, 4)) + 5.0 * np.eye(4)[rng.integers(3, size=1000)])
"""
FITTED = Problem("full", 50_000, 8, 16)
# Its answers stay in a core's own cache: the speed of memory, which is not the yardstick's, changes with the neighbors.
SCORED = Problem("full", 5_000, 8, 16)


@dataclass(frozen=True)
class Figure:
    """Something to watch: ``make`` prepares it and returns what is timed."""

    limit: Limit
    yardstick: str
    make: Callable[[], Job]


def _sweep(problem: Problem, backend: str) -> Job:
    data, start = generate(problem)
    family = FAMILIES[problem.covariance_type]
    sweep = make_sweep(Facts(Rows(data)), family, get_backend(backend), 1)
    return partial(sweep.moments, family.prepare(start, data.dtype))


def _score(wanted: Any, backend: str) -> Job:
    data, start = generate(SCORED)
    prepared = FAMILIES[SCORED.covariance_type].prepare(start, data.dtype)
    return partial(evaluate, Rows(data), prepared, get_backend(backend), 1, wanted)


def _fit(init_params: str, max_iter: int) -> Job:
    """A start, and so many iterations; none is the start alone."""
    data, _ = generate(FITTED)
    estimator = GaussianMixture(
        FITTED.n_components, init_params=init_params, max_iter=max_iter, tol=0.0, random_state=0, n_threads=1
    )

    def fit() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge
            estimator.fit(data)

    return fit


def _single_row() -> Job:
    data, _ = generate(Problem("full", 10_000, 8, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(8, max_iter=3, random_state=0).fit(data)
    row = data[:1].copy()

    def thousand_times() -> None:
        for _ in range(1000):
            model.score_samples(row)

    return thousand_times


def _first_fit() -> Job:
    """A fresh process that imports fastgmm and fits a little: what has to be loaded counts, compilers among it."""
    return _process(FIRST_FIT)


def _imports() -> Job:
    """A fresh process that imports NumPy: reads files, unpacks code, and is given its pages of memory, as a first fit.

    Machines take up to a third longer for these while they calculate no slower.
    """
    return _process("import numpy")


def _process(code: str) -> Job:
    one_thread = {"FASTGMM_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return partial(subprocess.run, [sys.executable, "-c", code], env=environment() | one_thread, check=True)


def _python() -> Job:
    """Calls, attributes and small tuples: what a single row waits for."""

    def once(value: int) -> tuple[int, int]:
        return value, value.bit_length()

    def many_times() -> None:
        for value in range(100_000):
            once(value)

    return many_times


def _product(dtype: str) -> Job:
    matrix = np.random.default_rng(0).standard_normal((MATRIX, MATRIX)).astype(dtype)
    return lambda: matrix @ matrix


YARDSTICKS: dict[str, Callable[[], Job]] = {
    "dgemm": partial(_product, "float64"),
    "sgemm": partial(_product, "float32"),
    "python": _python,
    "imports": _imports,
}


def all_figures() -> tuple[Figure, ...]:
    """Those of the backends that are here."""
    states = available_backends()
    found = []
    for backend in ("c", "numba"):
        if states[backend] != "available":
            continue
        for problem in SWEEPS:
            yardstick = "sgemm" if problem.dtype == "float32" else "dgemm"
            limit = Limit(f"sweep-{problem.name}-{backend}", least_seconds=5e-4)
            found.append(Figure(limit, yardstick, partial(_sweep, problem, backend)))
        for wanted in ("log_density", "responsibilities"):
            limit = Limit(f"{wanted}-{SCORED.name}-{backend}", least_seconds=8e-5)
            found.append(Figure(limit, "dgemm", partial(_score, wanted, backend)))
    found.append(Figure(Limit(f"start-{FITTED.name}", 1e-3), "dgemm", partial(_fit, "kmeans", 0)))
    found.append(Figure(Limit(f"fit-{FITTED.name}", 2e-3), "dgemm", partial(_fit, "kmeans", 10)))
    found.append(Figure(Limit(f"default-start-{FITTED.name}", 2e-3), "dgemm", partial(_fit, "auto", 0)))
    found.append(Figure(Limit("thousand-single-rows", 1e-3), "python", _single_row))
    found.append(Figure(Limit("first-fit-of-a-process", 0.05), "imports", _first_fit))
    return tuple(found)


def measure(figure: Figure) -> Reading:
    """The best of several rounds, each with the yardstick beside the figure."""
    job, yardstick = figure.make(), YARDSTICKS[figure.yardstick]()
    job()  # compiles, touches the memory, and loads the libraries that the limit must reach
    yardstick()
    with threadpool_limits(1):
        repeats = max(1, round(SHORTEST_ROUND / max(_cpu_seconds(job, 1), 1e-6)))
        rounds = [Reading(_cpu_seconds(job, repeats), _cpu_seconds(yardstick, 1)) for _ in range(ROUNDS)]
    return Reading(min(each.seconds for each in rounds), min(each.yardstick for each in rounds))


def _cpu_seconds(job: Job, repeats: int) -> float:
    began = _cpu_clock()
    for _ in range(repeats):
        job()
    return (_cpu_clock() - began) / repeats


def _cpu_clock() -> float:
    """CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
