"""What all of the algebra of fitted mixtures shares: parameters in, which features are meant, an estimator out.

What a method gives is a mixture of the smallest family that holds it exactly. Which one that is follows from the
family and from what is asked, never from the numbers of the covariances, so that a program may rely on it. Of factor
analyzers it is a mixture of matrices, but for what has loadings again: some of the features.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.features import indices_of
from fastgmm.families import options_of_name
from fastgmm.families.component import in_matrices
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.machine.waiting import attended
from fastgmm.model.attributes import no_history, parameter_attributes, parameters_of, work_on
from fastgmm.model.scoring import adopt
from fastgmm.parameters import FloatArray, Names, Parameters

Estimator = TypeVar("Estimator")

# What of the options says how to compute, and not how to fit.
_KEPT_OPTIONS = ("random_state", "n_threads", "backend")


def attributes_of(estimator: Any) -> Mapping[str, Any]:
    """All attributes of a fitted estimator. Whoever looks once sees one model, be it fitted anew meanwhile."""
    attributes: Mapping[str, Any] = estimator._fitted()
    return attributes


def fitted_parameters(attributes: Mapping[str, Any]) -> Parameters:
    """The parameters that the attributes hold, with weights that sum to 1, also where they were set by hand."""
    return in_matrices(as_fitted(attributes))


def as_fitted(attributes: Mapping[str, Any]) -> Parameters:
    """The same with the loadings of factor analyzers, where matrices take their place else."""
    given = parameters_of(attributes)
    return replace(given, weights=given.weights / given.weights.sum())


def fitted_names(attributes: Mapping[str, Any]) -> Names | None:
    """The names of the features, where there are any."""
    names: Names | None = attributes.get("feature_names_in_")
    return names


def fitted_parameters_and_names(estimator: Any) -> tuple[Parameters, Names | None]:
    """Both, of one look."""
    attributes = attributes_of(estimator)
    return fitted_parameters(attributes), fitted_names(attributes)


def estimator_of(like: Estimator, parameters: Parameters, names: Names | None) -> Estimator:
    """A fitted estimator of the class of another one, with the options of that one that say how to compute.

    Raises
    ------
    ValueError
        Where the parameters are beyond the range of numbers, or a covariance has no factor.
    """
    for what, array in (("means", parameters.means), ("covariances", parameters.covariances)):
        if not np.isfinite(array).all():
            raise ValueError(f"The {what} of the result are beyond the range of numbers (1.8e308).")
    build: Any = type(like)
    options = {name: vars(like)[name] for name in _KEPT_OPTIONS}
    result: Estimator = build(parameters.n_components, **options_of_name(parameters.covariance_type), **options)
    try:
        attributes = attended(lambda: parameter_attributes(parameters), work_on(parameters.covariances))
    except NotPositiveDefiniteError as error:
        raise ValueError(f"There is no such mixture: {error}, be it for rounding.") from None
    adopt(result, no_history() | attributes | ({} if names is None else {"feature_names_in_": names}))
    return result


def require_mixture(other: object) -> Any:
    """The other one of two mixtures; ``TypeError`` where it is none of ours."""
    if not hasattr(other, "_fitted"):
        raise TypeError(
            f"The other mixture should be a fastgmm.GaussianMixture, which from_sklearn makes of scikit-learn's; got "
            f"{type(other).__name__}."
        )
    return other


def whole_number(value: Any, name: str, method: str, least: int = 1) -> int:
    """An argument that counts something; ``ValueError`` where it is no whole number, or too small."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"The {name!r} parameter of {method} must be a whole number from {least}. Got {value!r}.")
    return int(value)


def lower_factors(matrices: FloatArray) -> FloatArray:
    """L (..., d, d) with LLᵀ the matrices; ``ValueError`` where one is not positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(matrices), np.float64)
    except np.linalg.LinAlgError:
        raise ValueError("A covariance of the mixture is not positive definite.") from None


def given_values(given: Any, n_features: int, names: Names | None) -> tuple[NDArray[np.intp], FloatArray]:
    """Which features are given, and their values: of a mapping from features to values, or a row with NaN elsewhere."""
    if isinstance(given, Mapping):
        indices = indices_of(list(given), n_features, names, "given")
        values = np.array([float(each) for each in given.values()])
    else:
        row = np.array(given, np.float64)
        if row.shape != (n_features,):
            raise ValueError(
                f"given should be a mapping from features to values, or one row of {n_features} values with NaN for "
                f"what is not given; got an array of shape {row.shape}."
            )
        indices = np.flatnonzero(~np.isnan(row))
        values = row[indices]
    if not len(indices):
        raise ValueError("given holds no value: give that of one feature at least.")
    if not np.isfinite(values).all():
        raise ValueError("given holds a value that is not finite.")
    if len(indices) == n_features:
        raise ValueError("given holds the values of all features, so that there is nothing left to be distributed.")
    return indices, values
