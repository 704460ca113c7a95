"""Calls of the estimator's methods: arguments checked, and handed to what computes."""

from collections.abc import Mapping
from typing import Any

from fastgmm.fitted import fitted_attributes, parameters_of
from fastgmm.fitting import EarlierFit, fit_rows
from fastgmm.kernels.contract import Rows
from fastgmm.options import check_options
from fastgmm.validation import (
    check_n_components,
    check_n_features,
    check_sample_weight,
    check_values,
    feature_names,
    moderate,
)


def checked_fit(estimator: object, X: Any, sample_weight: Any) -> tuple[Rows, dict[str, Any]]:
    """Validated rows, and the attributes of their fit, which the estimator does not have yet."""
    options, name = vars(estimator), type(estimator).__name__
    check_options(options, name)
    names = feature_names(X)
    values = check_values(X, name, min_rows=2)
    rows = Rows(values, moderate(check_sample_weight(sample_weight, len(values))))
    check_n_components(rows, options["n_components"])
    best, steps = fit_rows(options, rows, _earlier_fit(options, values.shape[1], name))
    fitted = fitted_attributes(best, steps)
    return rows, fitted if names is None else fitted | {"feature_names_in_": names}


def _earlier_fit(attributes: Mapping[str, Any], n_features: int, estimator: str) -> EarlierFit | None:
    """What a warm start continues, if it is one; ``ValueError`` where that is a model of another shape."""
    if not (attributes["warm_start"] and "converged_" in attributes):
        return None
    check_n_features(n_features, attributes["n_features_in_"], estimator)
    earlier: dict[str, Any] = {"n_components": len(attributes["means_"])}
    if "_scorer" in attributes:  # the shapes of arrays do not always tell the family
        earlier["covariance_type"] = attributes["_scorer"].covariance_type
    for name, value in earlier.items():
        if attributes[name] != value:
            raise ValueError(
                f"With warm_start=True a fit continues the last one, whose {name} is {value!r}; got "
                f"{name}={attributes[name]!r}. Set warm_start=False to start anew."
            )
    return EarlierFit(parameters_of(attributes), attributes["lower_bound_"])
