"""The scale of every feature in which a start measures distances, so that it does not depend on units.

k-means in the units of the data is led by the feature with the largest numbers alone. Every scale here changes with the
unit of its feature, so that the same rows in other units make the same clusters.
"""

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import quantile_ranges, summary_of
from fastgmm.fit.kmeans import cluster_means
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows

# Four fifths of the rows lie between these quantiles, which no tenth of the rows can move.
_LOW, _HIGH = 0.1, 0.9
# This share of a feature's variance counts as scatter within clusters, lest a feature without any has the scale 0.
_LEAST_SCATTER = 1e-9


def deviations(rows: Rows) -> FloatArray:
    """The standard deviation of every feature (d,); 1 where it is constant."""
    return _never_zero(np.sqrt(summary_of(rows).variances), np.ones(rows.shape[1]), rows)


def robust_deviations(rows: Rows) -> FloatArray:
    """The distance of two quantiles of every feature (d,), which a few extreme rows do not set.

    Where four fifths of the rows share one number it is the standard deviation. The unit is not that: only the ratios
    of features count.
    """
    return _never_zero(quantile_ranges(rows, _LOW, _HIGH), deviations(rows), rows)


def deviations_within(rows: Rows, labels: NDArray[np.int64], n_clusters: int) -> FloatArray:
    """The standard deviation of every feature (d,) within clusters, pooled [1]_.

    Clusters that are round in this scale are round about their own centers, whatever separates them from each other.

    References
    ----------
    .. [1] H. P. Friedman and J. Rubin, "On some invariant criteria for grouping data", JASA 62 (1967).
    """
    weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
    means = cluster_means(rows, labels, weights, np.zeros((n_clusters, rows.shape[1])))
    scatter = np.zeros(rows.shape[1])
    for part in pieces(rows.shape[0], means[:1].nbytes):
        scatter += weights[part] @ np.square(rows.values[part] - means[labels[part]])
    least = _LEAST_SCATTER * summary_of(rows).variances
    return _never_zero(np.sqrt(scatter / weights.sum() + least), np.ones(rows.shape[1]), rows)


def _never_zero(scales: FloatArray, otherwise: FloatArray, rows: Rows) -> FloatArray:
    """Nor in the dtype of the rows: weights near 0 make a scale that float32 does not hold."""
    return np.where(scales.astype(rows.values.dtype) > 0, scales, otherwise)
