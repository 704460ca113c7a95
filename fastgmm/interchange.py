"""Fitted estimators to and from plain parameters, scikit-learn's estimator, and model files."""

from typing import Any, TypeVar

import numpy as np

from fastgmm.covariance import FAMILIES
from fastgmm.model_file import SavedModel
from fastgmm.options import check_covariances, check_weights
from fastgmm.parameters import Parameters

# What a scikit-learn estimator and ours have in common.
_SHARED_OPTIONS = (
    "n_components",
    "covariance_type",
    "tol",
    "reg_covar",
    "max_iter",
    "n_init",
    "init_params",
    "weights_init",
    "means_init",
    "precisions_init",
    "random_state",
    "warm_start",
    "verbose",
    "verbose_interval",
)
_FITTED_ATTRIBUTES = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "n_features_in_",
    "feature_names_in_",
)
# Options that a model file keeps: plain values. Arrays, callables and random states stay behind.
_SAVED_OPTIONS = tuple(name for name in _SHARED_OPTIONS if not name.endswith("_init") or name == "n_init")
_SAVED_RESULTS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_")

Estimator = TypeVar("Estimator")


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
    checked = check_covariances(FAMILIES[covariance_type], covariances, n_components, n_features)
    return Parameters(covariance_type, check_weights(weights, n_components), means, checked)


def to_sklearn(estimator: Any) -> Any:
    """scikit-learn's estimator with the parameters and fitted attributes of ours."""
    try:
        from sklearn.mixture import GaussianMixture as SklearnMixture
    except ImportError as error:
        raise ImportError("to_sklearn needs scikit-learn: pip install 'fastgmm[sklearn]'") from error
    options = {name: getattr(estimator, name) for name in _SHARED_OPTIONS}
    if isinstance(options["reg_covar"], str) or callable(options["init_params"]):
        raise ValueError("scikit-learn knows neither reg_covar='relative' nor a callable init_params")
    result = SklearnMixture(**options)
    _copy_attributes(estimator, result)
    return result


def from_sklearn(cls: type[Estimator], estimator: Any, options: dict[str, Any]) -> Estimator:
    """Our estimator with the parameters and fitted attributes of scikit-learn's."""
    shared = {name: getattr(estimator, name) for name in _SHARED_OPTIONS}
    result = cls(**(shared | options))
    _copy_attributes(estimator, result)
    if hasattr(estimator, "means_"):
        result.__dict__.update(history_=(), degenerate_components_=())
    return result


def _copy_attributes(source: Any, target: Any) -> None:
    for name in _FITTED_ATTRIBUTES:
        if hasattr(source, name):
            value = getattr(source, name)
            setattr(target, name, value.copy() if hasattr(value, "copy") else value)


def to_saved_model(estimator: Any) -> SavedModel:
    """What a model file holds of a fitted estimator."""
    names = getattr(estimator, "feature_names_in_", None)
    options = {name: _plain(getattr(estimator, name)) for name in _SAVED_OPTIONS}
    return SavedModel(
        parameters=Parameters(estimator.covariance_type, estimator.weights_, estimator.means_, estimator.covariances_),
        options={name: value for name, value in options.items() if value is not None},
        fit={name.rstrip("_"): _plain(getattr(estimator, name)) for name in _SAVED_RESULTS},
        feature_names=None if names is None else tuple(names),
        dtype="float64",
    )


def _plain(value: Any) -> Any:
    """A JSON value, or None for what has none."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else None


def from_saved_model(cls: type[Estimator], model: SavedModel) -> Estimator:
    """The estimator that a model file describes."""
    parameters = model.parameters
    known = {name: value for name, value in model.options.items() if name in _SAVED_OPTIONS and name != "n_components"}
    build: Any = cls
    estimator = build.from_parameters(
        parameters.weights,
        parameters.means,
        parameters.covariances,
        **(known | {"covariance_type": parameters.covariance_type}),
    )
    for name in _SAVED_RESULTS:
        if name.rstrip("_") in model.fit:
            setattr(estimator, name, model.fit[name.rstrip("_")])
    if model.feature_names is not None:
        estimator.feature_names_in_ = np.array(model.feature_names, dtype=object)
    result: Estimator = estimator
    return result
