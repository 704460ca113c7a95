"""What commands read, in the form that their arguments say, and what they must not write over."""

import os
from argparse import Namespace
from dataclasses import replace

from fastgmm.data.tables import Layout, Table, TextForm, read_points_and_layout, require_output
from fastgmm.data.tables.reading import delimiter_of
from fastgmm.data.tables.source import is_standard_input
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.parameters import Array


def require_rows_output(arguments: Namespace) -> None:
    """Complain now about a file for results of rows that cannot be written, or that would replace what is read."""
    if arguments.output is not None:
        require_output(arguments.output)
        keep_inputs(arguments, arguments.model, arguments.points)


def keep_inputs(arguments: Namespace, *inputs: str) -> None:
    for path in inputs:
        if os.path.exists(arguments.output) and os.path.exists(path) and os.path.samefile(arguments.output, path):
            raise ValueError(f"the output would replace the input {path}")


def require_one_standard_input(arguments: Namespace) -> None:
    if arguments.labels is not None and is_standard_input(arguments.points) and is_standard_input(arguments.labels):
        raise ValueError("standard input cannot be both points and labels")


def forms_of(arguments: Namespace) -> tuple[TextForm, TextForm]:
    """How points are to be read, and labels.

    What is told of text holds for both files, or for the one that is text; the delimiter for labels only where their
    name does not say another one than that of the points.
    """
    form, labels = TextForm(arguments.header, arguments.delimiter), getattr(arguments, "labels", None)
    if labels is None or (of_labels := delimiter_of(labels)) is None:
        return form, TextForm()
    of_points = delimiter_of(arguments.points)
    is_of_labels = of_points in (None, of_labels)
    return TextForm() if of_points is None else form, replace(form, delimiter=form.delimiter if is_of_labels else None)


def points_for(mixture: GaussianMixture, arguments: Namespace) -> Table | Array:
    """The points to score: of a file with names, the columns that the model was fitted to, in its order."""
    return points_and_layout_for(mixture, arguments)[0]


def points_and_layout_for(mixture: GaussianMixture, arguments: Namespace) -> tuple[Table | Array, Layout | None]:
    """The same, and of text its layout."""
    fitted = getattr(mixture, "feature_names_in_", None)
    if_named = None if fitted is None else list(fitted)
    form, _ = forms_of(arguments)
    points, layout = read_points_and_layout(arguments.points, arguments.columns, if_named, form)
    # A model without names does not care for those of the file.
    return points.values if fitted is None or points.columns is None else points, layout
