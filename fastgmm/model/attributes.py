"""The attributes of a fitted estimator: what follows from a fit, what was set by hand, and whether they agree.

Scores follow from ``precisions_cholesky_``, points that are drawn, files and warm starts from ``covariances_``, as in
scikit-learn. A mixture set by hand needs only one of the two, whichever it is: the other is computed where it is read.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgmm.errors import not_fitted
from fastgmm.families import FAMILIES, CovarianceFamily, name_of
from fastgmm.families.check import check_covariances, check_parameters
from fastgmm.families.noise import Noise
from fastgmm.fit.steps import Fit, Step
from fastgmm.parameters import FloatArray, Parameters

ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
_MATRICES = ("covariances_", "precisions_cholesky_")


def fitted_attributes(fit: Fit, steps: tuple[Step, ...]) -> dict[str, Any]:
    """All attributes of a fit but ``feature_names_in_``; ``steps`` are those of every start."""
    return parameter_attributes(fit.parameters, fit.precisions_cholesky) | {
        "converged_": fit.converged,
        "stop_reason_": fit.stop_reason,
        "n_iter_": len(fit.steps),
        "lower_bound_": fit.lower_bound,
        "lower_bounds_": [step.lower_bound for step in fit.steps],
        "history_": steps,
        "degenerate_components_": fit.degenerate,
        "prior_": fit.prior,
        "n_fixed_parameters_": fit.n_fixed_parameters,
        "n_missing_": fit.n_missing,
        "noise_weight_": fit.noise_weight,
        "noise_log_volume_": None if fit.noise is None else fit.noise.log_volume,
        "noise_box_": None if fit.noise is None else fit.noise.box,
    }


def no_history() -> dict[str, Any]:
    """What an estimator says of its fit where it has parameters, and no fit has found them."""
    return {
        "converged_": False,
        "stop_reason_": None,
        "n_iter_": 0,
        "lower_bound_": -np.inf,
        "lower_bounds_": [],
        "history_": (),
        "degenerate_components_": (),
        "prior_": None,
        "n_fixed_parameters_": 0,
        "n_missing_": 0,
        "noise_weight_": 0.0,
        "noise_log_volume_": None,
        "noise_box_": None,
    }


def parameter_attributes(parameters: Parameters, roots: FloatArray | None = None) -> dict[str, Any]:
    """The fitted attributes that follow from the parameters, in float64, and from their ``precisions_cholesky``."""
    family = FAMILIES[parameters.covariance_type]
    with np.errstate(over="ignore", invalid="ignore"):  # precisions, which no kernel reads, may be beyond 1e308
        roots = family.precisions_cholesky(parameters.covariances) if roots is None else roots
        factors = np.array(roots, np.float64, order="C")
        precisions = family.precisions(factors)
    return {
        "weights_": parameters.weights.astype(np.float64),
        "means_": parameters.means.astype(np.float64),
        "covariances_": parameters.covariances.astype(np.float64),
        "precisions_cholesky_": factors,
        "precisions_": precisions,
        "n_features_in_": parameters.n_features,
    }


def has_noise(attributes: Mapping[str, Any]) -> bool:
    """Whether an estimator is one with noise, fitted or not."""
    return attributes.get("noise") is not None or bool(attributes.get("noise_weight_"))


def noise_of(attributes: Mapping[str, Any]) -> tuple[Noise, float] | None:
    """The noise of a fit and its weight; ``ValueError`` where they make none."""
    if (log_volume := attributes.get("noise_log_volume_")) is None:
        return None
    box, weight = attributes.get("noise_box_"), float(attributes.get("noise_weight_", 0.0))
    if not (np.isfinite(log_volume) and 0.0 <= weight < 1.0):
        raise ValueError("noise_weight_ should be in the range [0, 1), and noise_log_volume_ finite")
    if box is not None:
        box = np.asarray(box, np.float64)
        if box.shape != (2, np.shape(attributes["means_"])[1]) or not (box[0] < box[1]).all():
            raise ValueError("noise_box_ should have a smallest and a larger largest value for each feature")
    return Noise(float(log_volume), box), weight


def family_name(attributes: Mapping[str, Any]) -> str:
    """Of the covariance family, with the rank where it has one."""
    name, rank = attributes["covariance_type"], attributes.get("rank", 1)
    return name_of(name, rank) if isinstance(name, str) else name


def family_of(attributes: Mapping[str, Any]) -> CovarianceFamily:
    return FAMILIES[family_name(attributes)]


def work_on(matrices: Any) -> float:
    """Multiply-adds that it takes at most to factor covariances, or their roots, by how many numbers they are."""
    return float(matrices.size) ** 1.5 if isinstance(matrices, np.ndarray) else 0.0


def work_of_matrices(attributes: Mapping[str, Any]) -> float:
    """The same of those that the attributes hold."""
    return max(work_on(attributes.get(name)) for name in _MATRICES)


def loadings_of(self: Any) -> FloatArray:
    """Λ (K, d, rank) of a fitted mixture of factor analyzers; no attribute of any other."""
    return _of_factors(self, "loadings_")[..., :-1]


def uniquenesses_of(self: Any) -> FloatArray:
    """ψ (K, d) of a fitted mixture of factor analyzers; no attribute of any other."""
    return _of_factors(self, "uniquenesses_")[..., -1]


def _of_factors(estimator: Any, name: str) -> FloatArray:
    attributes = vars(estimator)
    family = None if missing_parameters(attributes) else family_of(attributes)
    if family is None or family.rank is None:
        raise AttributeError(
            f"{type(estimator).__name__!r} object has no attribute {name!r}, which fitted factor analyzers have"
        )
    return _covariances_of(attributes)


def missing_parameters(attributes: Mapping[str, Any]) -> list[str]:
    """What a mixture still needs."""
    missing = [name for name in ("weights_", "means_") if name not in attributes]
    return missing if any(name in attributes for name in _MATRICES) else [*missing, " or ".join(_MATRICES)]


def has_parameters(attributes: Mapping[str, Any]) -> bool:
    """Whether a fit, or anyone else, has set some."""
    return any(name in attributes for name in ("weights_", "means_", *_MATRICES))


def check_complete(attributes: Mapping[str, Any], estimator: str = "GaussianMixture") -> None:
    """Refuse an estimator that was never fitted, or of whose parameters some were never set by hand."""
    missing = missing_parameters(attributes)
    if missing:
        raise not_fitted(estimator, missing if has_parameters(attributes) else ())


def check_shapes(attributes: Mapping[str, Any], matrices: str) -> None:
    """Refuse fitted attributes that do not fit together: kernels trust shapes, and read past what is too short.

    They may have been set by hand, or ``covariance_type`` may have been changed since the fit.

    Parameters
    ----------
    matrices : {"covariances_", "precisions_cholesky_"}
        Which of the two is about to be read.
    """
    if attributes["covariance_type"] not in FAMILIES:
        known = ", ".join(map(repr, FAMILIES))
        raise ValueError(f"covariance_type must be among {known}; got {attributes['covariance_type']!r}")
    shapes = {name: np.shape(attributes[name]) for name in ("weights_", "means_", matrices)}
    means = shapes["means_"]
    is_table = len(means) == 2 and 0 not in means
    expected = family_of(attributes).covariance_shape(*means) if is_table else None
    if shapes["weights_"] != means[:1] or shapes[matrices] != expected:
        listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "The shapes of the fitted attributes make no mixture with "
            f"covariance_type={family_name(attributes)!r}: {listing}"
        )


def _read(attributes: Mapping[str, Any], wanted: str) -> tuple[str, FloatArray]:
    """``covariances_`` or ``precisions_cholesky_``, the one that is wanted if it was set, and its name."""
    check_complete(attributes)
    (other,) = set(_MATRICES) - {wanted}
    name = wanted if wanted in attributes else other
    check_shapes(attributes, name)
    return name, np.asarray(attributes[name], np.float64)


def weights_and_means_of(attributes: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Both in float64; ``ValueError`` where they hold what none has, for which a kernel would drop the component."""
    weights, means = (np.asarray(attributes[name], np.float64) for name in ("weights_", "means_"))
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights_ should be finite and not negative, and one of them positive")
    if not np.isfinite(means).all():
        raise ValueError("means_ should be finite")
    return weights, means


