"""Points in text: ``.csv`` and its kin."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice

import numpy as np

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.arrow_text import is_for_arrow, parse_by_arrow
from fastgmm.data.tables.cells import are_names, is_missing
from fastgmm.data.tables.source import Source
from fastgmm.data.tables.text_columns import columns_without_numbers
from fastgmm.data.tables.text_complaints import first_bad_cell, first_rounded_cell
from fastgmm.data.tables.text_rows import SPACES, Header, Layout, TextForm, TextRows, is_empty_line
from fastgmm.data.whole_numbers import is_any_large
from fastgmm.parameters import Array

# Between cells that are handed to NumPy's parser: it stands in no number, and hardly in a file.
_SEPARATOR = "\x1f"


def layout_of(source: Source, delimiter: str, choice: Choice, form: TextForm) -> Layout:
    """How text is to be read whose cells that delimiter separates, where ``form`` names no other."""
    return _layout(TextRows(source, form.delimiter or delimiter), choice, form.header)


def read_text(layout: Layout) -> Table:
    """The columns that are chosen; NaN where a cell is empty, or stands for a missing value."""
    values = values_of(layout)
    if not len(values):
        below = "" if layout.names is None else f" below the header: {', '.join(layout.names)}"
        raise ValueError(f"{layout.rows.source.name}: no rows of numbers{below}")
    return Table(values, None if layout.names is None else tuple(layout.names[position] for position in layout.read))


def values_of(layout: Layout) -> Array:
    """The same as an array (n, d), which may have no rows."""
    values = _parse(layout)
    rounded = first_rounded_cell(layout) if is_any_large(values) else None
    if rounded is not None:
        raise ValueError(rounded)
    return values


def _layout(rows: TextRows, choice: Choice, header: Header) -> Layout:
    n_lines, first = next(rows.numbered(), (0, []))
    if not first:
        raise ValueError(f"{rows.source.name}: the file is empty")
    is_header = header == "yes" or (header == "auto" and (are_names(first) or _holds(first, choice.if_named)))
    if header == "auto" and not is_header and _may_number_columns(first):
        raise ValueError(
            f"{rows.source.name}, line {n_lines}: the first cell is empty and the others are whole numbers, which may "
            "be names of columns (--header yes) or values (--header no)"
        )
    names = _unique_names(rows.source, first) if is_header else None
    layout = Layout(rows, first, names, n_lines if is_header else 0, None)
    find = partial(columns_without_numbers, layout)
    return replace(layout, positions=choice.positions(rows.source.name, names, len(first), find))


def _holds(first: Sequence[str], names: Sequence[str] | None) -> bool:
    """Whether a first row holds all names that columns may have: names of a model may be numbers, such as years."""
    return names is not None and set(names) <= {cell.strip() for cell in first}


def _may_number_columns(first: Sequence[str]) -> bool:
    """As pandas writes a frame whose columns have numbers for names, beside those of its rows."""
    return len(first) > 1 and not first[0].strip() and all(cell.strip().isdecimal() for cell in first[1:])


def _unique_names(source: Source, row: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{position}" for position, cell in enumerate(row))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{source.name}: more than one column is called {twice[0]!r}")
    return names


def _parse(layout: Layout) -> Array:
    """NumPy's parser knows no empty cells, and both parsers drop empty lines: then cells are looked at first."""
    complaint = f"not a table of {len(layout.read)} columns"
    has_rows_of_nothing = layout.has_one_column and layout.rows.have_empty_line()
    for parse in (_parse_missing,) if has_rows_of_nothing else _parsers_for(layout):
        try:
            values = parse(layout)
            if not values.size or values.shape[1] == len(layout.read):
                return values
        except ValueError as error:
            complaint = str(error)
    # It says little about what it cannot read; another look says it.
    raise ValueError(first_bad_cell(layout) or f"{layout.rows.source.name}: {complaint}")


def _parsers_for(layout: Layout) -> Sequence[Callable[[Layout], Array]]:
    """From the fastest to the one that takes all that means numbers; what each accepts it reads to the same bits."""
    others = _parse_complete, _parse_missing
    return (parse_by_arrow, *others) if is_for_arrow(layout) else others


def _parse_complete(layout: Layout) -> Array:
    with layout.rows.opened() as text:
        delimiter = None if layout.rows.delimiter == SPACES else layout.rows.delimiter
        return _loadtxt(text, delimiter, '"', layout.n_lines_to_skip, layout.positions)


def _parse_missing(layout: Layout) -> Array:
    return _loadtxt(_lines_with_nan(layout), _SEPARATOR)


def _lines_with_nan(layout: Layout) -> Iterator[str]:
    """The cells to read, with a word for missing ones that NumPy knows."""
    for _, row in layout.data():
        if len(row) != len(layout.first):
            raise ValueError("rows of several lengths")
        yield _SEPARATOR.join("nan" if is_missing(row[position]) else row[position] for position in layout.read)


def _loadtxt(
    lines: Iterable[str],
    delimiter: str | None,
    quote: str | None = None,
    n_header_lines: int = 0,
    positions: list[int] | None = None,
) -> Array:
    below = islice(lines, n_header_lines, None)
    first = next((line for line in below if not is_empty_line(line, delimiter or SPACES)), None)
    if first is None:
        return np.empty((0, 0))  # of which NumPy would warn
    return np.loadtxt(
        chain([first], below),
        delimiter=delimiter,
        quotechar=quote,
        comments=None,
        usecols=positions,
        ndmin=2,
    )
