"""Factor analyzers beside full covariances of as many features: ``python -m bench.factor``.

What an iteration takes of rows of which every component stretches along ten directions, sweep and M-step apart, in
turns of one process, and of ``--rounds`` the quickest. The memory is what an iteration allocates beside rows and model.
``--families factor`` leaves out full, which takes minutes.
"""

import argparse
import time
import tracemalloc
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


def megabytes_of(loop: Loop) -> float:
    """By how much an iteration raises what Python and NumPy have allocated, scratch of C included."""
    tracemalloc.start()
    loop.iteration()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


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
    given = parser.parse_args()
    problem = Problem(given.rows, given.features, given.components, given.rank)
    n_threads = resolve_n_threads(given.threads)
    rows = problem.rows()
    loops = {family: loop_of(family, problem, rows, given.backend, n_threads) for family in given.families}
    best: dict[str, tuple[float, float]] = {}
    for _ in range(given.rounds):
        for family, loop in loops.items():
            seconds = loop.iteration()
            best[family] = min(best.get(family, (np.inf, np.inf)), seconds, key=sum)
    print(f"{given.rows:,} x {given.features}, {given.components} components, {given.backend}, {n_threads} threads")
    for family, (sweep, step) in best.items():
        times = (sum(best["full"]) / (sweep + step)) if "full" in best else np.nan
        memory = megabytes_of(loops[family])
        print(f"{family:8} sweep {sweep:7.3f} s, M-step {step:6.3f} s, {times:5.1f} x full; {memory:6.0f} MB")


if __name__ == "__main__":
    main()
