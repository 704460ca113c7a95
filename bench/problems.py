"""Named problems, generated from a seed: data, and a start that is neither the truth nor the identity."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastgmm.families import FAMILIES
from fastgmm.parameters import FloatArray, Parameters

# The typical distance between two means, in standard deviations of a component, whatever the number of features.
# Overlapping: nearly every responsibility is above 1e-4, so leaving out the tiny ones would save nothing. Separated:
# a row has one responsibility of nearly 1, and the others are nearly 0. Clustered: what a clustering can find again.
DISTANCE = {"overlapping": 2.0, "clustered": 6.0, "separated": 20.0}


@dataclass(frozen=True)
class Problem:
    """A shape; unless said otherwise, of overlapping components, so that every responsibility counts."""

    covariance_type: str
    n_rows: int
    n_features: int
    n_components: int
    dtype: str = "float64"
    separation: str = "overlapping"

    @property
    def name(self) -> str:
        shape = f"{self.covariance_type}-{self.n_rows}x{self.n_features}-K{self.n_components}-{self.dtype}"
        return shape if self.separation == "overlapping" else f"{shape}-{self.separation}"

    @property
    def flops_per_sweep(self) -> int:
        """Useful floating-point operations: two for each multiply-add of distances and of the moments they call for.

        The full family needs d(d+1)/2 multiply-adds for a distance, and as many for a second moment. The light
        families need d for either; the tied one whitens every row once before.
        """
        n_features, pairs = self.n_features, self.n_rows * self.n_components
        if self.covariance_type == "full":
            return 2 * pairs * n_features * (n_features + 1)
        whitening = self.n_rows * n_features * (n_features + 1) if self.covariance_type == "tied" else 0
        return 4 * pairs * n_features + whitening


SHAPES = (
    (1_000_000, 2, 10),
    (1_000_000, 8, 16),
    (500_000, 16, 32),
    (200_000, 32, 32),
    (100_000, 64, 32),
    (50_000, 128, 16),
    (300_000, 16, 128),
)
FULL = tuple(Problem("full", *shape) for shape in SHAPES)
DIAG = tuple(Problem("diag", *shape) for shape in SHAPES)
OTHERS = tuple(Problem(covariance_type, 500_000, 16, 32) for covariance_type in ("tied", "diag", "spherical"))
SINGLE = tuple(replace(problem, dtype="float32") for problem in FULL if problem.n_features >= 16)
SEPARATED = tuple(replace(problem, separation="separated") for problem in FULL)

# For pytest-benchmark: a tenth of the rows of everything in float64.
SMALL = tuple(replace(problem, n_rows=problem.n_rows // 10) for problem in (*FULL, *OTHERS))


def generate(problem: Problem, seed: int = 0) -> tuple[NDArray[np.floating], Parameters]:
    """The data (n, d), every component with unit variances, and starting parameters near the truth."""
    rng = np.random.default_rng(seed)
    n_components, n_features = problem.n_components, problem.n_features
    # Two means are √(2d) of these deviations apart.
    spread = DISTANCE[problem.separation] / np.sqrt(2 * n_features)
    centers = spread * rng.standard_normal((n_components, n_features))
    labels = rng.integers(n_components, size=problem.n_rows)
    data = centers[labels] + rng.standard_normal((problem.n_rows, n_features))
    means = centers + 0.3 / np.sqrt(n_features) * rng.standard_normal(centers.shape)
    family = FAMILIES[problem.covariance_type]
    matrices = _near_identity(rng, n_components, n_features)
    covariances: dict[str, FloatArray] = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.diagonal(matrices, axis1=1, axis2=2).copy(),
        "spherical": matrices[:, 0, 0].copy(),
    }
    weights = np.full(n_components, 1.0 / n_components)
    start = Parameters(family.name, weights, means, covariances[family.name])
    return data.astype(problem.dtype), start


def _near_identity(rng: np.random.Generator, n_components: int, n_features: int) -> FloatArray:
    """Covariances (K, d, d) half a unit from the identity in the Frobenius norm, hence positive definite.

    A distance that grew with d would make a start that prefers few components, and hide the overlap.
    """
    noise = rng.standard_normal((n_components, n_features, n_features))
    noise = noise + np.swapaxes(noise, 1, 2)
    noise *= 0.5 / np.linalg.norm(noise, axis=(1, 2), keepdims=True)
    matrices: FloatArray = np.eye(n_features) + noise
    return matrices
