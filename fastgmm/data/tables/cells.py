"""What a cell of text is: a number, a number gone wrong, or a name."""

import re
from collections.abc import Sequence

# What stands for a missing value, beside an empty cell and the NaN that NumPy reads: what pandas and R write and read.
MISSING = frozenset(("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None"))
# What may be meant as one, and is no name of a column. "Na" is not here, since it is sodium.
_MAY_BE_MISSING = MISSING | {"na", "none", "missing", "-", "--", "?", "."}
_BEGINS_AS_A_NUMBER = re.compile(r"[+-]?[.,]?\d")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def is_number(cell: str) -> bool:
    """As NumPy's parser reads numbers, which takes neither the underscores nor the foreign digits that Python does."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.strip().isascii()


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a missing value, though it is not a number, as NaN is."""
    return cell.strip() in MISSING


def may_be_missing(cell: str) -> bool:
    return cell.strip() in _MAY_BE_MISSING


def has_decimal_comma(cell: str) -> bool:
    return _DECIMAL_COMMA.fullmatch(cell.strip()) is not None


def are_names(row: Sequence[str]) -> bool:
    """Whether a first row looks like names: no cell is a number or stands for a missing one, and not all begin as one.

    A row that is taken for names is not among the points, so that what may be points is not taken for names.
    """
    cells = [cell.strip() for cell in row if cell.strip()]
    if any(is_number(cell) or may_be_missing(cell) for cell in cells):
        return False
    return not all(_BEGINS_AS_A_NUMBER.match(cell) for cell in cells)
