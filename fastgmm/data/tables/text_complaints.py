"""What is wrong with text that cannot be read as a table of numbers: the first cell, and what may be meant."""

from collections.abc import Sequence

from fastgmm.data.tables.cells import has_decimal_comma, is_missing, is_number, may_be_missing
from fastgmm.data.tables.hints import hint_to_leave_out
from fastgmm.data.tables.text_columns import NOTHING, columns_without_numbers
from fastgmm.data.tables.text_rows import SPACES, Layout
from fastgmm.data.times import WAY_OUT, is_time
from fastgmm.data.whole_numbers import is_rounded, refusal

# Delimiters that are looked for, what messages call them, and how the command line takes them.
_DELIMITERS = {
    ";": ("semicolons", "';'"),
    "\t": ("tabs", "tab"),
    ",": ("commas", "','"),
    "|": ("bars", "'|'"),
    SPACES: ("spaces", "space"),
}


def first_bad_cell(layout: Layout) -> str | None:
    """What to say of the first row that is too short or too long, or the first cell that is no number."""
    for line, row in layout.data():
        where = f"{layout.rows.source.name}, line {line}"
        if len(row) != len(layout.first):
            problem = f"{where}: {len(row)} columns, where the first row has {len(layout.first)}"
            return problem + _hint(layout, row, "")
        for position in layout.read:
            cell = row[position]
            if not is_number(cell) and not is_missing(cell):
                problem = f"{where}, {_column(layout, position)}: {cell!r} is not a number"
                return problem + _hint(layout, row, cell) + _hint_of_text(layout, position)
    return None


def first_rounded_cell(layout: Layout) -> str | None:
    """What to say of the first whole number that float64 does not hold."""
    for line, row in layout.data():
        for position in layout.read:
            if is_rounded(row[position]):
                where = f"{layout.rows.source.name}, line {line}, {_column(layout, position)}"
                return f"{where}: {refusal(row[position])}"
    return None


def _column(layout: Layout, position: int) -> str:
    name = "" if layout.names is None else f" ({layout.names[position]!r})"
    return f"column {position + 1}{name}"


def _hint_of_text(layout: Layout, position: int) -> str:
    """How to read the other columns, where that one holds text, and no columns were chosen."""
    if layout.positions is not None:
        return ""
    n_skipped = 1 if layout.names is None else 0  # which may be names after all
    found = columns_without_numbers(layout, n_skipped)
    of_text = {column: held for column, held in found.items() if held != NOTHING}
    return hint_to_leave_out(of_text, layout.names, len(layout.first)) if position in of_text else ""


def _hint(layout: Layout, row: Sequence[str], cell: str) -> str:
    """The likeliest cause and what to do about it; nothing where there is none."""
    other = _other_delimiter(row, layout.rows.delimiter)
    if other is not None:
        return f" ({other})"
    if any(each[0].lstrip().startswith("#") for each in (layout.first, row)):
        return " (lines that begin with # are not skipped: leave them out)"
    if is_time(cell):
        return f". {WAY_OUT}"
    if has_decimal_comma(cell):
        return " (a decimal comma: write points, as with tr , .)"
    if cell and may_be_missing(cell):
        return " (if it stands for a missing value: leave the cell empty, or write NA)"
    if layout.names is None and row == layout.first:
        return " (if this row holds names: --header yes)"
    return ""


def _other_delimiter(row: Sequence[str], delimiter: str) -> str | None:
    """The delimiter that makes numbers of most cells, where that is half of them and more than with this one."""
    line = delimiter.join(row)
    shares = {other: _share_of_numbers(_split(line, other), other) for other in _DELIMITERS if other != delimiter}
    likely = max(shares, key=lambda other: shares[other])
    if shares[likely] < 0.5 or shares[likely] <= _share_of_numbers(row, delimiter):
        return None
    noun, option = _DELIMITERS[likely]
    if any(has_decimal_comma(cell) for cell in _split(line, likely)):
        return (
            f"{noun} seem to separate cells with decimal commas: write points, as with tr , . and --delimiter {option}"
        )
    return f"{noun} seem to separate cells: --delimiter {option}"


def _split(line: str, delimiter: str) -> list[str]:
    cells = line.split() if delimiter == SPACES else line.split(delimiter)
    return [cell.strip('" ') for cell in cells]


def _share_of_numbers(cells: Sequence[str], delimiter: str) -> float:
    """0 where there is one cell, which a delimiter does not separate from any."""
    n_numbers = sum(is_number(cell) or (delimiter != "," and has_decimal_comma(cell)) for cell in cells)
    return n_numbers / len(cells) if len(cells) > 1 else 0.0
