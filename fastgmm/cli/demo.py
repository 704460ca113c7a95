"""``fastgmm demo``: a million points from a mixture of real data, fitted, described and drawn."""

import logging
from argparse import Namespace

import numpy as np

from fastgmm.cli.commands import ending, timed_fit
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.machine.whole_file import require_writable
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.show.figures import save_figure
from fastgmm.show.reports import Report, duration, facts_text, mixture_text, parameter_facts, rate, typical_seconds

logger = logging.getLogger("fastgmm")

_MAX_ITER = 200
# Finer than the default, so that there is something to watch and the parameters settle.
_TOLERANCE = 1e-6


def demo(arguments: Namespace) -> Report:
    """Fit Old Faithful, draw ``rows`` points from that mixture, fit those, and show what came out."""
    require_writable(arguments.picture)
    eruptions = load_old_faithful()
    logger.info("fitting %d components to Old Faithful, %d x %d", arguments.n_components, *eruptions.shape)
    original = GaussianMixture(arguments.n_components, random_state=arguments.random_state).fit(eruptions)
    logger.info("drawing %s points from that mixture", f"{arguments.rows:,}")
    points = _shuffled(original.sample(arguments.rows)[0], arguments.random_state)
    mixture, seconds = timed_fit(arguments, points, max_iter=_MAX_ITER, tol=_TOLERANCE)
    picture = _picture(arguments.picture, points, mixture)
    return _report(mixture, original, points, seconds, picture)


def _shuffled(points: FloatArray, seed: int | None) -> FloatArray:
    """Samples come ordered by component; real data do not."""
    np.random.default_rng(seed).shuffle(points)
    return points


def _in_order(mixture: GaussianMixture) -> GaussianMixture:
    """Components in the order of their first mean, so that two mixtures can be compared line by line."""
    order = np.argsort(mixture.means_[:, 0])
    parameters = mixture.weights_[order], mixture.means_[order], mixture.covariances_[order]
    return GaussianMixture.from_parameters(*parameters)


def _parameters(mixture: GaussianMixture) -> Parameters:
    ordered = _in_order(mixture)
    return Parameters("full", ordered.weights_, ordered.means_, ordered.covariances_)


def _picture(path: str, points: FloatArray, mixture: GaussianMixture) -> str | None:
    """Draw the clusters; None where matplotlib is missing."""
    try:
        display = _in_order(mixture).plot(points)
    except ImportError:
        return None
    display.axes_.set_xlabel("eruption (minutes)")
    display.axes_.set_ylabel("waiting time until the next (minutes)")
    save_figure(display.figure_, path)
    return path


def _report(
    mixture: GaussianMixture, original: GaussianMixture, points: FloatArray, seconds: float, picture: str | None
) -> Report:
    n_points, parameters = len(points), _parameters(mixture)
    log_likelihood, per_iteration = mixture.score(points), typical_seconds(mixture.history_)
    summary = facts_text(
        {
            "points": f"{n_points:,} x {points.shape[1]}",
            "iterations": f"{mixture.n_iter_}, {ending(mixture)[0]}",
            "log-likelihood": f"{log_likelihood:.6g} per point",
            "time": f"{duration(seconds)}, start included; {duration(per_iteration)} an iteration",
            "speed": f"{rate(n_points, per_iteration)} in an iteration",
            "picture": picture or "none: drawing needs matplotlib: pip install 'fastgmm[plot]'",
        }
    )
    text = [
        "The mixture fitted to Old Faithful, from which the points were drawn:\n\n",
        mixture_text(_parameters(original), OLD_FAITHFUL_COLUMNS),
        f"\nThe mixture fitted to {n_points:,} points:\n\n",
        mixture_text(parameters, OLD_FAITHFUL_COLUMNS),
        "\n",
        summary,
    ]
    facts: dict[str, object] = {
        "points": n_points,
        "converged": bool(mixture.converged_),
        "iterations": mixture.n_iter_,
        "log_likelihood_per_point": log_likelihood,
        "seconds": seconds,
        "seconds_per_iteration": per_iteration,
        "picture": picture,
    }
    return Report(text, facts | parameter_facts(parameters), ending(mixture)[1])
