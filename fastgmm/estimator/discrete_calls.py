"""Calls of the methods of mixtures of counts and categories: arguments checked, and handed to what computes.

What the four estimators differ in is a ``Kind``; each has one, and all else in common.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fastgmm.data.counts import (
    check_binary,
    check_categories,
    check_counts,
    entries_of_categories,
    numbers_of_categories,
    require_lines,
)
from fastgmm.data.labels import with_labels
from fastgmm.data.validation import check_feature_names, check_n_features, feature_names
from fastgmm.data.weights import check_sample_weight, warn_of_weights
from fastgmm.entries import Entries
from fastgmm.errors import not_fitted
from fastgmm.families.discrete import family_of
from fastgmm.families.discrete_check import check_discrete
from fastgmm.fit.discrete import fit_entries
from fastgmm.fit.discrete_options import DiscreteOptions, discrete_options_of
from fastgmm.fit.fitting import EarlierFit
from fastgmm.fit.options import InvalidParameterError
from fastgmm.fit.steps import Fit, Observer, Step
from fastgmm.kernels.linear import plan_of_entries
from fastgmm.machine.waiting import attended, in_caller
from fastgmm.model.discrete import DiscreteModel
from fastgmm.parameters import Array, IntArray
from fastgmm.rows import Rows
from fastgmm.show.verbose import print_progress

_SWEEPS_OF_A_FIT = 20
# Of a fit and nothing else: the attributes of an earlier one go when a fit replaces it.
_OF_A_FIT = ("feature_names_in_", "n_categories_")


@dataclass(frozen=True, eq=False)
class Read:
    """Validated rows: their entries, how many features users see, and of categories how many each of them has."""

    entries: Entries
    n_features: int
    n_categories: IntArray | None = None


@dataclass(frozen=True, eq=False)
class Kind:
    """What an estimator is one of.

    Attributes
    ----------
    family : str
    means : str
        What the mean parameters are called: 'probabilities' or 'rates'.
    read : callable (attributes of the estimator, X, its name, least number of rows) -> Read
        Of an estimator that is fitted ``attributes`` have what was found then.
    """

    family: str
    means: str
    read: Callable[[Mapping[str, Any], Any, str, int], Read]

    @property
    def attribute(self) -> str:
        return f"{self.means}_"


def read_binary(attributes: Mapping[str, Any], X: Any, name: str, min_rows: int) -> Read:
    rows = check_binary(X, name, min_rows, attributes["binarize"])
    return Read(rows, rows.n_features)


def read_counts_or_missing(attributes: Mapping[str, Any], X: Any, name: str, min_rows: int) -> Read:
    rows = check_counts(X, name, min_rows, allow_missing=True)
    return Read(rows, rows.n_features)


def read_counts(attributes: Mapping[str, Any], X: Any, name: str, min_rows: int) -> Read:
    rows = check_counts(X, name, min_rows, allow_missing=False)
    return Read(rows, rows.n_features)


def read_categories(attributes: Mapping[str, Any], X: Any, name: str, min_rows: int) -> Read:
    """Of a fit as many categories as there are or were asked for, later as many as in the fit."""
    values = check_categories(X, name, min_rows)
    known: IntArray | None = attributes.get("n_categories_")
    if known is not None:
        check_n_features(values.shape[1], len(known), name)
    else:
        known = _categories_of_a_fit(values, attributes["n_categories"], name)
    require_lines(int(known.sum()))
    return Read(entries_of_categories(values, known, name), values.shape[1], known)


def _categories_of_a_fit(values: Array, asked: Any, name: str) -> IntArray:
    if asked is None:
        return numbers_of_categories(values)
    wanted = np.asarray(asked)
    if wanted.dtype.kind not in "iu" or wanted.ndim > 1 or (wanted < 1).any():
        raise InvalidParameterError(
            f"The 'n_categories' parameter of {name} must be whole numbers from 1. Got {asked!r} instead."
        )
    if wanted.ndim == 1 and len(wanted) != values.shape[1]:
        raise ValueError(f"n_categories has {len(wanted)} numbers, X has {values.shape[1]} features.")
    return np.broadcast_to(wanted, values.shape[1]).astype(np.int64)


BERNOULLI = Kind("bernoulli", "probabilities", read_binary)
POISSON = Kind("poisson", "rates", read_counts_or_missing)
MULTINOMIAL = Kind("multinomial", "probabilities", read_counts)
CATEGORICAL = Kind("categorical", "probabilities", read_categories)


def checked_fit(estimator: Any, X: Any, y: object, sample_weight: Any, labels: Any) -> tuple[Read, dict[str, Any]]:
    """Validated rows, and the attributes of their fit, which the estimator does not have yet."""
    kind: Kind = estimator._kind
    attributes, name = vars(estimator), type(estimator).__name__
    options = discrete_options_of(attributes, name, f"{kind.means}_init")
    is_continued = options.warm_start and kind.attribute in attributes
    # What an earlier fit has found says nothing of these rows, unless it goes on.
    own = attributes if is_continued else {each: value for each, value in attributes.items() if each not in _OF_A_FIT}
    names, read = feature_names(X), kind.read(own, X, name, 1)
    rows = with_beliefs(read.entries, sample_weight, labels, options.n_components)
    if sample_weight is None:
        warn_of_weights(y, rows.n_rows)
    family = family_of(kind.family, read.n_categories)
    earlier = _earlier(attributes, kind, options, read, name) if is_continued else None

    def work() -> tuple[Fit, tuple[Step, ...], Warning | None]:
        return fit_entries(options, family, rows, earlier, _observers(options))

    operations = _SWEEPS_OF_A_FIT * plan_of_entries(rows, options.n_components).work_per_row * rows.n_rows
    fit, steps, warning = attended(work, operations)
    if warning is not None:
        warnings.warn(warning, stacklevel=3)
    fitted = fitted_attributes(kind, fit, steps) | {"n_features_in_": read.n_features}
    if read.n_categories is not None:
        fitted["n_categories_"] = read.n_categories
    return read, fitted if names is None else fitted | {"feature_names_in_": names}


def with_beliefs(rows: Entries, sample_weight: Any, labels: Any, n_components: int) -> Entries:
    """The rows with their weights, and what is known of their components."""
    if sample_weight is not None:
        rows = replace(rows, weights=check_sample_weight(sample_weight, rows.n_rows))
    if labels is None:
        return rows
    believing = with_labels(Rows(np.zeros((rows.n_rows, 1)), rows.weights), labels, n_components)
    return replace(rows, groups=believing.groups, group_prior=believing.group_prior)


def _observers(options: DiscreteOptions) -> list[Observer]:
    """Who sees every step, in the caller's thread."""
    observers: list[Observer] = list(options.callbacks or ())
    if options.verbose:
        observers.append(print_progress(options.verbose, options.verbose_interval, options.max_iter))
    return [partial(in_caller, observer) for observer in observers]


