"""Frames of pandas, Polars and Arrow: the names of their columns, and which of these hold numbers.

They are told by what they can do, so that none of their libraries is imported, and others that do the same (narwhals'
frames) are frames, too.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, TypeVar

from fastgmm.errors import ColumnsLeftOutWarning, in_words, listed

Frame = TypeVar("Frame")

# What the names of types begin with, in small letters, in all of these libraries and in files that pyarrow reads.
_NUMBERS = ("int", "uint", "float", "double", "halffloat", "bool", "null")
_TIMES = ("date", "time", "duration", "period")


def names_of(X: Any) -> Sequence[Any] | None:
    """The names of the columns of a frame, else None.

    Raises
    ------
    TypeError
        For a lazy frame, whose rows are yet to be computed.
    """
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise TypeError(f"Got a {type(X).__name__}, whose rows are yet to be computed: call .collect() on it first.")
    columns = getattr(X, "column_names", None)  # Arrow's, whose `columns` are arrays
    if columns is None:
        columns = getattr(X, "columns", None)
    return None if columns is None or callable(columns) else columns


def columns_of(X: Any) -> Iterator[Any] | None:
    """The columns of a frame, each in a dtype of its own; None where X is none."""
    if hasattr(X, "iloc") and hasattr(X, "items"):
        return (column for _, column in X.items())
    for method in ("iter_columns", "itercolumns"):
        if hasattr(X, method):
            columns: Iterator[Any] = getattr(X, method)()
            return columns
    return None


def type_of(column: Any) -> Any:
    """What the cells of a column are: Arrow calls it type, everyone else dtype."""
    return column.type if hasattr(column, "type") else column.dtype


def is_type_of_numbers(kind: Any) -> bool:
    return str(kind).lower().startswith(_NUMBERS)


def is_type_of_times(kind: Any) -> bool:
    return str(kind).lower().startswith(_TIMES)


def times_in(X: Any) -> str | None:
    """The first column of a frame that is of times, in words; None where there is none."""
    names = names_of(X)
    types = None if names is None else _types_of(X)
    if names is None or types is None:
        return None
    return next(
        (f"{kind} in column {name!r}" for name, kind in zip(names, types, strict=True) if is_type_of_times(kind)), None
    )


def _types_of(X: Any) -> Iterable[Any] | None:
    """Those of the columns of what has names for them, whose cells are not looked at; None where it does not tell."""
    if hasattr(X, "dtypes"):
        return list(X.dtypes) if hasattr(X, "columns") else None
    schema = getattr(X, "schema", None)
    if schema is None:
        return None
    return schema.types if hasattr(schema, "types") else list(schema.values())


def advice_on_columns(X: Any, name: str) -> str:
    """Which columns of a frame hold numbers and which do not, for the end of a message; nothing where all do."""
    kept, left_out = _divided(X)
    if not left_out:
        return ""
    of_numbers = f" Columns with numbers: {listed(kept.values())}; fastgmm.numeric_columns({name}) has these alone."
    return f" Columns without numbers: {in_words(left_out)}.{of_numbers if kept else ''}"


def numeric_columns(X: Frame) -> Frame:
    """The columns of a frame that hold numbers, for ``fit`` and all other calls that take one.

    Truth values are numbers, 0 and 1. Text, categories, dates, times and durations are none.

    Parameters
    ----------
    X : frame of pandas or Polars, or table of Arrow, of shape (n_rows, n_columns)
        Its columns may be of any types.

    Returns
    -------
    frame of shape (n_rows, n_features)
        Of the same library, with the rows and the order of columns that X has. Where some columns are left out, a
        ``fastgmm.errors.ColumnsLeftOutWarning`` names them.

    Raises
    ------
    TypeError
        For what is no frame, and for a lazy frame.
    ValueError
        Where no column holds numbers.

    Examples
    --------
    >>> import pandas
    >>> import fastgmm
    >>> flights = pandas.DataFrame({"distance": [1400, 1416], "air_time": [227.0, None], "delayed": [True, False]})
    >>> list(fastgmm.numeric_columns(flights).columns)
    ['distance', 'air_time', 'delayed']
    """
    if names_of(X) is None or columns_of(X) is None:
        raise TypeError(
            f"numeric_columns takes a frame of pandas or Polars or a table of Arrow; got {type(X).__name__}"
        )
    kept, left_out = _divided(X)
    if not kept:
        raise ValueError(f"No column of X holds numbers: {in_words(left_out)}.")
    if left_out:
        warnings.warn(ColumnsLeftOutWarning("X", left_out), stacklevel=2)
    frame: Any = X
    chosen: Frame = frame.iloc[:, list(kept)] if hasattr(frame, "iloc") else frame.select(list(kept.values()))
    return chosen


def _divided(X: Any) -> tuple[dict[int, str], dict[str, str]]:
    """The columns of a frame that hold numbers, as their names by position; and the others, as their types by name."""
    kept, left_out = dict[int, str](), dict[str, str]()
    for position, (name, column) in enumerate(_named_columns(X)):
        if _holds_numbers(column):
            kept[position] = name
        else:
            left_out[str(name)] = str(type_of(column))
    return kept, left_out


def _named_columns(X: Any) -> Iterator[tuple[Any, Any]]:
    names, columns = names_of(X), columns_of(X)
    return iter(()) if names is None or columns is None else zip(names, columns, strict=True)


def _holds_numbers(column: Any) -> bool:
    kind = type_of(column)
    return is_type_of_numbers(kind) or (str(kind).lower() == "object" and all(map(_is_number_or_missing, column)))


def _is_number_or_missing(cell: Any) -> bool:
    return cell is None or isinstance(cell, Real | Decimal) or type(cell).__name__ == "NAType"  # pandas.NA's
