"""Whole numbers beyond 2⁵³, of which float64 holds some: the others are refused where they would be rounded.

Rows become floats before an origin is taken off them. Times in nanoseconds since 1970 would then be known to 256 ns,
identifiers would become others', and nobody would see it. A decimal fraction that is rounded is another matter: whoever
writes one expects that.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral
from typing import Any

import numpy as np

from fastgmm.data.frames import columns_of, type_of
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array

_FIRST_GAP = 2.0**53
_WAY_OUT = (
    "Subtract one whole number from all rows while they are integers, as in X - origin with origin = X.min(axis=0) of "
    "the rows fitted, and the same origin for rows scored later; or count in larger units."
)


def require_exact(data: Any, values: Array) -> None:
    """Raise ``ValueError`` where a whole number of the data is another in ``values`` (n, d), made of them.

    NumPy makes floats of integers among floats before we see them, so that columns of a frame and rows of a list are
    looked at one by one, where any number is large enough.
    """
    if (isinstance(data, np.ndarray) and data.dtype.kind == "f") or not is_any_large(values):
        return
    columns = list(_columns(data))
    found = [(row, column) for column, cells in enumerate(columns) if (row := first_rounded(cells)) is not None]
    if found:
        row, column = min(found)
        value = int(columns[column][row])
        raise ValueError(
            f"Input X contains whole numbers that float64 does not hold. The first is {value} at row {row}, "
            f"column {column} (counted from 0); it would become {int(float(value))}. {_WAY_OUT}"
        )


def refusal(cell: Any) -> str:
    """What is wrong with such a cell of a file, and the way out."""
    value = int(cell)
    return f"{value} is a whole number that float64 does not hold; it would become {int(float(value))}. {_WAY_OUT}"


def is_any_large(values: Array) -> bool:
    """Whether any of the floats, which may be NaN, is where float64 leaves out whole numbers."""
    return any(
        np.fmax.reduce(values[part], axis=None) >= _FIRST_GAP or np.fmin.reduce(values[part], axis=None) <= -_FIRST_GAP
        for part in pieces(len(values), values[:1].nbytes)
    )


def first_rounded(cells: Array) -> int | None:
    """The position of the first whole number among cells (n,) of any dtype that float64 does not hold."""
    if cells.dtype.kind in "OSU":
        return next((row for row, cell in enumerate(cells) if is_rounded(cell)), None)
    if cells.dtype.kind not in "iu" or cells.dtype.itemsize < 8:
        return None
    beyond = float(np.iinfo(cells.dtype).max)  # which rounds up, to what no cell can be
    for part in pieces(len(cells), cells.itemsize):
        numbers = cells[part].astype(np.float64)
        with np.errstate(invalid="ignore"):
            is_changed = (numbers >= beyond) | (numbers.astype(cells.dtype) != cells[part])
        if is_changed.any():
            return int(part.start + np.argmax(is_changed))
    return None


def is_rounded(cell: Any) -> bool:
    """Whether a cell is a whole number, or text that says one, that float64 does not hold."""
    if isinstance(cell, str | bytes):
        try:
            whole = int(cell)
        except ValueError:  # a decimal, or no number
            return False
    elif isinstance(cell, Integral) or (
        isinstance(cell, Decimal) and cell.is_finite() and cell == cell.to_integral_value()
    ):
        whole = int(cell)
    else:
        return False
    number = float(cell)
    return math.isfinite(number) and number != whole  # what is too large for any float is refused elsewhere


def _columns(data: Any) -> Iterable[Array]:
    """The columns of a frame, or of what NumPy reads as an array, each in its own dtype."""
    columns = columns_of(data)
    if columns is not None:
        return map(_cells, columns)
    array: Array = np.array(data, dtype=object) if isinstance(data, Sequence) else np.asarray(data)
    return array.T


def _cells(column: Any) -> Array:
    """A column of a frame; empty cells of integers as 0, since NumPy would make floats of all."""
    fill = getattr(column, "fill_null", None) or getattr(column, "fillna", None)  # pandas' is the latter
    may_have_empty = str(type_of(column)).lower().startswith(("int", "uint")) and fill is not None
    return np.asarray(fill(0) if may_have_empty and fill is not None else column)
