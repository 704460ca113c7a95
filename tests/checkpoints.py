"""Fits with a checkpoint that end in the middle, as though they had been killed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm import GaussianMixture, Step
from fastgmm.model.attributes import ARRAYS

N, D, K = 3000, 3, 4


def rows(holes: float = 0.0) -> np.ndarray:
    rng = np.random.RandomState(0)
    values = 1.5 * rng.standard_normal((K, D))[rng.randint(K, size=N)] + rng.standard_normal((N, D))
    values[rng.uniform(size=values.shape) < holes] = np.nan
    return values


class KilledError(Exception):
    """As though the process had ended here."""


def fit(X: Any, checkpoint: Path | None, options: dict[str, Any], killed_after: int | None = None) -> GaussianMixture:
    n_steps = 0

    def kill(step: Step) -> None:
        nonlocal n_steps
        n_steps += 1
        if n_steps == killed_after:
            raise KilledError

    how = {"tol": 0, "max_iter": 12, "random_state": 5, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(K, callbacks=[kill], **how).fit(X, checkpoint=checkpoint)


def require_same_fit(one: GaussianMixture, other: GaussianMixture) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for name in ("lower_bounds_", "lower_bound_", "n_iter_", "converged_", "stop_reason_", "degenerate_components_"):
        assert getattr(one, name) == getattr(other, name), name
    steps = [[(s.restart, s.iteration, s.lower_bound, s.accepted) for s in each.history_] for each in (one, other)]
    assert steps[0] == steps[1]
