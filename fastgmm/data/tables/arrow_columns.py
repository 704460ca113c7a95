"""Columns of Arrow, in which pyarrow reads files, as numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastgmm.data.choice import Choice
from fastgmm.data.frames import is_type_of_numbers, is_type_of_times
from fastgmm.data.table import Table
from fastgmm.data.tables.hints import hint_to_leave_out
from fastgmm.data.times import WAY_OUT, kind_of_time
from fastgmm.data.whole_numbers import first_rounded, refusal
from fastgmm.parameters import Array


def require_pyarrow(doing: str) -> Any:
    """The module, or an ``ImportError`` that says what to install."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(f"{doing} needs pyarrow: pip install 'fastgmm[parquet]'") from error
    return pyarrow


@contextmanager
def arrow_errors(name: str, kind: str) -> Iterator[None]:
    """What pyarrow says of a damaged file names it."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as error:
        # It calls damage of compressed bytes an OSError, too, but one without a number of the system's.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{name}: not a readable {kind} file ({error})") from error


def names_of_columns(names: Sequence[str]) -> tuple[str, ...]:
    """pandas stores the labels of its rows among the columns; they are no feature."""
    return tuple(name for name in names if not name.startswith("__index_level_"))


def table_of(name: str, schema: Any, read: Callable[[list[str]], Any], choice: Choice) -> Table:
    """The columns of a source that are chosen; ``read`` makes a table of pyarrow of the named ones.

    Raises
    ------
    ValueError
        For columns that do not exist or hold no numbers, and for a table without rows.
    """
    names = names_of_columns(schema.names)
    without_numbers = columns_without_numbers(schema, names)
    positions = choice.positions(name, names, len(names), lambda: without_numbers)
    chosen = names if positions is None else tuple(names[position] for position in positions)
    table = read(list(chosen))
    can_choose = choice.can_be_made and positions is None
    remedy = hint_to_leave_out(without_numbers, names, len(names)) if can_choose else ""
    arrays = [numbers_of_column(name, column, table.column(column), remedy) for column in chosen]
    if not table.num_rows or not arrays:
        raise ValueError(f"{name}: no rows of numbers")
    return Table(np.column_stack(arrays), chosen)


def columns_without_numbers(schema: Any, names: Sequence[str]) -> dict[int, str]:
    """The positions among the names of columns that hold something else, and their types."""
    types = enumerate(schema.field(name).type for name in names)
    return {position: str(kind) for position, kind in types if not is_type_of_numbers(kind)}


def numbers_of_column(place: str, name: str, column: Any, remedy: str = "", first_row: int = 0) -> Array:
    """Numbers, with NaN for empty cells, of a chunked array whose first cell is in that row of a place.

    They are float64, or float32 where the column is. ``remedy`` is for a column of anything else.
    """
    if str(column.type) == "null":
        return np.full(len(column), np.nan)
    is_empty = column.is_null().to_numpy() if column.null_count else None
    if is_empty is not None and str(column.type).startswith(("int", "uint", "bool")):
        column = column.fill_null(False if str(column.type) == "bool" else 0)  # else NumPy would make floats of all
    array: Array = column.to_numpy()
    if array.dtype.kind not in "fiub":
        way_out = f". {WAY_OUT}" if kind_of_time(array) or is_type_of_times(column.type) else ""
        raise ValueError(f"{place}, column {name!r}: holds {column.type}, not numbers{way_out}{remedy}")
    if array.dtype == np.float32:
        return array
    rounded = first_rounded(array)
    if rounded is not None:
        raise ValueError(f"{place}, row {first_row + rounded}, column {name!r}: {refusal(array[rounded])}")
    if is_empty is None:
        return array.astype(np.float64, copy=False)
    values = array.astype(np.float64)
    values[is_empty] = np.nan
    return values
