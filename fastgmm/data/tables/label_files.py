"""Labels of points out of a file: a column of component numbers, or a column for every component."""

import csv

import numpy as np

from fastgmm.data.tables.cells import are_names, is_missing, is_number
from fastgmm.data.tables.reading import delimiter_of, read_points
from fastgmm.data.tables.source import source_of
from fastgmm.data.tables.text_rows import SPACES, TextRows
from fastgmm.machine.whole_file import AnyPath
from fastgmm.parameters import Array


def read_labels(path: AnyPath) -> Array:
    """Labels (n,) as ``GaussianMixture.fit`` takes them, −1 where the only cell of a row is missing; or beliefs (n, K).

    Raises
    ------
    ValueError
        For other kinds of files, damaged ones, and cells that are not numbers (naming line and column).
    OSError
        For a file that cannot be read.
    """
    delimiter = delimiter_of(path)
    labels = read_points(path).values if delimiter is None else _read_text(TextRows(source_of(path), delimiter))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1 and labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1.0, labels)
    return labels


def _read_text(rows: TextRows) -> Array:
    """An empty line is a row here: that of a single column whose cell is empty."""
    numbers = list[list[float]]()
    with rows.opened() as text:
        lines = (" ".join(line.split()) for line in text) if rows.delimiter == SPACES else text
        reader = csv.reader(lines, delimiter=rows.delimiter)
        for cells in reader:
            if reader.line_num == 1 and are_names(cells):
                continue
            where = f"{rows.source.name}, line {reader.line_num}"
            if not cells and numbers and len(numbers[0]) > 1:
                raise ValueError(f"{where}: an empty row")
            numbers.append([_number(cell, f"{where}, column {i + 1}") for i, cell in enumerate(cells or [""])])
            if len(numbers[-1]) != len(numbers[0]):
                raise ValueError(f"{where}: {len(numbers[-1])} columns, where the first row has {len(numbers[0])}")
    if not numbers:
        raise ValueError(f"{rows.source.name}: {'no rows of labels' if reader.line_num else 'the file is empty'}")
    return np.array(numbers, np.float64).reshape(len(numbers), -1)


def _number(cell: str, where: str) -> float:
    if is_missing(cell):
        return np.nan
    if not is_number(cell):
        raise ValueError(f"{where}: {cell!r} is not a number; labels are component numbers, or beliefs in components")
    return float(cell)