def upper_root_of(attributes: Mapping[str, Any]) -> FloatArray:
    """``precisions_cholesky_`` as kernels read it: upper triangular and positive on the diagonal, or positive 1/σ.

    Set by hand it may be any root of the precisions. Where it was not set, it follows from ``covariances_``.

    Raises
    ------
    NotFittedError
        Where neither was set.
    ValueError
        Where shapes disagree, or no mixture has such roots or covariances.
    """
    name, matrices = _read(attributes, "precisions_cholesky_")
    family = family_of(attributes)
    if name == "precisions_cholesky_":
        return family.upper_root(matrices)
    return family.precisions_cholesky(check_covariances(family, matrices, *np.shape(attributes["means_"])))


def _covariances_of(attributes: Mapping[str, Any]) -> FloatArray:
    """``covariances_``, or where they were not set those of ``precisions_cholesky_``."""
    name, matrices = _read(attributes, "covariances_")
    if name == "covariances_":
        return matrices
    return family_of(attributes).covariances_of_root(upper_root_of(attributes))


def parameters_of(attributes: Mapping[str, Any]) -> Parameters:
    """The parameters that the attributes hold; ``ValueError`` where they are missing or their shapes disagree."""
    covariances = _covariances_of(attributes)
    return Parameters(family_name(attributes), *weights_and_means_of(attributes), covariances)


def sound_parameters_of(attributes: Mapping[str, Any]) -> Parameters:
    """Copies of the parameters that the attributes hold; ``ValueError`` where they make no mixture."""
    covariances = _covariances_of(attributes)
    return check_parameters(attributes["weights_"], attributes["means_"], covariances, family_name(attributes))


def completed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with all that a fit sets: what was not set by hand follows from what was."""
    parameters, root = parameters_of(attributes), upper_root_of(attributes)
    with np.errstate(over="ignore"):
        precisions = FAMILIES[parameters.covariance_type].precisions(root)
    arrays = parameters.weights, parameters.means, parameters.covariances, precisions, root
    complete = dict(zip(ARRAYS, arrays, strict=True)) | {"n_features_in_": parameters.n_features}
    return {**no_history(), **attributes, **complete}
