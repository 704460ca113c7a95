"""What experiments share: a small problem, and times of several candidates side by side."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def best_times(candidates: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """The shortest time of every candidate, in rounds in which each has its turn."""
    best = dict.fromkeys(candidates, np.inf)
    for _ in range(rounds):
        for name, run in candidates.items():
            began = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def show(title: str, times: dict[str, float]) -> None:
    """Times relative to the first candidate's."""
    first = next(iter(times.values()))
    print(f"{title}: " + ", ".join(f"{name} {seconds / first:.2f}" for name, seconds in times.items()), flush=True)


def largest_difference(ours: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Relative to the largest number."""
    return float(np.abs(ours - true).max() / np.abs(true).max())
