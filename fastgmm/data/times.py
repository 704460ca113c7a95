"""Dates, times and durations are no numbers: how they are told from numbers, and what makes numbers of them.

NumPy and pandas would make numbers of many of them in silence, in whatever unit they happen to be kept.
"""

import re
from datetime import date, time, timedelta
from typing import Any

import numpy as np

from fastgmm.parameters import Array

# pandas' own are subclasses of the first three.
_TYPES = (date, timedelta, time, np.datetime64, np.timedelta64)
_DATE = r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4}"
_CLOCK = r"\d\d?:\d\d(:\d\d.*)?"
_TEXT = re.compile(rf"({_DATE})([T ]{_CLOCK}.*)?|{_CLOCK}")

WAY_OUT = (
    "Times as numbers are, for example, seconds since an origin: (t - origin) / np.timedelta64(1, 's') with origin = "
    "t.min() of the rows fitted, and the same origin for rows scored later; durations, t / np.timedelta64(1, 's')."
)


def is_time(cell: Any) -> bool:
    """Whether a cell is a date, a time or a duration, or text that looks like the first two."""
    return isinstance(cell, _TYPES) or (isinstance(cell, str) and _TEXT.fullmatch(cell.strip()) is not None)


def kind_of_time(array: Array) -> str | None:
    """What an array holds beside numbers where that is a date, time or duration; None where there is none."""
    if array.dtype.kind == "O":
        return next((type(cell).__name__ for cell in array.flat if isinstance(cell, _TYPES)), None)
    return str(array.dtype) if array.dtype.kind in "mM" else None
