"""``fastgmm plot``: a picture of a model, and of points."""

from argparse import Namespace

from fastgmm.cli.inputs import features_of, keep_inputs, points_for
from fastgmm.estimator.front import load
from fastgmm.machine.whole_file import require_writable
from fastgmm.show.figures import save_figure
from fastgmm.show.reports import Report


def plot(arguments: Namespace) -> Report:
    """``fastgmm plot``: a file with the picture."""
    require_writable(arguments.output)
    keep_inputs(arguments, *filter(None, [arguments.model, arguments.points]))
    mixture = load(arguments.model)
    points = None if arguments.points is None else points_for(mixture, arguments)
    features = (
        None
        if arguments.features is None
        else features_of(arguments.features, getattr(mixture, "feature_names_in_", None))
    )
    display = mixture.plot(points, features=features, kind=arguments.kind)
    save_figure(display.figure_, arguments.output)
    facts: dict[str, object] = {
        "points": 0 if points is None else len(points),
        "kind": display.kind,
        "output": arguments.output,
    }
    return Report([f"{display.kind} written to {arguments.output}\n"], facts)
