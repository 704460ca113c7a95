"""Beside scikit-learn at every shape: ``python -m bench.shapes`` prints how many times as fast a fit is.

Rows from 2 to a million, features from 1 to 2000, few and many components: ``same`` from the same parameters for as
many iterations, ``whole`` the default fit with whatever it takes, its start included. Then many fits of a hundred rows,
as one has them for every customer or every pixel (``--fits 10000`` for the sum of so many). A star marks what is slower
than scikit-learn. ``--families full tied``, ``--rows``, ``--features``, ``--components`` and ``--kinds`` choose a part.

``--one-thread`` compares processor time on one thread each: where other work keeps the cores busy, BLAS waits for them
so long, and so differently from call to call, that nothing else can be compared.
"""

import argparse
import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn
from threadpoolctl import threadpool_limits

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR
from fastgmm.parameters import Array

ROWS = (2, 16, 100, 1000, 10_000, 100_000, 1_000_000)
FEATURES = (1, 4, 20, 100, 500, 2000)
COMPONENTS = (1, 4, 16)
KINDS = ("same", "whole")
# Larger ones take too long here: numbers of the data and of covariance matrices, and multiply-adds of a fit.
MOST_NUMBERS, MOST_COVARIANCES, MOST_WORK = 2e7, 2e7, 2e10
MOST_ITERATIONS = 10
# A whole fit takes as many as it takes, and a start before them.
ITERATIONS_OF_A_WHOLE_FIT = 40
ROUNDS = 3
SECONDS_OF_A_ROUND = 0.02
SMALL_ROWS, SMALL_FEATURES, SMALL_COMPONENTS = 100, range(1, 9), range(1, 6)
# The typical distance of centers: that k-means finds them.
DISTANCE = 6.0


@dataclass(frozen=True)
class Shape:
    """What is fitted, and from which start."""

    kind: str
    covariance_type: str
    n_rows: int
    n_features: int
    n_components: int

    @property
    def work_of_an_iteration(self) -> float:
        """Multiply-adds, about: of matrices a product for distances, one for moments, and to factor and to invert."""
        d, pairs = self.n_features, self.n_rows * self.n_components
        if not FAMILIES[self.covariance_type].has_matrices:
            return pairs * (d + 20.0)
        return pairs * (d * d + 20.0) + self.n_components * d**3

    @property
    def iterations(self) -> int:
        return int(max(1, min(MOST_ITERATIONS, MOST_WORK / self.work_of_an_iteration)))

    @property
    def is_possible(self) -> bool:
        """Whether there are rows enough, time and memory."""
        n_iterations = ITERATIONS_OF_A_WHOLE_FIT if self.kind == "whole" else 1
        return (
            self.n_components <= self.n_rows
            and self.n_rows * self.n_features <= MOST_NUMBERS
            and self.n_components * self.n_features**2 <= MOST_COVARIANCES
            and n_iterations * self.work_of_an_iteration <= MOST_WORK
        )


def data_of(shape: Shape, seed: int = 0) -> Array:
    """Rows of as many clusters as there are components."""
    rng = np.random.default_rng(seed)
    spread = DISTANCE / np.sqrt(2 * shape.n_features)
    centers = spread * rng.standard_normal((shape.n_components, shape.n_features))
    return centers[rng.integers(len(centers), size=shape.n_rows)] + rng.standard_normal((shape.n_rows, len(centers[0])))


def options_of(shape: Shape, data: Array) -> dict[str, Any]:
    """Options of either estimator."""
    options = {"n_components": shape.n_components, "covariance_type": shape.covariance_type, "random_state": 0}
    if shape.kind == "whole":
        return options
    family = FAMILIES[shape.covariance_type]
    zeros = np.zeros(family.covariance_shape(shape.n_components, shape.n_features))
    return options | {
        "tol": 0.0,
        "max_iter": shape.iterations,
        "weights_init": np.full(shape.n_components, 1.0 / shape.n_components),
        "means_init": data[: shape.n_components],
        "precisions_init": family.regularize(zeros, np.ones(shape.n_features)),
    }


