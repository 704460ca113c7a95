"""Calls of the estimator's methods: arguments checked, and handed to what computes."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.watched import WatchedBlocks
from fastgmm.data.errors_of_rows import with_errors
from fastgmm.data.labels import with_labels
from fastgmm.data.validation import (
    NO_VALUES_OF_WEIGHT,
    check_feature_names,
    check_n_features,
    check_observed,
    check_rows,
    feature_names,
    have_observed,
    require_rows_for_components,
)
from fastgmm.data.weights import check_sample_weight, moderate, warn_of_weights
from fastgmm.estimator.of_blocks import column_names, require_alike, require_nothing_beside
from fastgmm.files.checkpoint_file import CheckpointFile
from fastgmm.fit.annealing import exponents_from
from fastgmm.fit.fitting import EarlierFit, fit_blocks, fit_rows
from fastgmm.fit.options import Options, options_of
from fastgmm.fit.steps import Fit, Observer, Step
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended, in_caller
from fastgmm.machine.whole_file import AnyPath
from fastgmm.model import criteria
from fastgmm.model.attributes import check_complete, family_name, fitted_attributes, has_parameters, parameters_of
from fastgmm.model.scoring import Scorer, scorer_of
from fastgmm.parameters import Names
from fastgmm.rows import Rows
from fastgmm.show.progress import Progress, show_progress
from fastgmm.show.reports import objective_of
from fastgmm.show.verbose import print_progress

# A fit is taken to be as long as so many sweeps, since nobody knows how many iterations it will have. The number was
# chosen by hand: a start and a few iterations take as much.
SWEEPS_OF_A_FIT = 10


def checked_fit(
    estimator: object,
    X: ArrayLike,
    y: object,
    sample_weight: ArrayLike | None,
    labels: ArrayLike | None,
    errors: ArrayLike | None,
    checkpoint: AnyPath | None,
) -> tuple[Rows, dict[str, Any]]:
    """Validated rows, and the attributes of their fit, which the estimator does not have yet."""
    options, names = options_of(vars(estimator), type(estimator).__name__), feature_names(X)
    rows = rows_of_a_start(X, sample_weight, options.n_components, type(estimator).__name__, names, errors)
    if labels is not None:
        rows = with_labels(rows, labels, options.n_components)
    if sample_weight is None:
        warn_of_weights(y, rows.shape[0])
    # Factors of d features take as long as d rows do.
    operations = SWEEPS_OF_A_FIT * work_of(sum(rows.shape), rows.shape[1], options.n_components)
    fit = partial(fit_rows, rows=rows, store=_store(checkpoint))
    with _progress(options, labels is not None) as shown:
        return rows, _fitted(estimator, options, fit, operations, rows.shape[1], names, shown)


def checked_fit_of_blocks(
    estimator: object,
    blocks: Blocks,
    sample_weight: object,
    labels: object,
    errors: object,
    checkpoint: AnyPath | None,
) -> dict[str, Any]:
    """The attributes of a fit to rows in blocks."""
    options, form = options_of(vars(estimator), type(estimator).__name__), blocks.form
    require_nothing_beside(sample_weight, labels, errors)
    with _progress(options, form.has_labels) as shown:
        watched = WatchedBlocks(blocks, shown[0].visited) if shown else blocks
        fit = partial(fit_blocks, blocks=watched, store=_store(checkpoint))
        return _fitted(estimator, options, fit, math.inf, form.n_features, column_names(form), shown)


def _store(checkpoint: AnyPath | None) -> CheckpointFile | None:
    return None if checkpoint is None else CheckpointFile(checkpoint)


def _fitted(
    estimator: object,
    options: Options,
    fit: Callable[..., tuple[Fit, tuple[Step, ...], Warning | None]],
    operations: float,
    n_features: int,
    names: Names | None,
    shown: Sequence[Observer],
) -> dict[str, Any]:
    why = "With warm_start=True a fit", "Set warm_start=False to start anew."
    is_continued = options.warm_start and has_parameters(vars(estimator))
    earlier = earlier_fit(vars(estimator), n_features, type(estimator).__name__, why) if is_continued else None

    def work() -> tuple[dict[str, Any], Warning | None]:
        how = {"earlier": earlier, "observers": _observers(options, shown), "of_features": names}
        best, steps, warning = fit(with_start_in_caller(options), **how)
        return fitted_attributes(best, steps), warning

    fitted, warning = attended(work, operations)
    if warning is not None:
        warnings.warn(warning, stacklevel=4)
    return fitted if names is None else fitted | {"feature_names_in_": names}


def rows_of_a_start(
    X: ArrayLike,
    sample_weight: ArrayLike | None,
    n_components: int,
    name: str,
    names: Names | None,
    errors: ArrayLike | None = None,
) -> Rows:
    """Validated rows, of which there are enough to start from."""
    rows = check_rows(X, name, min_rows=2)
    if sample_weight is not None:
        rows = replace(rows, weights=check_sample_weight(sample_weight, rows.shape[0]))
    if errors is not None:
        rows = with_errors(rows, errors)
    if rows.has_missing:
        check_observed(rows, names)
    require_rows_for_components(rows.n_counted, n_components)
    return rows


@contextmanager
def _progress(options: Options, has_labels: bool) -> Iterator[list[Progress]]:
    """What shows the progress of a fit, where that is asked for, be standard error a terminal or not."""
    if not options.progress:
        yield []
        return
    objective = objective_of(vars(options), has_labels)
    with show_progress(_most_iterations(options), force=True, objective=objective) as shown:
        yield shown


def _most_iterations(options: Options) -> int:
    """Of a start."""
    return options.max_iter * len(list(exponents_from(options.annealing or 1.0)))


def _observers(options: Options, shown: Sequence[Observer]) -> list[Observer]:
    """Who sees every step, in the caller's thread: the user's callbacks, and what prints or shows progress."""
    observers: list[Observer] = [*(options.callbacks or ()), *shown]
    if options.verbose:
        wanders = options.assignment == "stochastic"
        most_iterations = _most_iterations(options)
        observers.append(print_progress(options.verbose, options.verbose_interval, most_iterations, wanders))
    return [partial(in_caller, observer) for observer in observers]


def with_start_in_caller(options: Options) -> Options:
    start = options.init_params
    return replace(options, init_params=partial(in_caller, start)) if callable(start) else options


def earlier_fit(attributes: Mapping[str, Any], n_features: int, estimator: str, why: tuple[str, str]) -> EarlierFit:
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
        now = family_name(attributes) if name == "covariance_type" else attributes[name]
        if now != value:
            raise ValueError(
                f"{why[0]} continues the last one, whose {name} is {value!r}; got {name}={now!r}. {why[1]}"
            )
    parameters = parameters_of(attributes)
    check_n_features(n_features, parameters.n_features, estimator)
    # A bound that is near says that EM has settled, unless it is one of other rows, such as batches.
    is_of_a_fit = attributes.get("stop_reason_") is not None
    lower_bound = attributes.get("lower_bound_", -np.inf) if is_of_a_fit else -np.inf
    return EarlierFit(parameters, lower_bound, attributes.get("noise_weight_", 0.0))


def require_fitted(estimator: object) -> dict[str, Any]:
    """All attributes as they are now: a fit replaces them together, so one look sees one model."""
    attributes = vars(estimator)
    if "means_" not in attributes:
        check_complete(attributes, type(estimator).__name__)
    return attributes


def ready_to_score(estimator: object, X: Any, errors: ArrayLike | None = None) -> tuple[Scorer, Rows]:
    """A scorer, and validated rows for it."""
    attributes, name = require_fitted(estimator), type(estimator).__name__
    scorer = scorer_of(attributes)
    check_feature_names(X, attributes.get("feature_names_in_"), name)
    rows = check_rows(X, name)
    check_n_features(rows.values.shape[1], scorer.shape[1], name)
    return scorer, rows if errors is None else with_errors(rows, errors)


def ready_for_blocks(estimator: object, blocks: Blocks) -> Scorer:
    """A scorer for rows in blocks, whose features are those of the fit."""
    attributes, name = require_fitted(estimator), type(estimator).__name__
    scorer = scorer_of(attributes)
    require_alike(blocks.form, scorer.shape[1], attributes.get("feature_names_in_"), name)
    return scorer


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