def _earlier(attributes: Mapping[str, Any], kind: Kind, options: DiscreteOptions, read: Read, name: str) -> EarlierFit:
    model = model_of(attributes, kind, name)
    n_components = model.parameters.n_components
    if n_components != options.n_components:
        raise ValueError(
            f"With warm_start=True a fit continues the last one, whose n_components is {n_components}; got "
            f"n_components={options.n_components}. Set warm_start=False to start anew."
        )
    check_n_features(read.n_features, attributes["n_features_in_"], name)
    return EarlierFit(model.parameters, attributes.get("lower_bound_", -np.inf))


def fitted_attributes(kind: Kind, fit: Fit, steps: tuple[Step, ...]) -> dict[str, Any]:
    """All attributes of a fit but those of the features."""
    return {
        "weights_": fit.parameters.weights,
        kind.attribute: fit.parameters.means,
        "converged_": fit.converged,
        "stop_reason_": fit.stop_reason,
        "n_iter_": len(fit.steps),
        "lower_bound_": fit.lower_bound,
        "lower_bounds_": [step.lower_bound for step in fit.steps],
        "history_": steps,
    }


def adopt(estimator: Any, fitted: Mapping[str, Any]) -> None:
    """Give an estimator the attributes of a fit, in place of those of an earlier one, all in one step."""
    kept = {name: value for name, value in vars(estimator).items() if name not in _OF_A_FIT}
    estimator.__dict__ = kept | dict(fitted)


def model_of(attributes: Mapping[str, Any], kind: Kind, name: str) -> DiscreteModel:
    """The model that the attributes make, be they set by hand; ``ValueError`` where they make none."""
    if kind.attribute not in attributes or "weights_" not in attributes:
        raise not_fitted(name)
    family = family_of(kind.family, attributes.get("n_categories_"))
    return DiscreteModel(family, check_discrete(family, attributes["weights_"], attributes[kind.attribute]))


def ready_to_score(estimator: Any, X: Any) -> tuple[DiscreteModel, Entries]:
    """A model, and validated rows for it."""
    kind: Kind = estimator._kind
    attributes, name = vars(estimator), type(estimator).__name__
    model = model_of(attributes, kind, name)
    check_feature_names(X, attributes.get("feature_names_in_"), name)
    read = kind.read(attributes, X, name, 1)
    check_n_features(read.n_features, attributes.get("n_features_in_", model.parameters.n_features), name)
    return model, read.entries
