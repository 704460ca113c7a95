"""What the machine can do, measured in the same run as everything that is compared with it."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

# Far more than any cache holds.
READ_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Yardstick:
    """Speeds of this machine with so many threads.

    Attributes
    ----------
    dgemm, sgemm : float
        Operations per second of NumPy's product of matrices of size 2048, on all threads.
    exp_seconds : float
        ``numpy.exp`` of one float64 within the cache, on one thread.
    read_bytes : float
        Bytes per second read from memory on all threads.
    """

    dgemm: float
    sgemm: float
    exp_seconds: float
    read_bytes: float

    def limit(self, dtype: str) -> float:
        """Operations per second of the matrix product in this precision."""
        return self.sgemm if dtype == "float32" else self.dgemm

    def best_of(self, other: "Yardstick") -> "Yardstick":
        """The speeds that other work on the machine disturbed least."""
        return Yardstick(
            max(self.dgemm, other.dgemm),
            max(self.sgemm, other.sgemm),
            min(self.exp_seconds, other.exp_seconds),
            max(self.read_bytes, other.read_bytes),
        )


def measure(n_threads: int) -> Yardstick:
    """All yardsticks, in about two seconds."""
    return Yardstick(
        dgemm=gemm_flops_per_second("float64", n_threads=n_threads),
        sgemm=gemm_flops_per_second("float32", n_threads=n_threads),
        exp_seconds=exp_seconds_per_element(),
        read_bytes=read_bytes_per_second(n_threads),
    )


Name = TypeVar("Name")


def best_seconds(function: Callable[[], object], rounds: int = 5) -> float:
    """The shortest of several runs: the one that other work on the machine disturbed least."""
    return best_times({"": function}, rounds)[""]


def best_times(functions: dict[Name, Callable[[], object]], rounds: int = 15) -> dict[Name, float]:
    """The shortest time of every function, in rounds in which each has its turn."""
    best = dict.fromkeys(functions, math.inf)
    for _ in range(rounds):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def gemm_flops_per_second(
    dtype: str = "float64", size: int = 2048, rounds: int = 3, n_threads: int | None = None
) -> float:
    """The speed of NumPy's matrix product."""
    matrix = np.random.default_rng(0).standard_normal((size, size)).astype(dtype)
    with threadpool_limits(n_threads):
        return 2 * size**3 / best_seconds(lambda: matrix @ matrix, rounds)


def exp_seconds_per_element(size: int = 10_000) -> float:
    """The time of ``numpy.exp`` for one of many numbers that fit into the cache."""
    values = -np.random.default_rng(0).exponential(size=size)
    out = np.empty_like(values)

    def hundred_times() -> None:
        for _ in range(100):
            np.exp(values, out=out)

    return best_seconds(hundred_times) / (100 * size)


def read_bytes_per_second(n_threads: int) -> float:
    """Sums of squares of pieces of a large array, one for each thread."""
    pieces = np.array_split(np.ones(READ_BYTES // 8), n_threads)
    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        return READ_BYTES / best_seconds(lambda: list(pool.map(lambda piece: piece @ piece, pieces)))
