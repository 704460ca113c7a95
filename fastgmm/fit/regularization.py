"""What is added to the diagonal of covariances, and how much of a component it is."""

import numpy as np

from fastgmm.data.facts import Facts, within_quartiles
from fastgmm.errors import RegularizationWarning
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.factors import ROUNDING
from fastgmm.parameters import FloatArray, Parameters

# `reg_covar="relative"` adds this share of each feature's variance to the diagonal: what scikit-learn adds by default,
# 1e-6, to features in standard units.
_RELATIVE = 1e-6
# A share f of a component's own variance above which regularization is worth a warning: it makes a deviation 5 % too
# large, and takes ½(log(1 + f) − f/(1 + f)) = 0.002 from the mean log-density of a point, twice the default `tol`.
_FELT = 0.1


def regularization_of(reg_covar: float | str, facts: Facts) -> FloatArray:
    """What is added to the diagonal of covariances, (n_features,)."""
    if isinstance(reg_covar, str):
        return relative_regularization(within_quartiles(facts.sample, facts.summary.variances))
    return np.full(facts.rows.shape[1], float(reg_covar))


def relative_regularization(variances: FloatArray) -> FloatArray:
    """What ``reg_covar="relative"`` adds to the diagonal of covariances where features have these, (n_features,)."""
    return _RELATIVE * variances


def added_variances(family: CovarianceFamily, regularization: FloatArray) -> FloatArray:
    """What a family adds to the variance of each feature, (n_features,): the spherical one, the mean to all of them."""
    if family.has_matrices:
        return regularization  # the diagonal that they are given
    if family.rank is not None:  # the least that uniquenesses may be
        return family.regularize(np.zeros(family.covariance_shape(1, len(regularization))), regularization)[0, :, -1]
    added = family.regularize(np.zeros(family.covariance_shape(1, len(regularization))), regularization)
    return np.broadcast_to(added[0], regularization.shape)


def rounding_of_variances(n_features: int, largest: float) -> float:
    """A smallest variance up to this size may be nothing but rounding, in a covariance with this largest number."""
    return n_features * ROUNDING * largest


def regularization_warning(
    reg_covar: float | str,
    regularization: FloatArray,
    parameters: Parameters,
    roots: FloatArray,
    passed_over: tuple[int, ...],
) -> RegularizationWarning | None:
    """A warning where regularization is large beside the smallest variance that some components have without it.

    Parameters
    ----------
    roots : ndarray
        ``precisions_cholesky`` of the parameters.
    passed_over : tuple of int
        Components that another warning names.
    """
    family = FAMILIES[parameters.covariance_type]
    added = added_variances(family, regularization)
    if not (added > 0).all():
        return None
    units, covariances = np.sqrt(added), parameters.covariances
    is_felt = np.zeros(parameters.n_components, bool)
    is_felt[:] = family.have_smaller_variances(covariances, roots, units, 1.0 + 1.0 / _FELT)
    is_felt[list(passed_over)] = False
    components = np.flatnonzero(is_felt)
    if not len(components):
        return None
    own = covariances if family.is_shared else covariances[components]
    # The unit is what was added, so we take 1 away; some of what remains is rounding.
    smallest = float(family.smallest_variances(own, units).min()) - 1.0
    rounding = rounding_of_variances(len(units), float(np.abs(own).max() / added.min()))
    unit = _RELATIVE if isinstance(reg_covar, str) else reg_covar
    return RegularizationWarning(
        reg_covar, smallest * unit if smallest > rounding else 0.0, tuple(map(int, components))
    )
