"""Factor analyzers beside full covariances of as many features: ``python -m bench.factor``.

What an iteration takes of rows of which every component stretches along ten directions, sweep and M-step apart, in
turns of one process, and of ``--rounds`` the quickest. The memory is what a fit, or so many iterations, adds to that of
the rows, of a process of its own. ``--families factor`` leaves out full, which takes minutes.
"""

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.update import Likelihood
from fastgmm.kernels import get_backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import FloatArray, Model, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory, make_sweep

DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class Problem:
    """Clusters that stretch along ``rank`` directions each, with unit noise."""

    n_rows: int
    n_features: int
    n_components: int
    rank: int

    def parameters(self) -> Parameters:
        rng = np.random.default_rng(0)
        shape = self.n_components, self.n_features
        loadings, means = rng.normal(size=(*shape, self.rank)), rng.normal(size=shape)
        covariances = np.concatenate([loadings, np.ones((*shape, 1))], axis=2)
        return Parameters(f"factor({self.rank})", np.full(shape[0], 1.0 / shape[0]), means, covariances)

    def rows(self) -> FloatArray:
        own, rng = self.parameters(), np.random.default_rng(1)
        rows, labels = (
            rng.normal(size=(self.n_rows, self.n_features)),
            rng.integers(self.n_components, size=self.n_rows),
        )
        for k in range(self.n_components):
            members = np.flatnonzero(labels == k)
            factors = rng.normal(size=(len(members), self.rank))
            rows[members] += own.means[k] + factors @ own.covariances[k, :, :-1].T
        return rows


@dataclass(eq=False)
class Loop:
    """A model, and the sweep that it asks for its moments."""

    update: Likelihood
    sweep: InMemory
    model: Model

    def iteration(self) -> tuple[float, float]:
        """Seconds of a sweep and of an M-step."""
        began = time.perf_counter()
        (moments,) = self.sweep([self.model])
        swept = time.perf_counter()
        self.model = self.update.prepare(self.update.maximize(moments, self.model))
        return swept - began, time.perf_counter() - swept


def loop_of(family: str, problem: Problem, rows: FloatArray, backend: str, n_threads: int) -> Loop:
    own = problem.parameters()
    if family == "full":
        matrices = FAMILIES[own.covariance_type].matrices(own.covariances, *own.means.shape)
        own = Parameters("full", own.weights, own.means, matrices)
    update = Likelihood(FAMILIES[own.covariance_type], np.full(problem.n_features, 1e-6), DOUBLE)
    sweep = make_sweep(Facts(Rows(rows)), update.family, get_backend(backend), n_threads)
    return Loop(update, sweep, update.prepare(own))


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_memory(family: str, problem: Problem, backend: str, n_threads: int) -> None:
    """Print by how much two iterations raise the peak of this process."""
    rows = problem.rows()
    before = peak_bytes()
    loop = loop_of(family, problem, rows, backend, n_threads)
    for _ in range(2):
        loop.iteration()
    print((peak_bytes() - before) / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.factor", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--backend", default="c", choices=("c", "numba", "numpy"))
    parser.add_argument("--families", nargs="+", default=["factor", "full"], choices=("factor", "full"))
    parser.add_argument("--memory-of", choices=("factor", "full"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    problem = Problem(given.rows, given.features, given.components, given.rank)
    n_threads = resolve_n_threads(given.threads)
    if given.memory_of:
        measure_memory(given.memory_of, problem, given.backend, n_threads)
        return
    rows = problem.rows()
    loops = {family: loop_of(family, problem, rows, given.backend, n_threads) for family in given.families}
    best: dict[str, tuple[float, float]] = {}
    for _ in range(given.rounds):
        for family, loop in loops.items():
            seconds = loop.iteration()
            best[family] = min(best.get(family, (np.inf, np.inf)), seconds, key=sum)
    print(f"{given.rows:,} x {given.features}, {given.components} components, {given.backend}, {n_threads} threads")
    for family, (sweep, step) in best.items():
        command = [sys.executable, "-m", "bench.factor", *sys.argv[1:], "--memory-of", family]
        memory = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        times = (sum(best["full"]) / (sweep + step)) if "full" in best else np.nan
        print(f"{family:8} sweep {sweep:7.3f} s, M-step {step:6.3f} s, {times:5.1f} x full; {memory:6.0f} MB")


if __name__ == "__main__":
    main()
