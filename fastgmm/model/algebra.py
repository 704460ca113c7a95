"""The algebra of fitted mixtures, as methods of the estimator: other mixtures that follow, and what is known of rows.

``algebra_parts.py`` has some of the features, ``algebra_regression.py`` those of many rows from others of theirs;
``algebra_maps.py`` affine maps and products, ``algebra_merging.py`` fewer components, ``algebra_clusters.py`` clusters
of several; ``algebra_distances.py`` distances and divergences, ``algebra_tails.py`` outliers, and
``algebra_univariate.py`` a feature for itself.
"""

from fastgmm.model.algebra_clusters import clusters
from fastgmm.model.algebra_distances import component_bhattacharyya, component_kl, kl_divergence, mahalanobis
from fastgmm.model.algebra_maps import product, transformed
from fastgmm.model.algebra_merging import merged, reduced
from fastgmm.model.algebra_parts import condition, marginal
from fastgmm.model.algebra_regression import regress, sample_conditional
from fastgmm.model.algebra_tails import density_region, outlier_p_values
from fastgmm.model.algebra_univariate import cdf, decision_points, quantile

__all__ = [
    "cdf",
    "clusters",
    "component_bhattacharyya",
    "component_kl",
    "condition",
    "decision_points",
    "density_region",
    "kl_divergence",
    "mahalanobis",
    "marginal",
    "merged",
    "outlier_p_values",
    "product",
    "quantile",
    "reduced",
    "regress",
    "sample_conditional",
    "transformed",
]