@dataclass(frozen=True)
class Stopwatch:
    """Which time is taken, and on how many threads fastgmm runs."""

    now: Callable[[], float]
    n_threads: int | None

    def seconds_of_both(
        self, options: dict[str, Any], data: Array, repetitions: tuple[int, int] = (1, 1)
    ) -> tuple[float, float]:
        """Of a fit of ours, and of one of scikit-learn's."""
        ours = self._seconds(lambda: GaussianMixture(**options, n_threads=self.n_threads).fit(data), repetitions[0])
        return ours, self._seconds(lambda: ScikitLearn(**options).fit(data), repetitions[1])

    def _seconds(self, fit: Callable[[], object], repetitions: int) -> float:
        began = self.now()
        for _ in range(repetitions):
            fit()
        return (self.now() - began) / repetitions


WALL, PROCESSOR = Stopwatch(time.perf_counter, None), Stopwatch(time.process_time, 1)


def measure(shape: Shape, stopwatch: Stopwatch) -> tuple[float, float]:
    """Seconds of ours, and how many times as long scikit-learn takes: medians of rounds in which both have a turn."""
    data = data_of(shape)
    options = options_of(shape, data)
    first = stopwatch.seconds_of_both(options, data)
    many = max(1, int(SECONDS_OF_A_ROUND / first[0])), max(1, int(SECONDS_OF_A_ROUND / first[1]))
    ours, theirs = np.median([stopwatch.seconds_of_both(options, data, many) for _ in range(ROUNDS)], axis=0)
    return float(ours), float(theirs / ours)


def measure_small(kind: str, covariance_type: str, n_fits: int, stopwatch: Stopwatch) -> tuple[float, float]:
    """Seconds of so many fits of ours, and how many times as long scikit-learn's take."""
    shapes = [
        Shape(kind, covariance_type, SMALL_ROWS, n_features, n_components)
        for n_features, n_components in itertools.product(SMALL_FEATURES, SMALL_COMPONENTS)
    ]
    totals = np.zeros(2)
    for seed, shape in zip(range(n_fits), itertools.cycle(shapes), strict=False):
        data = data_of(shape, seed)
        totals += stopwatch.seconds_of_both(options_of(shape, data), data)
    return float(totals[0]), float(totals[1] / totals[0])


def describe(seconds: float, times: float) -> str:
    return f"{1e3 * seconds:9.3g} ms {times:8.2f}{'*' if times < 1 else ' '}"


def shapes_of(choice: argparse.Namespace) -> Iterator[Shape]:
    chosen = choice.kinds, choice.families, choice.rows, choice.features, choice.components
    return (shape for shape in itertools.starmap(Shape, itertools.product(*chosen)) if shape.is_possible)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=list(FOUR), choices=FOUR)
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS)
    parser.add_argument("--features", nargs="+", type=int, default=FEATURES)
    parser.add_argument("--components", nargs="+", type=int, default=COMPONENTS)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--fits", type=int, default=400, help="small fits of every family and kind")
    parser.add_argument("--one-thread", action="store_true", help="processor time, on one thread each")
    choice = parser.parse_args()
    warnings.simplefilter("ignore")  # that so few iterations do not converge
    with threadpool_limits(1 if choice.one_thread else None):
        compare(choice, PROCESSOR if choice.one_thread else WALL)


def compare(choice: argparse.Namespace, stopwatch: Stopwatch) -> None:
    """Print a line for every shape, the slowest of every family, and the small fits."""
    found = defaultdict(list)
    for shape in shapes_of(choice):
        ours, times = measure(shape, stopwatch)
        found[shape.kind, shape.covariance_type].append((times, shape))
        size = f"{shape.n_rows:9,} x {shape.n_features:5,}  K = {shape.n_components:<3}"
        print(f"{shape.kind:6} {shape.covariance_type:10} {size} {describe(ours, times)}", flush=True)
    for (kind, covariance_type), results in found.items():
        times, shape = min(results, key=lambda result: result[0])
        slower = sum(times < 1 for times, _ in results)
        size = f"{shape.n_rows:,} x {shape.n_features:,}, K = {shape.n_components}"
        print(f"{kind:6} {covariance_type:10} {slower} of {len(results)} slower, at worst {times:.2f} at {size}")
    for kind, covariance_type in itertools.product(choice.kinds, choice.families if choice.fits else ()):
        result = describe(*measure_small(kind, covariance_type, choice.fits, stopwatch))
        print(f"{kind:6} {covariance_type:10} {choice.fits:,} fits of {SMALL_ROWS} rows {result}", flush=True)


if __name__ == "__main__":
    main()
