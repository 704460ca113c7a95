"""The covariance matrix of a single component, whatever the family."""

from fastgmm.covariance import FAMILIES
from fastgmm.parameters import FloatArray, Parameters


def component_matrix(parameters: Parameters, component: int) -> FloatArray:
    """The covariance (n_features, n_features) of one component; those of all could be too many to hold."""
    family = FAMILIES[parameters.covariance_type]
    n_components, n_features = parameters.means.shape
    is_shared = family.covariance_shape(n_components + 1, n_features) == parameters.covariances.shape
    own = parameters.covariances if is_shared else parameters.covariances[component : component + 1]
    matrix: FloatArray = family.matrices(own, 1, n_features)[0]
    return matrix
