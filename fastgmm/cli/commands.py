"""The commands behind ``fastgmm fit``, ``predict``, ``score``, ``impute``, ``info``: files in, files and a report out.

They neither print nor exit; ``command_line.py`` does that.
"""

import math
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm.cli.imputation import imputed
from fastgmm.cli.inputs import (
    errors_of,
    forms_of,
    points_and_layout_for,
    points_for,
    require_fit_outputs,
    require_one_standard_input,
    require_rows_output,
)
from fastgmm.cli.words import messages_about
from fastgmm.data.blocks.block import is_blocks
from fastgmm.data.blocks.watched import WatchedBlocks
from fastgmm.data.tables import Table, read_points, rows_as_text, write_rows
from fastgmm.data.tables.label_files import read_labels
from fastgmm.data.validation import NO_VALUES, check_rows
from fastgmm.errors import names
from fastgmm.estimator.front import load
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.files.model_file import SavedModel, load_model
from fastgmm.model.attributes import family_name, parameters_of
from fastgmm.model.criteria import bic as information_criterion
from fastgmm.model.scoring import scorer_of
from fastgmm.parameters import Array
from fastgmm.rows import Rows
from fastgmm.show.progress import Progress, show_progress
from fastgmm.show.reports import (
    Report,
    duration,
    ending_of,
    facts_text,
    mixture_text,
    objective_of,
    parameter_facts,
    rate,
    typical_seconds,
)

# A fit that has not converged, or has degenerate components.
EXIT_DOUBTFUL = 3

_BLOCK_ROWS = 65_536


def timed_fit(
    arguments: Namespace, points: Any, labels: Array | None = None, errors: Array | None = None, **options: Any
) -> tuple[GaussianMixture, float]:
    """A fit with the options of the command line and others, and its seconds; shown unless ``--quiet``."""
    options |= {name: getattr(arguments, name) for name in arguments.options}
    objective = objective_of(options, labels is not None or (is_blocks(points) and points.form.has_labels))
    progress: AbstractContextManager[Sequence[Progress]] = (
        nullcontext([]) if arguments.quiet else show_progress(options["max_iter"], objective=objective)
    )
    began = time.perf_counter()
    with progress as shown:
        if is_blocks(points) and shown:
            points = WatchedBlocks(points, shown[0].visited)
        mixture = GaussianMixture(**options, callbacks=list(shown))
        checkpoint = getattr(arguments, "checkpoint", None)
        mixture.fit(points, labels=labels, errors=errors, checkpoint=checkpoint)
    return mixture, time.perf_counter() - began


# --- fit -------------------------------------------------------------------------------------------------------------


def fit(arguments: Namespace) -> Report:
    """``fastgmm fit``: a mixture of points, into a model file or described."""
    require_fit_outputs(arguments)
    require_one_standard_input(arguments)
    form, form_of_labels = forms_of(arguments)
    points = read_points(arguments.points, arguments.columns, form=form)
    labels = None if arguments.labels is None else read_labels(arguments.labels, form_of_labels)
    errors = errors_of(arguments, points)
    with messages_about(labels, arguments.points):
        mixture, seconds = timed_fit(arguments, points, None if labels is None else labels.values, errors)
    if arguments.output is not None:
        mixture.save(arguments.output)
    n_points, n_features = points.values.shape
    score = mixture.score(points, errors=errors)
    n_parameters = scorer_of(vars(mixture)).n_parameters
    bic = information_criterion(score, _n_informative(points.values), n_parameters)
    fitted = FittedPoints(n_points, n_features, str(points.values.dtype), score, bic)
    return fit_report(arguments, mixture, fitted, seconds)


@dataclass(frozen=True)
class FittedPoints:
    """What a report says of points, in words how they lie in memory, and of the model as theirs."""

    n_points: int
    n_features: int
    layout: str
    score: float
    bic: float


