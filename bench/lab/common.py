"""What experiments share: how they show and check what they found."""

import numpy as np
from numpy.typing import NDArray


def show(title: str, times: dict[str, float]) -> None:
    """Times relative to the first candidate's."""
    first = next(iter(times.values()))
    print(f"{title}: " + ", ".join(f"{name} {seconds / first:.2f}" for name, seconds in times.items()), flush=True)


def largest_difference(ours: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Relative to the largest number."""
    return float(np.abs(ours - true).max() / np.abs(true).max())
