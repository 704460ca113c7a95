"""Where pickles of 0.1.0 find the estimator."""

from fastgmm.estimator.mixture import GaussianMixture

__all__ = ["GaussianMixture"]
