"""Named problems, generated from a seed: data, and a start that is neither the truth nor the identity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgmm.covariance import FAMILIES
from fastgmm.parameters import FloatArray, Parameters


@dataclass(frozen=True)
class Problem:
    """A shape; overlapping components, so that every responsibility counts."""

    covariance_type: str
    n_rows: int
    n_features: int
    n_components: int
    dtype: str = "float64"

    @property
    def name(self) -> str:
        return f"{self.covariance_type}-{self.n_rows}x{self.n_features}-K{self.n_components}-{self.dtype}"

    @property
    def flops_per_sweep(self) -> int:
        """Useful floating-point operations of the full family: d(d+1)/2 multiply-adds each for E and M."""
        return 2 * self.n_rows * self.n_components * self.n_features * (self.n_features + 1)


FULL = tuple(
    Problem("full", n_rows, n_features, n_components)
    for n_rows, n_features, n_components in (
        (1_000_000, 2, 10),
        (1_000_000, 8, 16),
        (500_000, 16, 32),
        (200_000, 32, 32),
        (100_000, 64, 32),
    )
)
OTHERS = tuple(Problem(covariance_type, 500_000, 16, 32) for covariance_type in ("tied", "diag", "spherical"))


def generate(problem: Problem, seed: int = 0) -> tuple[NDArray[np.floating], Parameters]:
    """The data (n, d), and starting parameters near the truth."""
    rng = np.random.default_rng(seed)
    n_components, n_features = problem.n_components, problem.n_features
    centers = 2.0 * rng.standard_normal((n_components, n_features))
    labels = rng.integers(n_components, size=problem.n_rows)
    data = centers[labels] + rng.standard_normal((problem.n_rows, n_features))
    family = FAMILIES[problem.covariance_type]
    mixing = rng.standard_normal((n_components, n_features, n_features)) / np.sqrt(n_features)
    matrices = np.eye(n_features) + 0.5 * mixing @ np.swapaxes(mixing, 1, 2)
    covariances: dict[str, FloatArray] = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.diagonal(matrices, axis1=1, axis2=2).copy(),
        "spherical": matrices[:, 0, 0].copy(),
    }
    means = centers + 0.3 * rng.standard_normal(centers.shape)
    weights = np.full(n_components, 1.0 / n_components)
    start = Parameters(family.name, weights, means, covariances[family.name])
    return data.astype(problem.dtype), start
