"""The M-step of rows that are assigned to clusters wholly: what a start makes of a partition."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.kmeans import members_of_clusters
from fastgmm.fit.maximize import maximize
from fastgmm.machine.pieces import pieces
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows

# Fewer would not repay adding their products of d × d numbers to those of others.
ROWS_OF_A_PRODUCT = 512


def parameters_of_partition(
    family: CovarianceFamily,
    rows: Rows,
    labels: NDArray[np.integer[Any]],
    centers: FloatArray,
    regularization: FloatArray,
    keep_means: bool = True,
) -> Parameters:
    """The M-step of hard assignments. With ``keep_means`` covariances are those about the centers themselves."""
    n_components = len(centers)
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    counts = np.bincount(labels, weights, minlength=n_components).astype(np.float64)
    first, second = np.zeros(centers.shape), np.zeros(family.covariance_shape(*centers.shape))
    for k, cluster in enumerate(members_of_clusters(labels, n_components)):
        for part in pieces(len(cluster), centers[k].nbytes, at_least=ROWS_OF_A_PRODUCT):
            members = cluster[part][weights[cluster[part]] > 0]  # others may hold anything
            differences = np.subtract(rows.take(members).points(), centers[k], order="C")
            add_moments(family, k, weights[members], differences, first, second)
    moments = Moments(
        counts,
        np.zeros_like(first) if keep_means else first,
        second,
        float(weights.sum()),
        np.nan,
        rows.n_counted,
        centers,
        family.kernel,
    )
    return maximize(family, moments, regularization)


def add_moments(
    family: CovarianceFamily,
    component: int,
    weights: FloatArray,
    differences: FloatArray,
    first: FloatArray,
    second: FloatArray,
) -> None:
    """Add Σ w(x − μ) and Σ w(x − μ)(x − μ)ᵀ of some rows to the moments of a component."""
    weighted = weights[:, np.newaxis] * differences
    first[component] += weighted.sum(axis=0)
    own = second if family.is_shared else second[component : component + 1]
    own += family.second_moments(weighted, differences)
