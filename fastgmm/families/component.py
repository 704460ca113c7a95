"""The covariances and variances of components, whatever the family."""

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.low_rank import variances_of
from fastgmm.parameters import FloatArray, Parameters


def component_matrix(parameters: Parameters, component: int) -> FloatArray:
    """The covariance (n_features, n_features) of one component; those of all could be too many to hold."""
    family = FAMILIES[parameters.covariance_type]
    own = parameters.covariances if family.is_shared else parameters.covariances[component : component + 1]
    matrix: FloatArray = family.matrices(own, 1, parameters.n_features)[0]
    return matrix


def component_matrices(parameters: Parameters) -> FloatArray:
    """The covariances of all components as matrices (K, d, d)."""
    family = FAMILIES[parameters.covariance_type]
    return family.matrices(parameters.covariances, parameters.n_components, parameters.n_features)


def in_matrices(parameters: Parameters) -> Parameters:
    """The same mixture, of the full family where its own has loadings: for what is done with matrices alone."""
    if FAMILIES[parameters.covariance_type].rank is None:
        return parameters
    matrices = component_matrices(parameters)
    return Parameters("full", parameters.weights, parameters.means, matrices, parameters.extra)


def component_variances(parameters: Parameters) -> FloatArray:
    """The variance of every feature in every component (K, d)."""
    family, covariances = FAMILIES[parameters.covariance_type], parameters.covariances
    if family.rank is not None:
        return variances_of(covariances)
    diagonals = np.diagonal(covariances, axis1=-2, axis2=-1) if family.has_matrices else covariances
    by_component = diagonals if family.is_shared else diagonals.reshape(parameters.n_components, -1)
    return np.broadcast_to(by_component, parameters.means.shape)
