"""Rows of known errors beside other programs: ``python -m bench.errors``.

Seconds of an iteration from the same start, of fastgmm and of what is installed of pygmmis (all CPUs) and astroML
(XDGMM), all with an error covariance of its own for every row; and how much of the log-likelihood a row the others'
parameters have after as many iterations. A run of some iterations less one of none, the best of several in turns.
Yardsticks of the same process are an iteration without errors, and the product of matrices. ``--rows 200000``,
``--features 3``, ``--components 10``, ``--iterations 2``, ``--rounds 3`` choose the problem.
"""

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.yardstick import gemm_flops_per_second
from fastgmm import GaussianMixture
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Array, FloatArray


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows, the covariances of their errors, and a start: weights, means and covariances of components."""

    X: FloatArray
    errors: FloatArray
    start: tuple[FloatArray, FloatArray, FloatArray]


# So many iterations: the parameters that they lead to.
Run = Callable[[Measured, int], tuple[Array, ...]]


def drawn(n_rows: int, d: int, n_components: int) -> Measured:
    """Components that overlap, and errors from a tenth to three times their size."""
    rng = np.random.default_rng(0)
    centers = 3.0 * rng.normal(size=(n_components, d))
    shears = np.eye(d) + np.tril(rng.normal(size=(n_components, d, d)), -1) / 2
    labels = rng.integers(n_components, size=n_rows)
    roots = rng.normal(size=(n_rows, d, d)) * np.geomspace(0.1, 3.0, n_rows)[rng.permutation(n_rows), None, None]
    errors = roots @ np.swapaxes(roots, 1, 2)
    true = centers[labels] + np.einsum("nij,nj->ni", shears[labels], rng.normal(size=(n_rows, d)))
    X = true + np.einsum("nij,nj->ni", roots, rng.normal(size=(n_rows, d)))
    weights = np.full(n_components, 1.0 / n_components)
    means = centers + 0.3 * rng.normal(size=centers.shape)
    return Measured(X, errors, (weights, means, np.tile(1.5 * np.eye(d), (n_components, 1, 1))))


def fastgmm_of(backend: str, with_errors: bool = True, covariance_type: str = "full") -> Run:
    def run(data: Measured, n_iterations: int) -> tuple[Array, ...]:
        weights, means, covariances = data.start
        model = GaussianMixture(len(weights), backend=backend, max_iter=n_iterations, tol=0.0, reg_covar=0.0)
        model.set_params(weights_init=weights, means_init=means, precisions_init=np.linalg.inv(covariances))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(data.X, errors=data.errors if with_errors else None)
        return model.weights_, model.means_, model.covariances_

    return run


def pygmmis(data: Measured, n_iterations: int) -> tuple[Array, ...]:
    import pygmmis as rival

    model = rival.GMM(K=len(data.start[0]), D=data.X.shape[1])
    model.amp[:], model.mean[:], model.covar[:] = data.start
    how = {"init_method": "none", "w": 0.0, "tol": 0.0, "miniter": n_iterations, "maxiter": n_iterations}
    rival.fit(model, data.X, covar=data.errors, **how)
    return model.amp.copy(), model.mean.copy(), model.covar.copy()


def xdgmm(data: Measured, n_iterations: int) -> tuple[Array, ...]:
    from astroML.density_estimation import XDGMM

    model = XDGMM(len(data.start[0]))
    model.alpha, model.mu, model.V = (array.copy() for array in data.start)
    for _ in range(n_iterations):
        model._EMstep(data.X, data.errors)
    return model.alpha, model.mu, model.V


def programs() -> dict[str, Run]:
    rivals = {"pygmmis": pygmmis, "astroML": xdgmm}
    found: dict[str, Any] = {f"fastgmm {name}": fastgmm_of(name) for name in ("c", "numba")}
    found["fastgmm c, without errors"] = fastgmm_of("c", with_errors=False)
    return found | {name: run for name, run in rivals.items() if importlib.util.find_spec(name) is not None}


def seconds_of(run: Run, data: Measured, n_iterations: int, rounds: int) -> tuple[float, tuple[Array, ...]]:
    """Of one iteration: what a run of ``1 + n_iterations`` takes more than one of a single one."""
    few, many, found = [], [], data.start
    for _ in range(rounds):
        for times, count in ((few, 1), (many, 1 + n_iterations)):
            began = time.perf_counter()
            found = run(data, count)
            times.append(time.perf_counter() - began)
    return (min(many) - min(few)) / n_iterations, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rows", 200_000), ("features", 3), ("components", 10), ("iterations", 2), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    data, n_threads = drawn(wanted.rows, wanted.features, wanted.components), resolve_n_threads(None)
    small = Measured(data.X[:2000], data.errors[:2000], data.start)
    speed = gemm_flops_per_second("float64", n_threads=n_threads)
    print(f"{wanted.rows:,} x {wanted.features}, K = {wanted.components}, {n_threads} threads")
    print(f"matrix product: {speed / 1e9:.1f} GFLOP/s")
    best = None
    for name, run in programs().items():
        run(small, 1)  # compiles, imports
        is_ours = name.startswith("fastgmm")
        seconds, found = seconds_of(run, data, wanted.iterations, wanted.rounds if is_ours else 1)
        model = GaussianMixture.from_parameters(found[0] / found[0].sum(), *found[1:])
        score = model.score(data.X, errors=data.errors)
        best = best or seconds
        print(f"{name:28} {seconds:9.4f} s an iteration, {seconds / best:8.2f} times; score {score:.9f}", flush=True)


if __name__ == "__main__":
    main()
