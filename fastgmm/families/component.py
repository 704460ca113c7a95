"""The covariance matrix of a single component, whatever the family."""

from fastgmm.families import FAMILIES
from fastgmm.parameters import FloatArray, Parameters


def component_matrix(parameters: Parameters, component: int) -> FloatArray:
    """The covariance (n_features, n_features) of one component; those of all could be too many to hold."""
    family = FAMILIES[parameters.covariance_type]
    own = parameters.covariances if family.is_shared else parameters.covariances[component : component + 1]
    matrix: FloatArray = family.matrices(own, 1, parameters.n_features)[0]
    return matrix