def fit_report(arguments: Namespace, mixture: GaussianMixture, points: FittedPoints, seconds: float) -> Report:
    """The report of a fit that took so many seconds; of one that is not kept, with the mixture itself."""
    per_iteration = typical_seconds(mixture.history_)
    facts: dict[str, object] = {
        "model": arguments.output,
        "points": points.n_points,
        "features": points.n_features,
        "components": mixture.n_components,
        "covariance_type": family_name(vars(mixture)),
        "converged": bool(mixture.converged_),
        "stop_reason": mixture.stop_reason_,
        "iterations": mixture.n_iter_,
        "log_likelihood_per_point": points.score,
        "bic": points.bic,
        "degenerate_components": list(mixture.degenerate_components_),
        "missing": mixture.n_missing_,
        "seconds": seconds,
        "seconds_per_iteration": per_iteration,
    }
    degenerate = mixture.degenerate_components_
    text = facts_text(
        {
            "points": f"{points.n_points:,} x {points.n_features}, {points.layout}",
            "model": f"{mixture.n_components} components, {family_name(vars(mixture))} covariances",
            "iterations": f"{mixture.n_iter_}, {ending(mixture)[0]}",
            "log-likelihood": f"{points.score:.6g} per point",
            "BIC": f"{points.bic:,.2f}",
            "time": f"{duration(seconds)}; {duration(per_iteration)} an iteration, "
            f"{rate(points.n_points, per_iteration)}",
            "written": arguments.output or "nothing: -o MODEL.npz keeps the model",
        }
        | ({"degenerate": f"{names(degenerate)}: the likelihood is that of reg_covar"} if degenerate else {})
    )
    if arguments.output is not None:
        return Report([text], facts, ending(mixture)[1])
    parameters = parameters_of(vars(mixture))
    table = mixture_text(parameters, getattr(mixture, "feature_names_in_", None))
    return Report([text, "\n", table], facts | parameter_facts(parameters), ending(mixture)[1])


def ending(mixture: GaussianMixture) -> tuple[str, int]:
    """In words, and as an exit code, which degenerate components have a share in."""
    words, is_done = ending_of(vars(mixture))
    return words, 0 if is_done and not mixture.degenerate_components_ else EXIT_DOUBTFUL


# --- predict ---------------------------------------------------------------------------------------------------------


