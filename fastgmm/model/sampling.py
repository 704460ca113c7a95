"""Random points from a mixture."""

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.noise import Noise
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatArray, IntArray, Parameters


def sample_with_noise(
    parameters: Parameters, noise: Noise, weight: float, n_samples: int, random_state: np.random.RandomState
) -> tuple[FloatArray, IntArray]:
    """The same of a mixture so much of which is noise: rows of that come last, with the label -1."""
    if noise.box is None:
        raise ValueError("sample needs to know where noise may lie: fit with noise='box' instead of a volume.")
    n_noise = int(random_state.binomial(n_samples, weight))
    points, labels = np.empty((n_samples, parameters.n_features)), np.full(n_samples, -1)
    n_others = n_samples - n_noise
    if n_others:
        points[:n_others], labels[:n_others] = sample(parameters, n_others, random_state)
    points[n_others:] = random_state.uniform(noise.box[0], noise.box[1], (n_noise, parameters.n_features))
    return points, labels


def sample(parameters: Parameters, n_samples: int, random_state: np.random.RandomState) -> tuple[FloatArray, IntArray]:
    """Draw ``n_samples`` points; rows are ordered by component, as in scikit-learn.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
    """
    n_features = parameters.n_features
    counts = random_state.multinomial(n_samples, parameters.weights / parameters.weights.sum())
    family = FAMILIES[parameters.covariance_type]
    points, labels = np.empty((n_samples, n_features)), np.empty(n_samples, np.int64)
    end = 0
    for k, count in enumerate(counts):
        if count == 0:
            continue
        begin, end = end, end + int(count)
        color = family.coloring(parameters.covariances, k)
        for part in pieces(end - begin, points[:1].nbytes):
            rows = slice(begin + part.start, begin + part.stop)
            normal = random_state.standard_normal((part.stop - part.start, family.n_sources(n_features)))
            points[rows] = parameters.means[k] + color(normal)
            labels[rows] = k
    return points, labels
