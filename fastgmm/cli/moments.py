"""``fastgmm accumulate``, ``merge``, ``maximize``: an iteration of EM in steps, over points in several places."""

import math
from argparse import Namespace

from fastgmm.cli.inputs import forms_of, keep_inputs, points_for, require_one_standard_input
from fastgmm.cli.words import messages_about
from fastgmm.data.tables.label_files import read_labels
from fastgmm.estimator.front import load
from fastgmm.files.moments_file import load_moments, save_moments
from fastgmm.machine.whole_file import require_writable
from fastgmm.moments import Moments
from fastgmm.show.reports import Report, facts_text


def accumulate(arguments: Namespace) -> Report:
    """``fastgmm accumulate``: the moments of points under a model."""
    _require_output(arguments, arguments.model, arguments.points, *filter(None, [arguments.labels]))
    require_one_standard_input(arguments)
    mixture = load(arguments.model)
    points = points_for(mixture, arguments)
    labels = None if arguments.labels is None else read_labels(arguments.labels, forms_of(arguments)[1])
    with messages_about(labels, arguments.points):
        moments = mixture.moments(points, labels=None if labels is None else labels.values)
    return _written(arguments, moments, {"points": moments.n_rows})


def merge(arguments: Namespace) -> Report:
    """``fastgmm merge``: moments of points in several places, added up."""
    _require_output(arguments, *arguments.moments)
    first, *others = arguments.moments
    total = load_moments(first)
    for path in others:
        try:
            total = total + load_moments(path)
        except ValueError as error:
            raise ValueError(f"{path} and {first}: {error}") from error
    return _written(arguments, total, {"files": len(arguments.moments), "points": total.n_rows})


def _written(arguments: Namespace, moments: Moments, facts: dict[str, object]) -> Report:
    save_moments(arguments.output, moments)
    log_likelihood = moments.log_likelihood / moments.total_weight if moments.total_weight else math.nan
    text = facts_text(
        {name: f"{value:,}" for name, value in facts.items()}
        | {
            "moments": f"{len(moments.counts)} components, {moments.covariance_type} covariances",
            "log-likelihood": f"{log_likelihood:.10g} per point",
            "written": arguments.output,
        }
    )
    more: dict[str, object] = {
        "total_weight": moments.total_weight,
        "log_likelihood_per_point": log_likelihood,
        "counts": moments.counts.tolist(),
        "moments": arguments.output,
    }
    return Report([text], facts | more)


def maximize(arguments: Namespace) -> Report:
    """``fastgmm maximize``: the next model, and how good the one before is."""
    _require_output(arguments, arguments.model, arguments.moments)
    before, moments = load(arguments.model), load_moments(arguments.moments)
    if arguments.reg_covar is not None:
        before.set_params(reg_covar=arguments.reg_covar)
    if isinstance(before.reg_covar, str):
        raise ValueError(
            f"{arguments.model}: --reg-covar relative is a share of the variances of the points, which moments do not "
            "know: give --reg-covar NUMBER"
        )
    try:
        after = before.maximized(moments)
    except ValueError as error:
        raise ValueError(f"{arguments.moments}: {error}") from error
    after.save(arguments.output)
    bound = after.lower_bound_
    change = bound - before.lower_bound_ if math.isfinite(before.lower_bound_) else math.nan
    text = facts_text(
        {
            "points": f"{moments.n_rows:,}",
            "lower bound": f"{bound:.10g} per point, of {arguments.model}",
            "change": "unknown: no lower bound in the file" if math.isnan(change) else f"{change:+.3g}",
            "written": arguments.output,
        }
    )
    facts: dict[str, object] = {
        "points": moments.n_rows,
        "lower_bound": bound,
        "change": change,
        "model": arguments.output,
    }
    return Report([text], facts)


def _require_output(arguments: Namespace, *inputs: str) -> None:
    require_writable(arguments.output)
    keep_inputs(arguments, *inputs)
