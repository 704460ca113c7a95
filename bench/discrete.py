"""An iteration on zeros and ones beside the matrix products it stands for: ``python -m bench.discrete``.

60,000 rows of 784 zeros and ones in the manner of binarized digits, 50 components: a sweep does what two products of
NumPy's BLAS do on the same threads, X·θ and Xᵀ·r, 4·n·K·d operations, and everything between them. A line for each
backend, form of rows, and share of ones; ``share`` 1.0 leaves nothing to skip. Of sharp responsibilities, as of digits,
a row's sums concern one component; ``soft`` are those of components that are nearly alike. ``--stepmix`` times StepMix
on a twentieth of the rows, where it is installed. Times are the best of some rounds, in turns with the products.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from fastgmm import BernoulliMixture
from fastgmm.entries import Entries
from fastgmm.families.discrete import BERNOULLI
from fastgmm.parameters import Array, FloatArray, Parameters
from fastgmm.sweeps.of_entries import OfEntries

ROWS, SIDE, COMPONENTS, ROUNDS = 60_000, 28, 50, 3


def pictures(n_rows: int, share: float, rng: np.random.Generator) -> Array:
    """Digits four times as wide, whose pixels are ones by their darkness, so that about that share are."""
    digits = np.kron(load_digits().images / 16.0, np.ones((4, 4)))[:, 2:30, 2:30].reshape(-1, SIDE * SIDE)
    if share == 1.0:
        return np.ones((n_rows, SIDE * SIDE), np.uint8)
    darkness = np.minimum(1.0, digits**2 * share / np.mean(digits**2))
    X = np.empty((n_rows, SIDE * SIDE), np.uint8)
    for begin in range(0, n_rows, 5000):
        some = darkness[rng.integers(len(digits), size=min(5000, n_rows - begin))]
        X[begin : begin + 5000] = rng.random(some.shape) < some
    return X


def forms_of(X: Array) -> dict[str, Entries]:
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(X.astype(bool).sum(axis=1))])
    forms = {name: Entries(*X.shape, X.astype(name)) for name in ("float64", "float32", "uint8")}
    return forms | {"sparse": Entries(*X.shape, None, starts, np.nonzero(X)[1].astype(np.int32))}


def components(X: Array, is_sharp: bool, rng: np.random.Generator) -> Parameters:
    means = np.array([X[rng.integers(len(X), size=30)].mean(axis=0) for _ in range(COMPONENTS)])
    overall = X[:5000].mean(axis=0)
    means = 0.5 * means + 0.5 * X[rng.integers(len(X), size=COMPONENTS)] if is_sharp else 0.02 * means + 0.98 * overall
    means = np.clip(means, 0.01, 0.99)
    return Parameters("bernoulli", np.full(COMPONENTS, 1 / COMPONENTS), means, np.empty((COMPONENTS, 0)))


def seconds(*works: Callable[[], object]) -> list[float]:
    """The best of some rounds of each, in turns."""
    best = [np.inf] * len(works)
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            began = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - began)
    return best


def products(X: FloatArray, theta: FloatArray, r: FloatArray) -> None:
    X @ theta
    X.T @ r


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.02, 0.19, 1.0])
    parser.add_argument("--backends", nargs="+", default=["c", "numba"])
    parser.add_argument("--stepmix", action="store_true")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    print("ones   responsibilities  backend  rows      ms     of the products' speed")
    for share in arguments.shares:
        X = pictures(arguments.rows, share, rng)
        table, r = X.astype(np.float64), rng.random((len(X), COMPONENTS))
        for is_sharp in (True, False):
            parameters = components(X, is_sharp, rng)
            prepared = BERNOULLI.prepare(parameters, False)
            theta = np.ascontiguousarray(parameters.means.T)
            for backend in arguments.backends:
                for form, rows in forms_of(X).items():
                    sweep = OfEntries(rows, backend, arguments.threads)
                    own_work = partial(sweep.moments, prepared, "bernoulli")
                    own_work()
                    with threadpool_limits(arguments.threads):
                        product, own = seconds(partial(products, table, theta, r), own_work)
                    kind = "sharp" if is_sharp else "soft"
                    print(f"{X.mean():4.2f}   {kind:16}  {backend:7}  {form:8} {1e3 * own:6.0f}  {product / own:5.2f}")
    if arguments.stepmix:
        beside_stepmix(pictures(arguments.rows // 20, 0.19, rng), rng)


def beside_stepmix(X: Array, rng: np.random.Generator) -> None:
    """From the same start: the likelihood after as many iterations, and the time of one."""
    from stepmix.stepmix import StepMix

    options = {"n_components": 10, "measurement": "binary", "n_init": 1, "random_state": 0, "progress_bar": 0}
    first, last = (StepMix(**options, abs_tol=0, rel_tol=0, max_iter=n, verbose=0) for n in (1, 21))
    table, start = X.astype(np.float64), first.fit(X.astype(np.float64)).get_parameters()
    ours = BernoulliMixture(
        10, alpha=0, tol=0, max_iter=20, weights_init=start["weights"], probabilities_init=start["measurement"]["pis"]
    )
    began = time.perf_counter()
    last.fit(table)
    of_stepmix = (time.perf_counter() - began) / 21
    began = time.perf_counter()
    ours.fit(X)
    own = (time.perf_counter() - began) / 20
    print(f"StepMix: {last.score(table):.10f} nats a row, {1e3 * of_stepmix:.1f} ms an iteration")
    print(f"fastgmm: {ours.score(X):.10f} nats a row, {1e3 * own:.1f} ms an iteration")


if __name__ == "__main__":
    main()
