"""Random points from a mixture."""

import numpy as np
from numpy.typing import NDArray

from fastgmm.covariance import FAMILIES
from fastgmm.parameters import FloatArray, Parameters


def sample(
    parameters: Parameters, n_samples: int, random_state: np.random.RandomState
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Draw ``n_samples`` points; rows are ordered by component, as in scikit-learn.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
    """
    n_components, n_features = parameters.means.shape
    counts = random_state.multinomial(n_samples, parameters.weights / parameters.weights.sum())
    color = FAMILIES[parameters.covariance_type].color
    points = [
        parameters.means[k] + color(parameters.covariances, k, random_state.standard_normal((count, n_features)))
        for k, count in enumerate(counts)
    ]
    return np.concatenate(points), np.repeat(np.arange(n_components, dtype=np.int64), counts)
