"""Whether arrays that were handed in make a mixture: parameters, and those that a start is given by."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.parameters import FloatArray, Parameters


def check_given_start(
    family: CovarianceFamily, weights: Any, means: Any, precisions: Any, n_components: int, n_features: int
) -> tuple[FloatArray | None, FloatArray | None, FloatArray | None]:
    """Weights, means and covariances that a start is given, by precisions; None where it is not.

    Where components share something of their covariances they do so from the start, as EM relies on.
    """
    require_features(family, n_features)
    return (
        None if weights is None else check_weights(weights, n_components),
        None if means is None else _check_array(means, (n_components, n_features), "means"),
        None if precisions is None else _start_of(family, precisions, n_components, n_features),
    )


def require_features(family: CovarianceFamily, n_features: int) -> None:
    """Refuse more than one feature where the family is a model of one, and too few for its rank."""
    family.covariance_shape(1, n_features)
    if family.is_of_one_feature and n_features != 1:
        raise ValueError(
            f"covariance_type={family.name!r} is a model of a single feature; got {n_features}. Of several features "
            f"its like is {family.name + 'II'!r}."
        )


def _start_of(family: CovarianceFamily, precisions: Any, n_components: int, n_features: int) -> FloatArray:
    covariances = _covariances_of(family, precisions, n_components, n_features)
    return family.constrained(covariances, np.ones(n_components))


def check_weights(weights: Any, n_components: int) -> FloatArray:
    """Mixing proportions (n_components,), in [0, 1], summing to 1."""
    array = _check_array(weights, (n_components,), "weights")
    if (array < 0.0).any() or (array > 1.0).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{array.min():.5f}, min value {array.max():.5f}"
        )
    is_single = getattr(weights, "dtype", None) == np.float32
    if abs(1.0 - array.sum()) > (1e-6 if is_single else 1e-8):
        raise ValueError(f"The parameter 'weights' should be normalized, but got sum(weights) = {array.sum():.5f}")
    return array / array.sum() if is_single else array


def _check_array(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}")
    if not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity or a value too large for dtype('float64')"
        raise ValueError(f"Input contains {what}. The parameter '{name}' should be finite.")
    return array


def check_parameters(weights: Any, means: Any, covariances: Any, covariance_type: str) -> Parameters:
    """Parameters from a user's arrays.

    Raises
    ------
    ValueError
        Where the family is unknown, shapes disagree, weights do not sum to 1, or a covariance is not positive definite.
    """
    if covariance_type not in FAMILIES:
        raise ValueError(f"covariance_type must be one of {', '.join(map(repr, FAMILIES))}; got {covariance_type!r}")
    means = np.array(means, dtype=np.float64)
    if means.ndim != 2 or not means.size or not np.isfinite(means).all():
        raise ValueError(f"means must be a finite array of shape (n_components, n_features); got shape {means.shape}")
    n_components, n_features = means.shape
    require_features(FAMILIES[covariance_type], n_features)
    checked = check_covariances(FAMILIES[covariance_type], covariances, n_components, n_features)
    return Parameters(covariance_type, check_weights(weights, n_components), means, checked)


def check_covariances(family: CovarianceFamily, covariances: Any, n_components: int, n_features: int) -> FloatArray:
    """Covariances in the shape of the family, symmetric and positive definite."""
    array = _check_array(covariances, family.covariance_shape(n_components, n_features), "covariances")
    _of_positive_definite(family, array, "covariance", family.precisions_cholesky)
    return array


def _covariances_of(family: CovarianceFamily, precisions: Any, n_components: int, n_features: int) -> FloatArray:
    """Covariances of given precisions, which must be symmetric and positive definite."""
    shape = family.covariance_shape(n_components, n_features)
    array = _check_array(precisions, shape, f"{family.name} precision")
    return _of_positive_definite(family, array, "precision", family.covariances_of_precisions)


def _of_positive_definite(
    family: CovarianceFamily, array: FloatArray, noun: str, function: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """``function`` of matrices that are symmetric to single precision, and by its rule positive definite."""
    with (
        suppress(NotPositiveDefiniteError),
        np.errstate(over="ignore", invalid="ignore"),  # what is beyond 1e308 is refused without a warning
    ):
        if not family.has_matrices or all(map(_is_symmetric, array.reshape(-1, *array.shape[-2:]))):
            return function(array)
    requirement = "symmetric, positive-definite" if family.has_matrices else "positive"
    raise ValueError(f"'{family.name} {noun}' should be {requirement}")


def _is_symmetric(matrix: FloatArray) -> bool:
    """Whether entries and their mirror images differ by less than 1e-5 of √(aᵢᵢaⱼⱼ)."""
    deviations = np.sqrt(np.abs(np.diagonal(matrix)))
    return bool((np.abs(matrix - matrix.T) <= 1e-5 * np.outer(deviations, deviations)).all())
