"""What an iteration of each of mclust's models takes, beside one of full or diag: ``python -m bench.fourteen``.

All models begin at the same round components, so that the first sweep does the same work for all that share a kernel,
and what differs is the end of the M-step. Of every round the first iteration counts, and of ``--rounds`` the quickest.
"""

import argparse
import warnings

import numpy as np

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOURTEEN
from fastgmm.parameters import FloatArray


def rows_of(n_rows: int, n_features: int, n_components: int) -> FloatArray:
    """Clusters that overlap, each with axes of its own."""
    rng = np.random.RandomState(0)
    roots, labels = rng.randn(n_components, n_features, n_features) / 4, rng.randint(n_components, size=n_rows)
    noise = np.einsum("nij,nj->ni", roots[labels], rng.randn(n_rows, n_features))
    rows: FloatArray = 2.0 * rng.randn(n_components, n_features)[labels] + noise
    return rows


def seconds_of_an_iteration(name: str, rows: FloatArray, n_components: int, n_threads: int | None) -> float:
    """The first, from unit covariances around some of the rows."""
    n_features = rows.shape[1]
    shape = FAMILIES[name].covariance_shape(n_components, n_features)
    unit = np.broadcast_to(np.eye(n_features), shape) if FAMILIES[name].has_matrices else np.ones(shape)
    gm = GaussianMixture(
        n_components,
        covariance_type=name,
        max_iter=1,
        means_init=rows[:n_components],
        weights_init=np.full(n_components, 1.0 / n_components),
        precisions_init=unit,
        n_threads=n_threads,
    )
    return gm.fit(rows).history_[0].seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fourteen", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--components", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # one iteration is no convergence
    rows = rows_of(given.rows, given.features, given.components)
    names = ("full", "tied", "diag", "spherical", *FOURTEEN)
    best = dict.fromkeys(names, np.inf)
    for _ in range(given.rounds):
        for name in names:
            seconds = seconds_of_an_iteration(name, rows, given.components, given.threads)
            best[name] = min(best[name], seconds)
    print(f"{given.rows:,} x {given.features}, {given.components} components: the quickest of {given.rounds} rounds")
    for name in FOURTEEN:
        kernel = FAMILIES[name].kernel
        print(f"{name}  {best[name] * 1e3:8.1f} ms, {best[name] / best[kernel]:5.2f} x {kernel}")


if __name__ == "__main__":
    main()
