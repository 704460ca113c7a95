"""Mixtures of counts and categories to files and back: methods of their estimators."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.estimator.discrete_calls import Kind, adopt, fitted_attributes, model_of
from fastgmm.files.discrete_file import SavedDiscrete, load_discrete, save_discrete
from fastgmm.files.plain import plain
from fastgmm.fit.discrete_options import DISCRETE_OPTIONS
from fastgmm.fit.steps import Fit
from fastgmm.machine.whole_file import AnyPath

Mixture = TypeVar("Mixture")
_SAVED_RESULTS = ("converged_", "stop_reason_", "n_iter_", "lower_bound_", "lower_bounds_")


def save(self: Any, path: AnyPath) -> None:
    """Write the fitted mixture to a file that ``load`` of its class reads; the file appears whole or not at all.

    It keeps parameters, results and options, but not starts, random states, callbacks, ``backend`` and ``n_threads``.

    Parameters
    ----------
    path : str or path-like
        It is used as it is: no suffix is added.

    Raises
    ------
    NotFittedError
    ValueError
        Where attributes set by hand make no mixture.
    OSError
        Where the file cannot be written; what stood there before stays.

    Examples
    --------
    >>> import tempfile
    >>> from fastgmm import BernoulliMixture
    >>> mixture = BernoulliMixture().fit([[1, 0], [1, 1]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mixture.save(f"{folder}/model.npz")
    ...     BernoulliMixture.load(f"{folder}/model.npz").score([[1, 1]]) == mixture.score([[1, 1]])
    True
    """
    attributes = dict(vars(self))
    model, names = model_of(attributes, self._kind, type(self).__name__), attributes.get("feature_names_in_")
    kept = [name for name, declared in DISCRETE_OPTIONS.items() if declared.is_saved and name in attributes]
    options = {name: plain(attributes[name]) for name in kept}
    results = {name.rstrip("_"): plain(attributes[name]) for name in _SAVED_RESULTS if name in attributes}
    saved = SavedDiscrete(
        model.parameters,
        attributes.get("n_categories_"),
        # That of None is another value than that of nothing, where it is no default.
        {name: value for name, value in options.items() if value is not None or attributes[name] is None},
        {name: value for name, value in results.items() if value is not None},
        None if names is None else tuple(names),
    )
    save_discrete(path, saved)


def load(cls: type[Mixture], path: AnyPath) -> Mixture:
    """A fitted estimator of this class from a file that ``save`` wrote; ``ModelFormatError`` for one of another."""
    found = load_discrete(path)
    kind: Kind = cls._kind  # type: ignore[attr-defined]
    if found.parameters.covariance_type != kind.family:
        raise ModelFormatError(f"a mixture of another class: {found.parameters.covariance_type}", "foreign", str(path))
    fit = dict(found.fit)
    bounds: Any = fit.get("lower_bounds", [])
    values: Mapping[str, Any] = fit
    fitted = Fit(
        found.parameters,
        np.empty(0),
        values.get("lower_bound", -np.inf),
        values.get("converged", False),
        values.get("stop_reason"),
        steps=(),
        degenerate=(),
    )
    attributes = fitted_attributes(kind, fitted, ())
    attributes |= {"n_iter_": fit.get("n_iter", 0), "lower_bounds_": list(bounds)}
    n_categories = found.n_categories
    attributes["n_features_in_"] = found.parameters.n_features if n_categories is None else len(n_categories)
    if n_categories is not None:
        attributes["n_categories_"] = n_categories
    if found.feature_names is not None:
        attributes["feature_names_in_"] = np.array(found.feature_names, dtype=object)
    estimator = cls(**found.options)
    adopt(estimator, attributes)
    return estimator
