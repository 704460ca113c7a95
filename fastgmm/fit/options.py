"""Hyper-parameters of the estimator: what each may be, said in scikit-learn's words."""

from collections.abc import Callable
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from fastgmm.errors import FastGMMError
from fastgmm.families import FAMILIES
from fastgmm.kernels import BACKEND_NAMES

ACCELERATIONS = ("squarem",)
INIT_METHODS = ("auto", "kmeans", "k-means++", "random", "random_from_data")


class InvalidParameterError(FastGMMError, ValueError, TypeError):
    """A hyper-parameter is not what it may be."""


def check_options(options: dict[str, Any], estimator: str) -> None:
    """Check the estimator's hyper-parameters, except those whose shape depends on the data.

    Raises
    ------
    InvalidParameterError
        A ``ValueError`` that names the parameter, what it must be and what it is.
    """
    for name, value in options.items():
        # A subclass may have parameters of its own.
        rule = _RULES.get(name)
        if rule is not None and not rule.allows(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be {rule.must_be}. Got {value!r} instead."
            )


class _Rule(NamedTuple):
    must_be: str
    allows: Callable[[Any], bool]


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _is_size(value: Any) -> bool:
    """Whether it is a number in [0, inf)."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    try:
        return 0.0 <= float(value) < np.inf
    except OverflowError:  # an integer beyond the range of floats
        return False


def _is_array_like(value: Any) -> bool:
    has_entries = any(hasattr(value, name) for name in ("__len__", "shape", "__array__"))
    return has_entries and not np.isscalar(value)


def _integer_from(smallest: int) -> _Rule:
    return _Rule(f"an int in the range [{smallest}, inf)", lambda value: _is_integer(value) and value >= smallest)


def _choice(names: tuple[str, ...]) -> _Rule:
    listing = ", ".join(map(repr, names))
    return _Rule(f"a str among {{{listing}}}", lambda value: isinstance(value, str) and value in names)


def _or(rule: _Rule, also: str, allows: Callable[[Any], bool]) -> _Rule:
    return _Rule(rule.must_be + also, lambda value: rule.allows(value) or allows(value))


_SIZE = _Rule("a float in the range [0.0, inf)", _is_size)
_BOOLEAN = _Rule(
    "an instance of 'bool' or an instance of 'numpy.bool'", lambda value: isinstance(value, bool | np.bool_)
)
_ARRAY_OR_NONE = _Rule("an array-like or None", lambda value: value is None or _is_array_like(value))
_RULES = {
    "n_components": _integer_from(1),
    "covariance_type": _choice(tuple(FAMILIES)),
    "tol": _SIZE,
    "reg_covar": _or(_SIZE, " or the str 'relative'", lambda value: isinstance(value, str) and value == "relative"),
    "max_iter": _integer_from(0),
    "n_init": _integer_from(1),
    "init_params": _or(_choice(INIT_METHODS), " or a callable", callable),
    "weights_init": _ARRAY_OR_NONE,
    "means_init": _ARRAY_OR_NONE,
    "precisions_init": _ARRAY_OR_NONE,
    "random_state": _Rule(
        "an int in the range [0, 4294967295], an instance of 'numpy.random.mtrand.RandomState' or None",
        lambda value: (
            value is None
            or isinstance(value, np.random.RandomState)
            or (_is_integer(value) and 0 <= value <= 2**32 - 1)
        ),
    ),
    "warm_start": _BOOLEAN,
    "verbose": _or(_integer_from(0), f", {_BOOLEAN.must_be}", _BOOLEAN.allows),
    "verbose_interval": _integer_from(1),
    "n_threads": _or(_integer_from(1), " or None", lambda value: value is None),
    "backend": _choice(BACKEND_NAMES),
    "accelerate": _Rule(
        f"None or {_choice(ACCELERATIONS).must_be}",
        lambda value: value is None or _choice(ACCELERATIONS).allows(value),
    ),
    "deadline": _Rule(
        "None or a float in the range (0.0, inf)",
        lambda value: value is None or (_is_size(value) and value > 0),
    ),
    "callbacks": _Rule(
        "None or a list of callables",
        lambda value: value is None or (isinstance(value, list | tuple) and all(map(callable, value))),
    ),
}


def check_random_state(random_state: Any) -> np.random.RandomState:
    """A ``RandomState``: the one given, one seeded with the int given, or NumPy's global one."""
    if random_state is None:
        return np.random.mtrand._rand
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(int(random_state))


def check_n_samples(n_samples: Any) -> int:
    """How many points to draw: a whole number from 1, be it a float such as 1e3.

    Raises
    ------
    ValueError
        For fewer than one.
    InvalidParameterError
        For a fraction, a truth value, and what no array could hold.
    TypeError
        For what is no number.
    """
    if n_samples < 1:
        raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
    with suppress(OverflowError, ValueError):  # infinity and NaN are no integers
        whole = int(n_samples)
        if whole == n_samples and whole < 2**63 and not isinstance(n_samples, bool | np.bool_):
            return whole
    must_be = "a whole number in the range [1, 2**63)"
    raise InvalidParameterError(f"The 'n_samples' parameter of sample must be {must_be}. Got {n_samples!r} instead.")
