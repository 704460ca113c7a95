"""The attributes of a fitted estimator: what follows from a fit, and whether they agree."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgmm.covariance import FAMILIES
from fastgmm.em import Fit, Step
from fastgmm.options import check_parameters
from fastgmm.parameters import Parameters
from fastgmm.pieces import by_piece, converted

ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def fitted_attributes(fit: Fit, steps: tuple[Step, ...]) -> dict[str, Any]:
    """All attributes of a fit but ``feature_names_in_``; ``steps`` are those of every start."""
    return parameter_attributes(fit.parameters) | {
        "converged_": fit.converged,
        "stop_reason_": fit.stop_reason,
        "n_iter_": len(fit.steps),
        "lower_bound_": fit.lower_bound,
        "lower_bounds_": [step.lower_bound for step in fit.steps],
        "history_": steps,
        "degenerate_components_": fit.degenerate,
    }


def parameter_attributes(parameters: Parameters) -> dict[str, Any]:
    """The fitted attributes that follow from the parameters, in float64."""
    family = FAMILIES[parameters.covariance_type]
    with np.errstate(over="ignore", invalid="ignore"):  # precisions, which no kernel reads, may be beyond 1e308
        factors = by_piece(np.ascontiguousarray, family.precisions_cholesky(parameters.covariances))
        precisions = family.precisions(factors)
    return {
        "weights_": converted(parameters.weights, np.float64),
        "means_": converted(parameters.means, np.float64),
        "covariances_": converted(parameters.covariances, np.float64),
        "precisions_cholesky_": factors,
        "precisions_": precisions,
        "n_features_in_": parameters.n_features,
    }


def check_shapes(attributes: Mapping[str, Any], matrices: str) -> None:
    """Refuse fitted attributes that do not fit together: kernels trust shapes, and read past what is too short.

    They may have been set by hand, or ``covariance_type`` may have been changed since the fit.

    Parameters
    ----------
    matrices : {"covariances_", "precisions_cholesky_"}
        Which of the two is about to be used.
    """
    if attributes["covariance_type"] not in FAMILIES:
        known = ", ".join(map(repr, FAMILIES))
        raise ValueError(f"covariance_type must be among {known}; got {attributes['covariance_type']!r}")
    for name in ("weights_", "means_", matrices):
        if name not in attributes:
            raise AttributeError(f"the estimator has no attribute {name!r}: it was deleted, or never set by hand")
    shapes = {name: np.shape(attributes[name]) for name in ("weights_", "means_", matrices)}
    means = shapes["means_"]
    expected = FAMILIES[attributes["covariance_type"]].covariance_shape(*means) if len(means) == 2 else None
    if shapes["weights_"] != means[:1] or shapes[matrices] != expected:
        listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "The shapes of the fitted attributes make no mixture with "
            f"covariance_type={attributes['covariance_type']!r}: {listing}"
        )


def sound_parameters_of(attributes: Mapping[str, Any]) -> Parameters:
    """Copies of the parameters that the attributes hold; ``ValueError`` where they make no mixture."""
    check_shapes(attributes, "covariances_")
    weights, means, covariances = (attributes[name] for name in ("weights_", "means_", "covariances_"))
    return check_parameters(weights, means, covariances, attributes["covariance_type"])


def parameters_of(attributes: Mapping[str, Any]) -> Parameters:
    """The parameters that the attributes hold; ``ValueError`` where their shapes disagree."""
    check_shapes(attributes, "covariances_")
    arrays = (np.asarray(attributes[name], np.float64) for name in ("weights_", "means_", "covariances_"))
    return Parameters(attributes["covariance_type"], *arrays)
