"""What the machine can do, measured in the same run as everything that is compared with it."""

import time
from collections.abc import Callable

import numpy as np


def best_seconds(function: Callable[[], object], rounds: int = 5) -> float:
    """The shortest of several runs: the one that other work on the machine disturbed least."""
    durations = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        durations.append(time.perf_counter() - began)
    return min(durations)


def gemm_flops_per_second(dtype: str = "float64", size: int = 2048, rounds: int = 3) -> float:
    """The speed of NumPy's matrix product on all threads of its BLAS."""
    matrix = np.random.default_rng(0).standard_normal((size, size)).astype(dtype)
    return 2 * size**3 / best_seconds(lambda: matrix @ matrix, rounds)
