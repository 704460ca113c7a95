"""Calls of the estimator's methods: arguments checked, and handed to what computes."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.labels import with_labels
from fastgmm.data.validation import (
    NO_VALUES_OF_WEIGHT,
    check_feature_names,
    check_n_components,
    check_n_features,
    check_observed,
    check_rows,
    check_sample_weight,
    feature_names,
    have_observed,
    moderate,
    warn_of_weights,
)
from fastgmm.fit.annealing import exponents_from
from fastgmm.fit.fitting import EarlierFit, fit_rows
from fastgmm.fit.options import Options, check_stepwise, options_of
from fastgmm.fit.runs import Fit, Observer
from fastgmm.fit.stepwise import Earlier, Stream, start_of, step_of_batch
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended, in_caller
from fastgmm.model import criteria
from fastgmm.model.attributes import check_complete, fitted_attributes, has_parameters, parameters_of
from fastgmm.model.scoring import Scorer, scorer_of
from fastgmm.parameters import Names
from fastgmm.rows import Rows
from fastgmm.show.verbose import print_progress

# A fit is taken to be as long as so many sweeps, since nobody knows how many iterations it will have. The number was
# chosen by hand: a start and a few iterations take as much.
_SWEEPS_OF_A_FIT = 10


def checked_fit(
    estimator: object, X: ArrayLike, y: object, sample_weight: ArrayLike | None, labels: ArrayLike | None
) -> tuple[Rows, dict[str, Any]]:
    """Validated rows, and the attributes of their fit, which the estimator does not have yet."""
    attributes, name = vars(estimator), type(estimator).__name__
    options = options_of(attributes, name)
    names = feature_names(X)
    rows = _rows_of_a_start(X, sample_weight, options, name, names)
    if labels is not None:
        rows = with_labels(rows, labels, options.n_components)
    if sample_weight is None:
        warn_of_weights(y, rows.shape[0])
    why = "With warm_start=True a fit", "Set warm_start=False to start anew."
    is_continued = options.warm_start and has_parameters(attributes)
    earlier = _earlier_fit(attributes, rows.shape[1], name, why) if is_continued else None

    def work() -> tuple[dict[str, Any], Warning | None]:
        best, steps, warning = fit_rows(_with_start_in_caller(options), rows, earlier, _observers(options), names)
        return fitted_attributes(best, steps), warning

    # Factors of d features take as long as d rows do.
    sweep = work_of(sum(rows.shape), rows.shape[1], options.n_components)
    fitted, warning = attended(work, _SWEEPS_OF_A_FIT * sweep)
    if warning is not None:
        warnings.warn(warning, stacklevel=3)
    return rows, fitted if names is None else fitted | {"feature_names_in_": names}


def _rows_of_a_start(
    X: ArrayLike, sample_weight: ArrayLike | None, options: Options, name: str, names: Names | None
) -> Rows:
    """Validated rows, of which there are enough to start from."""
    rows = check_rows(X, name, min_rows=2)
    if sample_weight is not None:
        rows = replace(rows, weights=check_sample_weight(sample_weight, rows.shape[0]))
    if rows.has_missing:
        check_observed(rows, names)
    check_n_components(rows, options.n_components)
    return rows


def checked_step(estimator: object, X: ArrayLike, y: object, sample_weight: ArrayLike | None) -> dict[str, Any]:
    """The attributes after a batch of rows, which the estimator does not have yet."""
    attributes, name = vars(estimator), type(estimator).__name__
    options = options_of(attributes, name)
    check_stepwise(options, name)
    names, earlier = feature_names(X), None
    if not has_parameters(attributes):
        rows = _rows_of_a_start(X, sample_weight, options, name, names)
    else:
        names = attributes.get("feature_names_in_")
        check_feature_names(X, names, name)
        rows = check_rows(X, name)
        rows = replace(rows, weights=check_sample_weight(sample_weight, rows.shape[0]))
        earlier = _before_a_step(attributes, rows.shape[1], name)
    if sample_weight is None:
        warn_of_weights(y, rows.shape[0])

    def work() -> tuple[Fit, Stream, int, Warning | None]:
        before, warning = earlier, None
        if before is None:
            before, warning = start_of(_with_start_in_caller(options), rows, names)
        return *step_of_batch(options, rows, before), (before.n_steps or 0) + 1, warning

    sweep = work_of(sum(rows.shape), rows.shape[1], options.n_components)
    fit, stream, n_steps, warning = attended(work, _SWEEPS_OF_A_FIT * sweep if earlier is None else sweep)
    if warning is not None:
        warnings.warn(warning, stacklevel=3)
    # One bound is kept, since there may be batches without end.
    fitted = fitted_attributes(fit, ()) | {"n_iter_": n_steps, "lower_bounds_": [fit.lower_bound]}
    # As plain values and a public class, which pickles may name.
    fitted["_stream"] = dict(vars(stream))
    return fitted if names is None else fitted | {"feature_names_in_": names}


def _before_a_step(attributes: Mapping[str, Any], n_features: int, name: str) -> Earlier:
    """The model that a batch is to move."""
    why = "partial_fit", "Make another estimator, or fit this one, to start anew."
    parameters = _earlier_fit(attributes, n_features, name, why).parameters
    stream = Stream(**attributes["_stream"]) if "_stream" in attributes else None
    if stream is not None and not stream.is_of(parameters):
        stream = None
    return Earlier(parameters, stream, attributes.get("n_iter_", 0), attributes.get("prior_"))


def _observers(options: Options) -> list[Observer]:
    """Who sees every step, in the caller's thread: the user's callbacks, and what prints for ``verbose``."""
    observers: list[Observer] = list(options.callbacks or ())
    if options.verbose:
        most_iterations = options.max_iter * len(list(exponents_from(options.annealing or 1.0)))
        wanders = options.assignment == "stochastic"
        observers.append(print_progress(options.verbose, options.verbose_interval, most_iterations, wanders))
    return [partial(in_caller, observer) for observer in observers]


def _with_start_in_caller(options: Options) -> Options:
    start = options.init_params
    return replace(options, init_params=partial(in_caller, start)) if callable(start) else options


def _earlier_fit(attributes: Mapping[str, Any], n_features: int, estimator: str, why: tuple[str, str]) -> EarlierFit:
    """The last fit, or parameters set by hand, which a call continues.

    Raises ``ValueError`` where they make a model of another shape; ``why`` says who continues it, and what else to do.
    """
    check_complete(attributes, estimator)
    earlier: dict[str, Any] = {}
    if np.ndim(attributes["means_"]) == 2:  # else their shape is refused below
        earlier["n_components"] = len(attributes["means_"])
    if "_scorer" in attributes:  # the shapes of arrays do not always tell the family
        earlier["covariance_type"] = attributes["_scorer"].covariance_type
    for name, value in earlier.items():
        if attributes[name] != value:
            raise ValueError(
                f"{why[0]} continues the last one, whose {name} is {value!r}; got {name}={attributes[name]!r}. {why[1]}"
            )
    parameters = parameters_of(attributes)
    check_n_features(n_features, parameters.n_features, estimator)
    # A bound that is near says that EM has settled, unless it is one of other rows, such as batches.
    is_of_a_fit = attributes.get("stop_reason_") is not None
    return EarlierFit(parameters, attributes.get("lower_bound_", -np.inf) if is_of_a_fit else -np.inf)


def require_fitted(estimator: object) -> dict[str, Any]:
    """All attributes as they are now: a fit replaces them together, so one look sees one model."""
    attributes = vars(estimator)
    if "means_" not in attributes:
        check_complete(attributes, type(estimator).__name__)
    return attributes


def ready_to_score(estimator: object, X: ArrayLike) -> tuple[Scorer, Rows]:
    """A scorer, and validated rows for it."""
    attributes, name = require_fitted(estimator), type(estimator).__name__
    scorer = scorer_of(attributes)
    check_feature_names(X, attributes.get("feature_names_in_"), name)
    rows = check_rows(X, name)
    check_n_features(rows.values.shape[1], scorer.shape[1], name)
    return scorer, rows


def checked_score(
    scorer: Scorer, rows: Rows, n_threads: int | None, y: object, sample_weight: ArrayLike | None
) -> tuple[float, float, int]:
    """The score, and the numbers of rows and of free parameters of the same model."""
    weights = check_sample_weight(sample_weight, rows.shape[0])
    if weights is None:
        warn_of_weights(y, rows.shape[0])
    log_density = scorer.evaluate(rows, n_threads, "log_density")
    if rows.has_missing:  # rows without any observed value say nothing of the model
        is_informative = have_observed(rows)
        log_density = log_density[is_informative]
        weights = None if weights is None else weights[is_informative]
        if weights is not None and not weights.any():
            raise ValueError(NO_VALUES_OF_WEIGHT)
    score = criteria.mean(log_density, moderate(weights))
    n_rows = criteria.number_of_rows(len(log_density), weights)
    return score, n_rows, scorer.n_parameters
