"""``fastgmm plot``: a picture of a model, and of points."""

from argparse import Namespace
from collections.abc import Sequence

from fastgmm.cli.inputs import keep_inputs, points_for
from fastgmm.estimator.front import load
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.machine.whole_file import require_writable
from fastgmm.show.figures import save_figure
from fastgmm.show.reports import Report


def plot(arguments: Namespace) -> Report:
    """``fastgmm plot``: a file with the picture."""
    require_writable(arguments.output)
    keep_inputs(arguments, *filter(None, [arguments.model, arguments.points]))
    mixture = load(arguments.model)
    points = None if arguments.points is None else points_for(mixture, arguments)
    features = None if arguments.features is None else _features(mixture, arguments.features)
    display = mixture.plot(points, features=features, kind=arguments.kind)
    save_figure(display.figure_, arguments.output)
    facts: dict[str, object] = {
        "points": 0 if points is None else len(points),
        "kind": display.kind,
        "output": arguments.output,
    }
    return Report([f"{display.kind} written to {arguments.output}\n"], facts)


def _features(mixture: GaussianMixture, told: Sequence[str]) -> list[str | int]:
    """The features by their names, or by their numbers, from 0, where none of them is called so."""
    names = list(getattr(mixture, "feature_names_in_", ()))
    return [int(each) if each not in names and each.isdecimal() else each for each in told]
