"""Hyper-parameters of the estimator: what each may be, said in scikit-learn's words."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastgmm.covariance import FAMILIES, CovarianceFamily
from fastgmm.kernels import BACKEND_NAMES
from fastgmm.parameters import FloatArray

INIT_METHODS = ("kmeans", "k-means++", "random", "random_from_data")


class InvalidParameterError(ValueError, TypeError):
    """A hyper-parameter is not what it may be."""


def check_options(options: dict[str, Any], estimator: str) -> None:
    """Check the estimator's hyper-parameters, except those whose shape depends on the data.

    Raises
    ------
    InvalidParameterError
        A ``ValueError`` that names the parameter, what it must be and what it is.
    """

    def require(valid: bool, name: str, must_be: str) -> None:
        if not valid:
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be {must_be}. Got {options[name]!r} instead."
            )

    def require_choice(name: str, choices: tuple[str, ...], valid: bool = False) -> None:
        chosen = isinstance(options[name], str) and options[name] in choices
        require(valid or chosen, name, f"a str among {{{', '.join(map(repr, choices))}}}")

    for name, smallest in (("n_components", 1), ("max_iter", 0), ("n_init", 1), ("verbose_interval", 1)):
        require(
            _is_integer(options[name]) and options[name] >= smallest, name, f"an int in the range [{smallest}, inf)"
        )
    require(_is_real(options["tol"]) and 0 <= options["tol"] < np.inf, "tol", "a float in the range [0.0, inf)")
    reg_covar = options["reg_covar"]
    relative = isinstance(reg_covar, str) and reg_covar == "relative"
    require(
        relative or (_is_real(reg_covar) and 0 <= reg_covar < np.inf),
        "reg_covar",
        "a float in the range [0.0, inf) or the str 'relative'",
    )
    require_choice("covariance_type", tuple(FAMILIES))
    require_choice("init_params", INIT_METHODS, valid=callable(options["init_params"]))
    require_choice("backend", BACKEND_NAMES)
    for name in ("weights_init", "means_init", "precisions_init"):
        require(options[name] is None or _is_array_like(options[name]), name, "an array-like or None")
    warm_start, verbose = options["warm_start"], options["verbose"]
    boolean = "an instance of 'bool' or an instance of 'numpy.bool'"
    require(isinstance(warm_start, bool | np.bool_), "warm_start", boolean)
    require(
        (_is_integer(verbose) and verbose >= 0) or isinstance(verbose, bool | np.bool_),
        "verbose",
        f"an int in the range [0, inf), {boolean}",
    )
    n_threads = options["n_threads"]
    require(
        n_threads is None or (_is_integer(n_threads) and n_threads >= 1),
        "n_threads",
        "None or an int in the range [1, inf)",
    )
    callbacks = options["callbacks"]
    require(
        callbacks is None or (isinstance(callbacks, list | tuple) and all(map(callable, callbacks))),
        "callbacks",
        "None or a list of callables",
    )
    random_state = options["random_state"]
    require(
        random_state is None
        or isinstance(random_state, np.random.RandomState)
        or (_is_integer(random_state) and 0 <= random_state <= 2**32 - 1),
        "random_state",
        "an int in the range [0, 4294967295], an instance of 'numpy.random.mtrand.RandomState' or None",
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and not np.isnan(float(value))


def _is_array_like(value: Any) -> bool:
    has_entries = any(hasattr(value, name) for name in ("__len__", "shape", "__array__"))
    return has_entries and not np.isscalar(value)


def check_random_state(random_state: Any) -> np.random.RandomState:
    """A ``RandomState``: the one given, one seeded with the int given, or NumPy's global one."""
    if random_state is None:
        return np.random.mtrand._rand
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(int(random_state))


@dataclass(frozen=True, eq=False)
class GivenStart:
    """Starting parameters given by the user, checked; None where not given."""

    weights: FloatArray | None
    means: FloatArray | None
    covariances: FloatArray | None


def check_given_start(
    family: CovarianceFamily, weights: Any, means: Any, precisions: Any, n_components: int, n_features: int
) -> GivenStart:
    """Check ``weights_init``, ``means_init`` and ``precisions_init`` against the data's shape."""
    return GivenStart(
        None if weights is None else check_weights(weights, n_components),
        None if means is None else _check_array(means, (n_components, n_features), "means"),
        None if precisions is None else _covariances_of(family, precisions, n_components, n_features),
    )


def check_weights(weights: Any, n_components: int) -> FloatArray:
    """Mixing proportions (n_components,), in [0, 1], summing to 1."""
    array = _check_array(weights, (n_components,), "weights")
    if (array < 0.0).any() or (array > 1.0).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{array.min():.5f}, min value {array.max():.5f}"
        )
    tolerance = 1e-6 if getattr(weights, "dtype", None) == np.float32 else 1e-8
    if abs(1.0 - array.sum()) > tolerance:
        raise ValueError(f"The parameter 'weights' should be normalized, but got sum(weights) = {array.sum():.5f}")
    return array


def _check_array(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}")
    if not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity or a value too large for dtype('float64')"
        raise ValueError(f"Input contains {what}. The parameter '{name}' should be finite.")
    return array


def check_covariances(family: CovarianceFamily, covariances: Any, n_components: int, n_features: int) -> FloatArray:
    """Covariances in the shape of the family, symmetric and positive definite."""
    array = _check_array(covariances, family.covariance_shape(n_components, n_features), "covariances")
    _check_positive_definite(family, array, "covariance", n_components, n_features)
    return array


def _covariances_of(family: CovarianceFamily, precisions: Any, n_components: int, n_features: int) -> FloatArray:
    """Covariances of given precisions, which must be symmetric and positive definite."""
    shape = family.covariance_shape(n_components, n_features)
    array = _check_array(precisions, shape, f"{family.name} precision")
    _check_positive_definite(family, array, "precision", n_components, n_features)
    return family.covariances_of_precisions(array)


def _check_positive_definite(
    family: CovarianceFamily, array: FloatArray, noun: str, n_components: int, n_features: int
) -> None:
    matrices = family.matrices(array, n_components, n_features)
    symmetric = np.allclose(matrices, np.swapaxes(matrices, 1, 2))
    if not symmetric or not (np.linalg.eigvalsh(matrices) > 0.0).all():
        raise ValueError(f"'{family.name} {noun}' should be {family.requirement}")
