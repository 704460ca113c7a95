"""An EM iteration with and without bounds, by the number of components and how far they are apart.

Taught: with bounds the time hardly grows with K while components are apart, and rows that lie about in memory are then
most of it; a component must be evaluated to its end when its bound has failed, or an abandoned sum's weak bound lets it
in again in every sweep.
"""

import time

import numpy as np

from bench.problems import Problem, generate
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.maximize import maximize
from fastgmm.kernels import get_backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import InMemory, make_sweep

SWEEPS = 9
N_COMPONENTS = (32, 128, 512)


def iterations(sweep: InMemory | BoundedSweep, start: Parameters, dtype: np.dtype) -> tuple[float, Parameters]:
    """Seconds of the quickest late iteration, M-step and all, and where they end."""
    parameters, shortest = start, np.inf
    for number in range(SWEEPS):
        prepared = sweep.family.prepare(parameters, dtype)
        began = time.perf_counter()
        moments = sweep.moments(prepared)
        parameters = maximize(sweep.family, moments, np.zeros(prepared.means.shape[1]))
        if number >= SWEEPS // 2:
            shortest = min(shortest, time.perf_counter() - began)
    return shortest, parameters


def main() -> None:
    backends = [get_backend(name) for name in ("c", "numba")]
    for separation in ("separated", "overlapping"):
        for n_components in N_COMPONENTS[: 3 if separation == "separated" else 1]:
            problem = Problem("full", 500_000, 16, n_components, separation=separation)
            data, start = generate(problem)
            for backend in backends:
                sweep = make_sweep(
                    Facts(Rows(data)), FAMILIES[problem.covariance_type], backend, resolve_n_threads(None)
                )
                iterations(BoundedSweep(sweep), start, data.dtype)
                without, true = iterations(sweep, start, data.dtype)
                bounded, ours = iterations(BoundedSweep(sweep), start, data.dtype)
                assert np.allclose(ours.means, true.means, rtol=1e-9, atol=1e-9)
                print(
                    f"{problem.name}, {backend.name}: {1e3 * without:.0f} ms without, {1e3 * bounded:.0f} ms with "
                    f"bounds, {without / bounded:.2f} times as fast",
                    flush=True,
                )


main()
