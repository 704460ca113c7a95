"""Labels of points out of a file: a column of component numbers, or a column for every component."""

import csv
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.tables.cells import are_names, is_missing, is_number
from fastgmm.data.tables.reading import delimiter_of, read_points
from fastgmm.data.tables.source import source_of
from fastgmm.data.tables.text_rows import SPACES, Header, TextForm, TextRows
from fastgmm.machine.whole_file import AnyPath
from fastgmm.parameters import Array

# Beyond any number of a component; labels below it are whole numbers where they can be, as messages show them.
_LARGEST_NUMBER = 2**31


@dataclass(frozen=True, eq=False)
class LabelFile:
    """What was read of a file of labels.

    Attributes
    ----------
    name : str
        What messages call the file.
    values : ndarray of shape (n_rows,) or (n_rows, n_components)
        As ``GaussianMixture.fit`` takes them: labels, −1 where the only cell of a row is missing, or beliefs.
    lines : ndarray of shape (n_rows,), or None
        Of text, the number of each row's last line, from 1.
    """

    name: str
    values: Array
    lines: NDArray[np.int64] | None

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.name}, row {row}" if self.lines is None else f"{self.name}, line {self.lines[row]}"


def read_labels(path: AnyPath, form: TextForm | None = None) -> LabelFile:
    """Labels of points, or beliefs; ``form`` is how text is to be read.

    Raises
    ------
    ValueError
        For other kinds of files, damaged ones, and cells that are not numbers (naming line and column).
    OSError
        For a file that cannot be read.
    """
    form, delimiter = form or TextForm(), delimiter_of(path)
    if delimiter is None:
        table = read_points(path, columns_can_be_chosen=False)
        return LabelFile(str(path), _of_numbers(str(path), table.values), None)
    rows = TextRows(source_of(path), form.delimiter or delimiter)
    values, lines = _read_text(rows, form.header)
    return LabelFile(rows.source.name, _of_numbers(rows.source.name, values), lines)


def _of_numbers(name: str, values: Array) -> Array:
    if values.shape[1] > 1:
        return values
    labels = values[:, 0]
    if labels.dtype.kind == "b":
        raise ValueError(f"{name}: holds one truth value a row, which may be meant as 0 and 1: write integers")
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1.0, labels)
        is_whole = (np.abs(labels) < _LARGEST_NUMBER).all() and (labels == np.floor(labels)).all()
        return labels.astype(np.int64) if is_whole else labels
    return labels


def _read_text(rows: TextRows, header: Header) -> tuple[Array, NDArray[np.int64]]:
    """The numbers (n, K) of each row, and its line. An empty line is a row: that of one column whose cell is empty."""
    numbers, line_numbers = list[list[float]](), list[int]()
    with rows.opened() as text:
        lines = (" ".join(line.split()) for line in text) if rows.delimiter == SPACES else text
        reader = csv.reader(lines, delimiter=rows.delimiter)
        for row, cells in enumerate(reader):
            if row == 0 and (header == "yes" or (header == "auto" and are_names(cells))):
                continue
            where = f"{rows.source.name}, line {reader.line_num}"
            if not cells and numbers and len(numbers[0]) > 1:
                raise ValueError(f"{where}: an empty row")
            numbers.append([_number(cell, f"{where}, column {i + 1}") for i, cell in enumerate(cells or [""])])
            line_numbers.append(reader.line_num)
            if len(numbers[-1]) != len(numbers[0]):
                raise ValueError(f"{where}: {len(numbers[-1])} columns, where the first row has {len(numbers[0])}")
    if not numbers:
        raise ValueError(f"{rows.source.name}: {'no rows of labels' if reader.line_num else 'the file is empty'}")
    return np.array(numbers, np.float64).reshape(len(numbers), -1), np.array(line_numbers, np.int64)


def _number(cell: str, where: str) -> float:
    if is_missing(cell):
        return np.nan
    if not is_number(cell):
        raise ValueError(f"{where}: {cell!r} is not a number; labels are component numbers, or beliefs in components")
    return float(cell)
