"""The joint log-density of a row and a component: methods of the estimator, of which all but the first are private.

Those are scikit-learn's, which its users call all the same. They are there so that such code goes on working.
"""

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.model.scoring import Scorer, require_no_noise, scorer_of
from fastgmm.parameters import FloatArray, FloatingArray


def predict_joint_log_proba(self: Any, X: "ArrayLike") -> FloatingArray:
    """The joint log-density log p(x, k) = log wₖ + log N(x | μₖ, Σₖ) of every row and component.

    Its softmax over the components is ``predict_proba``, its logsumexp ``score_samples``. The difference of two columns
    is a log-likelihood ratio, which is right also where one of the probabilities is so small that it is 0.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples, n_components), in the dtype of X
        Finite: -1.7e308, or -3e38 for float32 rows, stands for all that is less, and for the −inf of a weight of 0.

    Raises
    ------
    NotFittedError
    ValueError
        For infinity, wrong shapes, or attributes set by hand that make no mixture.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [20.0]], [1.0, 1.0], "spherical")
    >>> gm.predict_joint_log_proba([[0.0]]).round(2)
    array([[  -1.61, -201.61]])
    """
    scorer, rows = self._ready_to_score(X)
    require_no_noise(scorer, "predict_joint_log_proba")
    densities: FloatingArray = scorer.joint(rows, self.n_threads)
    return densities


def estimate_log_prob(self: Any, X: ArrayLike) -> FloatingArray:
    """log N(x | μₖ, Σₖ), (n_samples, n_components): the joint log-density less ``_estimate_log_weights()``."""
    # A weight of 0 cannot be taken off, but all can be made equal.
    alike = copy.copy(self)
    n_components = len(alike._fitted()["means_"])
    alike.weights_ = np.full(n_components, 1.0 / n_components)
    scorer, rows = alike._ready_to_score(X)
    require_no_noise(scorer, "_estimate_log_prob")
    densities: FloatingArray = scorer.joint(rows, self.n_threads)
    return densities + math.log(n_components)


def estimate_log_weights(self: Any) -> FloatArray:
    """log wₖ, (n_components,); −inf for a weight of 0."""
    with np.errstate(divide="ignore"):
        logarithms: FloatArray = np.log(_scorer(self).weights)
    return logarithms


def n_parameters(self: Any) -> int:
    """How many numbers were free: weights that sum to 1, means, and covariances, less what was fixed."""
    return _scorer(self).n_parameters


def _scorer(estimator: Any) -> Scorer:
    return scorer_of(estimator._fitted())