def predict(arguments: Namespace) -> Report:
    """``fastgmm predict``: labels or probabilities of points under a model."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    points = points_for(mixture, arguments)
    facts: dict[str, object] = {"points": len(points)}
    if arguments.proba:
        n_components = len(mixture.weights_)
        # The whole table is checked first, so that a complaint counts rows from the first of the file.
        check_rows(points, type(mixture).__name__)
        columns = [f"component_{component}" for component in range(n_components)]
        dtype = np.float32 if _values(points).dtype == np.float32 else np.float64
        blocks = _probabilities(mixture, points)
        of_probabilities = len(points), (n_components,), dtype, columns
        return rows_report(arguments, "probabilities", blocks, *of_probabilities, lambda: facts)
    labels = mixture.predict(points)
    counts = np.bincount(labels, minlength=len(mixture.weights_))
    facts["counts"] = counts.tolist()
    of_labels = len(labels), (), labels.dtype, ["label"]
    return rows_report(arguments, "labels", slices(labels), *of_labels, lambda: facts)


def _values(points: Table | Array) -> Array:
    return points.values if isinstance(points, Table) else points


def _n_informative(values: Array) -> int:
    """How many rows have an observed value: the others say nothing of a model."""
    return Rows(values, has_missing=True).n_counted


def _probabilities(mixture: GaussianMixture, points: Table | Array) -> Iterator[Array]:
    """The n x K probabilities, a block of rows at a time."""
    for block in slices(_values(points)):
        yield mixture.predict_proba(Table(block, points.columns) if isinstance(points, Table) else block)


def slices(values: Array) -> Iterator[Array]:
    """Some rows after the other, so that their text takes little memory."""
    for begin in range(0, len(values), _BLOCK_ROWS):
        yield values[begin : begin + _BLOCK_ROWS]


def rows_report(
    arguments: Namespace,
    noun: str,
    blocks: Iterator[Array],
    n_rows: int | None,
    shape_of_row: tuple[int, ...],
    dtype: Any,
    columns: Sequence[str],
    facts: Callable[[], dict[str, object]],
) -> Report:
    """Results row by row: into the output file where there is one, else to standard output.

    The facts are asked for once the rows are there: they count points.
    """
    if arguments.output is not None:
        write_rows(arguments.output, blocks, n_rows, shape_of_row, dtype, columns)
        found = facts()
        text = f"{noun} of {found['points']:,} points written to {arguments.output}\n"
        return Report([text], found | {"output": arguments.output})
    if arguments.json:
        rows = [row for block in blocks for row in block.tolist()]
        return Report([], facts() | {noun: rows})
    return Report((rows_as_text(block) for block in blocks), {})


# --- score -----------------------------------------------------------------------------------------------------------


def score(arguments: Namespace) -> Report:
    """``fastgmm score``: the log-likelihood of points under a model."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    points = points_for(mixture, arguments)
    are_wanted = arguments.samples or arguments.output is not None
    densities = mixture.score_samples(points)
    n_informative = _n_informative(_values(points))
    if not (n_informative or are_wanted):
        raise ValueError(NO_VALUES)
    log_likelihood = float(np.sum(densities, dtype=np.float64))  # a row without any value adds nothing
    per_point = log_likelihood / n_informative if n_informative else math.nan
    facts: dict[str, object] = {
        "points": len(densities),
        "log_likelihood_per_point": per_point,
        "log_likelihood": log_likelihood,
    }
    if are_wanted:
        form = len(densities), (), densities.dtype, ["log_density"]
        return rows_report(arguments, "log_densities", slices(densities), *form, lambda: facts)
    text = facts_text({"points": f"{len(densities):,}", "log-likelihood": f"{per_point:.10g} per point"})
    return Report([text], facts)


# --- impute ----------------------------------------------------------------------------------------------------------


def impute(arguments: Namespace) -> Report:
    """``fastgmm impute``: points with what is expected of missing values, or draws of them."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    return imputed(arguments, mixture, *points_and_layout_for(mixture, arguments))


# --- info ------------------------------------------------------------------------------------------------------------


def info(arguments: Namespace) -> Report:
    """``fastgmm info``: what a model file holds."""
    model = load_model(arguments.model)
    parameters = model.parameters
    facts: dict[str, object] = {
        "model": arguments.model,
        "components": parameters.n_components,
        "features": parameters.n_features,
        "feature_names": None if model.feature_names is None else list(model.feature_names),
        "dtype": model.dtype,
        "options": model.options,
        "fit": model.fit,
    }
    text = facts_text(_model_lines(arguments.model, model))
    return Report([text, "\n", mixture_text(parameters, model.feature_names)], facts | parameter_facts(parameters))


def _model_lines(path: str, model: SavedModel) -> dict[str, str]:
    parameters, results = model.parameters, dict[str, Any](model.fit)
    lines = {
        "model": f"{path} ({Path(path).stat().st_size:,} bytes)",
        "components": f"{parameters.n_components}, {parameters.covariance_type} covariances",
        "features": str(parameters.n_features),
    }
    if results.get("n_iter"):
        attributes = model.options | {f"{name}_": result for name, result in results.items()}
        lines["iterations"] = f"{results['n_iter']}, {ending_of(attributes)[0]}"
        # A log-likelihood, but for priors, labels and hard assignments, not all of which the file knows.
        lines["objective"] = f"{results.get('lower_bound', math.nan):.6g} per point, before the last iteration"
    return lines
