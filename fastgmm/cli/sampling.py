"""``fastgmm sample``: points drawn from a model."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from fastgmm.cli.commands import slices
from fastgmm.cli.inputs import keep_inputs
from fastgmm.data.tables import (
    delimited,
    output_suffix,
    require_output,
    rows_of_numbers,
    write_columns,
    write_lines,
    write_rows,
)
from fastgmm.estimator.front import load
from fastgmm.parameters import FloatArray, IntArray
from fastgmm.show.reports import Report


def sample(arguments: Namespace) -> Report:
    """``fastgmm sample``: points, and where it is asked for a last column with the component of each."""
    if arguments.output is not None:
        require_output(arguments.output)
        keep_inputs(arguments, arguments.model)
    mixture = load(arguments.model).set_params(random_state=arguments.random_state)
    points, labels = _in_random_order(*mixture.sample(arguments.rows), arguments.random_state)
    names = _names(getattr(mixture, "feature_names_in_", None), points.shape[1], arguments.label_column)
    facts: dict[str, object] = {"points": len(points), "columns": names}
    if arguments.output is None and arguments.json:
        found = {"sample": points.tolist()}
        return Report([], facts | found | ({} if arguments.label_column is None else {"labels": labels.tolist()}))
    numbered = None if arguments.label_column is None else labels
    if arguments.output is None:
        return Report(_lines(points, numbered, names), facts)
    _write(arguments.output, points, numbered, names)
    return Report([f"{len(points):,} points written to {arguments.output}\n"], facts | {"output": arguments.output})


def _in_random_order(points: FloatArray, labels: IntArray, seed: int) -> tuple[FloatArray, IntArray]:
    """Samples come ordered by component, so that the first rows of a file would tell of one alone."""
    order = np.random.default_rng(seed).permutation(len(points))
    return points[order], labels[order]


def _names(of_features: Sequence[str] | None, n_features: int, of_labels: str | None) -> list[str]:
    """Of the columns to write: the model's, or such as tell that they are none."""
    names = [f"x{feature}" for feature in range(n_features)] if of_features is None else list(of_features)
    if of_labels in names:
        raise ValueError(f"--label-column {of_labels}: a feature has that name")
    return names if of_labels is None else [*names, of_labels]


def _write(path: str, points: FloatArray, labels: IntArray | None, names: Sequence[str]) -> None:
    if output_suffix(path) == ".csv":
        write_lines(path, _lines(points, labels, names))
    elif output_suffix(path) == ".parquet":
        write_columns(path, [[*points.T, *([] if labels is None else [labels])]], names)
    else:
        table = points if labels is None else np.column_stack([points, labels])
        write_rows(path, slices(table), len(table), table.shape[1:], table.dtype, names)


def _lines(points: FloatArray, labels: IntArray | None, names: Sequence[str]) -> Iterator[str]:
    rows: Iterator[list[str]] = chain.from_iterable(map(rows_of_numbers, slices(points)))
    if labels is not None:
        rows = ([*row, str(label)] for row, label in zip(rows, labels.tolist(), strict=True))
    return delimited(chain([names], rows), ",")
