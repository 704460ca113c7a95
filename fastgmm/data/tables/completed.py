"""Tables as text again, with numbers where values were missing: every other cell is what was read."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fastgmm.data.tables.text_rows import Layout
from fastgmm.parameters import Array


def completed_rows(layout: Layout, kept: Sequence[int], values: Array, filled: Array) -> Iterator[list[str]]:
    """The rows below the header: the kept columns of text, with a number of ``filled`` where ``values`` has NaN.

    Both are (n, d), of the columns that were read.
    """
    for row, (_, cells) in enumerate(layout.data()):
        for feature in np.flatnonzero(np.isnan(values[row])).tolist():
            cells[layout.read[feature]] = repr(float(filled[row, feature]))
        yield [cells[position] for position in kept]


def rows_of_numbers(filled: Array) -> Iterator[list[str]]:
    """Floats with as many digits as it takes to read them back."""
    return (list(map(repr, row.tolist())) for row in filled)


def delimited(rows: Iterable[Sequence[str]], delimiter: str) -> Iterator[str]:
    """Lines, with quotes where a cell needs them."""
    line = io.StringIO()
    writer = csv.writer(line, delimiter=delimiter, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
