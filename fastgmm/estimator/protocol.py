"""scikit-learn's estimator protocol as functions, so that our estimators need no base class from it.

They have them as methods: the first argument is the estimator. What transformers need beyond is in ``transformer.py``.
"""

import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

Estimator = TypeVar("Estimator")
Function = TypeVar("Function", bound=Callable[..., Any])
Arguments = ParamSpec("Arguments")

# What parameters are called elsewhere: in scikit-learn's other estimators and its earlier versions, in other libraries
# of mixtures and of k-means.
_NAMES_ELSEWHERE = {
    "n_components": ("k", "n_clusters", "n_gaussians", "n_mixtures", "num_clusters", "num_components"),
    "covariance_type": ("cov", "cov_type", "covariance", "covar_type", "cvtype"),
    "tol": ("eps", "epsilon", "threshold", "tolerance"),
    "reg_covar": ("min_covar", "reg", "regularization"),
    "max_iter": ("max_iterations", "n_iter", "n_iterations", "num_iterations", "iterations", "maxit"),
    "n_init": ("n_restarts", "n_starts", "restarts"),
    "init_params": ("init", "init_method", "initialization"),
    "weights_init": ("weights", "priors"),
    "means_init": ("means", "centers", "centroids"),
    "precisions_init": ("precisions",),
    "random_state": ("seed", "random_seed", "rng"),
    "n_threads": ("n_jobs", "n_cpus", "n_workers", "num_threads", "workers"),
    "deadline": ("time_limit", "timeout", "max_time"),
    "fixed": ("frozen", "freeze"),
}
# How alike a name must be to be taken for a misspelling: ``n_component`` and ``maxiter`` are.
_ALIKE = 0.8


def parameter_names(estimator: object) -> list[str]:
    """The names of the constructor's parameters, sorted."""
    return sorted(_parameters(estimator))


def _parameters(estimator: object) -> dict[str, inspect.Parameter]:
    """Those with a name of their own: neither ``self`` nor ``*args`` and ``**kwargs`` of a subclass."""
    parameters = inspect.signature(type(estimator).__init__).parameters
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: each for name, each in parameters.items() if name != "self" and each.kind not in variable}


def get_params(estimator: object, deep: bool = True) -> dict[str, Any]:
    """The constructor's parameters.

    Parameters
    ----------
    deep : bool, default=True
        Whether to list those of a parameter that is an estimator, too.

    Returns
    -------
    dict
        By name; ``mixture__tol`` is the ``tol`` of the parameter ``mixture``.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture(3).get_params()["n_components"]
    3
    """
    params = {name: getattr(estimator, name) for name in parameter_names(estimator)}
    if deep:
        for name, value in list(params.items()):
            if hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": each for inner, each in value.get_params().items()}
    return params


def set_params(estimator: Estimator, /, **params: Any) -> Estimator:
    """Set parameters of the constructor: all, or none where one is unknown. ``fit`` checks their values.

    Parameters
    ----------
    **params
        By name; ``mixture__tol`` is the ``tol`` of the parameter ``mixture``.

    Returns
    -------
    object
        The estimator itself.

    Raises
    ------
    ValueError
        For a name that the constructor does not know.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture(3).set_params(n_components=2, tol=1e-4)
    GaussianMixture(n_components=2, tol=0.0001)
    """
    names = parameter_names(estimator)
    own, inner = dict[str, Any](), dict[str, dict[str, Any]]()
    for name, value in params.items():
        outer, is_inner, rest = name.partition("__")
        if outer not in names:
            raise ValueError(
                f"Invalid parameter {outer!r} for estimator {estimator}. Valid parameters are: {names!r}."
                f"{_advice(outer, names)}"
            )
        if is_inner:
            inner.setdefault(outer, {})[rest] = value
        else:
            own[name] = value
    targets = {outer: own.get(outer, getattr(estimator, outer)) for outer in inner}
    for outer, target in targets.items():
        if not hasattr(target, "set_params"):
            raise ValueError(f"{outer}={target!r} has no parameters to set: give {outer}=... an estimator first")
        target.set_params(**inner[outer])
    for name, value in own.items():
        setattr(estimator, name, value)
    return estimator


def documented_by(other: Callable[..., Any]) -> Callable[[Function], Function]:
    """Gives a method the docstring of the function that does its work."""

    def documented(method: Function) -> Function:
        method.__doc__ = other.__doc__
        return method

    return documented


def with_advice(init: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """A constructor that answers a name it does not know with the one that may be meant."""
    names = list(inspect.signature(init).parameters)[1:]

    @wraps(init)  # `inspect.signature` sees that of the constructor itself
    def advised(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        for name in kwargs:
            advice = "" if name in names else _advice(name, names)
            if advice:
                raise TypeError(f"{init.__qualname__}() got an unexpected keyword argument {name!r}.{advice}")
        init(*args, **kwargs)

    return advised


def _advice(name: str, names: list[str]) -> str:
    """A sentence that names the parameter that may be meant; empty where that is anyone's guess."""
    meant = [ours for ours in names if name.lower() in _NAMES_ELSEWHERE.get(ours, ())]
    meant = meant or get_close_matches(name, names, 1, _ALIKE)
    return f" Did you mean {meant[0]!r}?" if meant else ""


def representation(estimator: object) -> str:
    """The call that makes the estimator, with the parameters that are not the default."""
    changed = [
        f"{name}={getattr(estimator, name)!r}"
        for name, parameter in _parameters(estimator).items()
        if not _same(getattr(estimator, name), parameter.default)
    ]
    return f"{type(estimator).__name__}({', '.join(changed)})"


def _same(value: Any, default: Any) -> bool:
    return value is default or (
        isinstance(value, str | int | float) and not isinstance(value, np.generic) and value == default
    )


def html_representation(estimator: object) -> Callable[[], str]:
    """What shows the estimator in a notebook, as scikit-learn's are: a method where scikit-learn is loaded.

    Raises
    ------
    AttributeError
        Elsewhere, and where scikit-learn is set to show text: then notebooks, too, show ``repr``.
    """
    if sys.modules.get("sklearn") is None:
        raise AttributeError("_repr_html_ is there only where scikit-learn is loaded")
    from sklearn import get_config
    from sklearn.utils import estimator_html_repr

    if get_config()["display"] != "diagram":
        raise AttributeError("_repr_html_ is there only where scikit-learn's option 'display' is 'diagram'")
    return partial(estimator_html_repr, estimator)


def sklearn_tags(estimator: object) -> Any:
    """scikit-learn's description of what the estimator takes; only scikit-learn asks for it."""
    from sklearn.utils import InputTags, Tags, TargetTags

    return Tags(
        estimator_type="density_estimator",
        target_tags=TargetTags(required=False),
        transformer_tags=None,
        regressor_tags=None,
        classifier_tags=None,
        input_tags=InputTags(allow_nan=True),
    )


def discrete_tags(estimator: object, family: str) -> Any:
    """The same of a mixture of counts or categories."""
    tags = sklearn_tags(estimator)
    tags.input_tags.allow_nan = family != "multinomial"
    tags.input_tags.positive_only = family != "bernoulli"
    tags.input_tags.categorical = family == "categorical"
    tags.input_tags.sparse = not tags.input_tags.categorical
    return tags


def regressor_tags(estimator: object) -> Any:
    """The same of a regressor."""
    from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

    return Tags(
        estimator_type="regressor",
        target_tags=TargetTags(required=True, multi_output=True),
        transformer_tags=None,
        regressor_tags=RegressorTags(),
        classifier_tags=None,
        input_tags=InputTags(allow_nan=True),
    )
