"""What commands read, in the form that their arguments say, and what they must not write over."""

import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.files import names_in
from fastgmm.data.tables import Layout, Table, TextForm, read_points, read_points_and_layout, require_output
from fastgmm.data.tables.reading import delimiter_of
from fastgmm.data.tables.source import is_standard_input
from fastgmm.data.tables.text_rows import Header
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.machine.whole_file import require_writable
from fastgmm.parameters import Array, Names
from fastgmm.sweeps.blocks_of import blocks_of


def require_rows_output(arguments: Namespace) -> None:
    """Complain now about a file for results of rows that cannot be written, or that would replace what is read."""
    if arguments.output is not None:
        require_output(arguments.output)
        keep_inputs(arguments, arguments.model, arguments.points)


def require_fit_outputs(arguments: Namespace) -> None:
    """Complain now about a model file or a checkpoint that cannot be written, or that would replace something else."""
    checkpoint, inputs = arguments.checkpoint, [arguments.points, *filter(None, [arguments.labels, arguments.errors])]
    if arguments.output is not None:
        require_writable(arguments.output)
        keep_inputs(arguments, *inputs)
    if checkpoint is not None:
        require_writable(checkpoint)
        for path in inputs:
            _require_apart("the checkpoint", checkpoint, path)
        if arguments.output is not None and os.path.realpath(checkpoint) == os.path.realpath(arguments.output):
            raise ValueError(f"the output would replace the checkpoint {checkpoint}")


def keep_inputs(arguments: Namespace, *inputs: str) -> None:
    for path in inputs:
        _require_apart("the output", arguments.output, path)


def _require_apart(what: str, written: str, read: str) -> None:
    if os.path.isdir(read) and os.path.realpath(read) == os.path.dirname(os.path.realpath(written)):
        raise ValueError(f"{what} would be one of the inputs in {read}")
    if os.path.exists(written) and os.path.exists(read) and os.path.samefile(written, read):
        raise ValueError(f"{what} would replace the input {read}")


def require_one_standard_input(arguments: Namespace) -> None:
    said = {"points": arguments.points, "labels": arguments.labels, "errors": getattr(arguments, "errors", None)}
    read = [name for name, path in said.items() if path is not None and is_standard_input(path)]
    if len(read) > 1:
        raise ValueError(f"standard input cannot be both {read[0]} and {read[1]}")


def errors_of(arguments: Namespace, points: Table) -> Array | None:
    """The variances of the errors of points, of a file that has as many rows and columns."""
    if arguments.errors is None:
        return None
    errors = read_points(arguments.errors).values
    for what, axis in (("rows", 0), ("columns", 1)):
        if errors.shape[axis] != points.values.shape[axis]:
            found, wanted = errors.shape[axis], points.values.shape[axis]
            raise ValueError(f"{arguments.errors} has {found} {what}, of {arguments.points} there are {wanted}")
    return errors


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


def blocks_in(
    arguments: Namespace, columns: Sequence[str] | None, header: Header, block_rows: int | None = None
) -> Blocks:
    """The points in blocks, of so many rows or of as many as are asked for."""
    cache = arguments.cache
    if (
        cache is not None
        and os.path.isdir(arguments.points)
        and os.path.realpath(cache) == os.path.realpath(arguments.points)
    ):
        raise ValueError(f"what the cache keeps would be among the inputs in {arguments.points}")
    return blocks_of(
        arguments.points,
        columns=columns,
        weight=getattr(arguments, "weight", None),
        labels=getattr(arguments, "label_column", None),
        block_rows=block_rows or arguments.block_rows,
        header=header,
        delimiter=arguments.delimiter,
        cache=cache,
    )


def blocks_for(mixture: GaussianMixture, arguments: Namespace, block_rows: int | None = None) -> Blocks:
    """The points to score, in blocks: the columns that ``points_for`` finds."""
    fitted, columns, header = getattr(mixture, "feature_names_in_", None), arguments.columns, arguments.header
    if fitted is not None and columns is None:
        form = TextForm(header, arguments.delimiter)
        names = names_in(arguments.points, form)
        if names is None and (names := names_in(arguments.points, form, list(fitted))) is not None:
            header = "yes"
        # Where they are all there is, they are not chosen: a cache holds them as the fit has read them.
        if names is not None and [name for name in names if name != getattr(arguments, "weight", None)] != list(fitted):
            columns = list(fitted)
    return blocks_in(arguments, columns, header, block_rows)


def features_of(told: Sequence[str], names: Names | None) -> list[str | int]:
    """Features of a model by their names, or by their numbers, from 0, where none of them is called so."""
    known = set() if names is None else set(names)
    return [int(each) if each not in known and each.isdecimal() else each for each in told]
