"""Points in text: ``.csv`` and its kin."""

import warnings
from collections.abc import Sequence

import numpy as np

from fastgmm.data.tables.cells import are_names
from fastgmm.data.tables.source import Source
from fastgmm.data.tables.table import Choice, Table
from fastgmm.data.tables.text_complaints import first_bad_cell, first_rounded_cell
from fastgmm.data.tables.text_rows import SPACES, Header, Layout, TextForm, TextRows
from fastgmm.data.whole_numbers import is_any_large
from fastgmm.parameters import Array


def read_text(source: Source, delimiter: str, choice: Choice, form: TextForm) -> Table:
    """The columns that are chosen, of text whose cells that delimiter separates where ``form`` names no other."""
    layout = _layout(TextRows(source, form.delimiter or delimiter), choice, form.header)
    values = _parse(layout)
    if not len(values):
        below = "" if layout.names is None else f" below the header: {', '.join(layout.names)}"
        raise ValueError(f"{source.name}: no rows of numbers{below}")
    rounded = first_rounded_cell(layout) if is_any_large(values) else None
    if rounded is not None:
        raise ValueError(rounded)
    return Table(values, None if layout.names is None else tuple(layout.names[position] for position in layout.read))


def _layout(rows: TextRows, choice: Choice, header: Header) -> Layout:
    n_lines, first = next(rows.numbered(), (0, []))
    if not first:
        raise ValueError(f"{rows.source.name}: the file is empty")
    is_header = header == "yes" or (header == "auto" and (are_names(first) or _holds(first, choice.if_named)))
    names = _unique_names(rows.source, first) if is_header else None
    positions = choice.positions(rows.source.name, names, len(first))
    return Layout(rows, first, names, n_lines if is_header else 0, positions)


def _holds(first: Sequence[str], names: Sequence[str] | None) -> bool:
    """Whether a first row holds all names that columns may have: names of a model may be numbers, such as years."""
    return names is not None and set(names) <= {cell.strip() for cell in first}


def _unique_names(source: Source, row: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{position}" for position, cell in enumerate(row))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{source.name}: more than one column is called {twice[0]!r}")
    return names


def _parse(layout: Layout) -> Array:
    complaint = f"not a table of {len(layout.read)} columns"
    try:
        values = _loadtxt(layout)
        if not values.size or values.shape[1] == len(layout.read):
            return values
    except ValueError as error:
        complaint = str(error)
    # NumPy's parser is fast, but says little about what it cannot read; a slow second look says it.
    raise ValueError(first_bad_cell(layout) or f"{layout.rows.source.name}: {complaint}")


def _loadtxt(layout: Layout) -> Array:
    delimiter = layout.rows.delimiter
    with warnings.catch_warnings(), layout.rows.opened() as text:
        warnings.filterwarnings("ignore", "loadtxt: input contained no data", UserWarning)
        return np.loadtxt(
            text,
            delimiter=None if delimiter == SPACES else delimiter,
            quotechar='"',
            comments=None,
            skiprows=layout.n_header_lines,
            usecols=layout.positions,
            ndmin=2,
        )
