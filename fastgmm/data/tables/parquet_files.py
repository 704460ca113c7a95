"""``.parquet`` files, which pyarrow reads and writes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.hints import hint_to_leave_out
from fastgmm.data.tables.source import Source
from fastgmm.data.times import WAY_OUT, kind_of_time
from fastgmm.data.whole_numbers import first_rounded, refusal
from fastgmm.parameters import Array

_NUMBERS_OF_A_GROUP = 2**20


def read_parquet(source: Source, choice: Choice) -> Table:
    """The columns that are chosen."""
    parquet = require_parquet("reading")
    with source.open() as file, _parquet_errors(source):
        content = parquet.ParquetFile(file)
        names = _names(content)
        positions = choice.positions(source.name, names, len(names))
        chosen = names if positions is None else tuple(names[position] for position in positions)
        table = content.read(columns=list(chosen))
        kept = [position for position, name in enumerate(chosen) if _holds_numbers(table.column(name))]
        remedy = hint_to_leave_out(names, kept) if choice.can_be_made and positions is None else ""
        arrays = [_column(source, name, table.column(name), remedy) for name in chosen]
    if not table.num_rows or not arrays:
        raise ValueError(f"{source.name}: no rows of numbers")
    return Table(np.column_stack(arrays), chosen)


def write_parquet(file: BinaryIO, blocks: Iterable[Sequence[Array]], names: Sequence[str]) -> None:
    """Write blocks of rows, each given as its columns, one row group after the other."""
    parquet = require_parquet()
    groups = _row_groups(blocks, names)
    first = next(groups)
    # Floats mostly are distinct: to look them up in a dictionary takes five times as long as to write them.
    repeated = [each.name for each in first.schema if str(each.type).startswith("int")]
    with parquet.ParquetWriter(file, first.schema, use_dictionary=repeated) as writer:
        for group in chain([first], groups):
            writer.write_table(group)


def _row_groups(blocks: Iterable[Sequence[Array]], names: Sequence[str]) -> Iterator[Any]:
    """Tables of pyarrow, of so many numbers each that one is written within some 50 ms, since no signal ends that."""
    import pyarrow

    for columns in blocks:
        step = max(1, _NUMBERS_OF_A_GROUP // len(columns))
        for begin in range(0, len(columns[0]), step):
            arrays = [pyarrow.array(column[begin : begin + step]) for column in columns]
            yield pyarrow.Table.from_arrays(arrays, names=list(names))


def require_parquet(doing: str = "writing") -> Any:
    """pyarrow's module, or an ``ImportError`` that says what to install."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"{doing} .parquet needs pyarrow: pip install 'fastgmm[parquet]'") from error
    return parquet


@contextmanager
def _parquet_errors(source: Source) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except ArrowException as error:
        raise ValueError(f"{source.name}: not a readable .parquet file ({error})") from error


def _names(content: Any) -> tuple[str, ...]:
    # pandas stores the labels of its rows among the columns; they are no feature.
    return tuple(name for name in content.schema_arrow.names if not name.startswith("__index_level_"))


def _holds_numbers(column: Any) -> bool:
    return str(column.type).startswith(("int", "uint", "bool", "float", "double", "halffloat", "null"))


def _column(source: Source, name: str, column: Any, remedy: str) -> Array:
    """Numbers, with NaN for empty cells; ``remedy`` is for a column of anything else."""
    if str(column.type) == "null":
        return np.full(len(column), np.nan)
    is_empty = column.is_null().to_numpy() if column.null_count else None
    if is_empty is not None and str(column.type).startswith(("int", "uint", "bool")):
        column = column.fill_null(False if str(column.type) == "bool" else 0)  # else NumPy would make floats of all
    array: Array = column.to_numpy()
    if array.dtype.kind not in "fiub":
        way_out = f". {WAY_OUT}" if kind_of_time(array) else ""
        raise ValueError(f"{source.name}, column {name!r}: holds {column.type}, not numbers{way_out}{remedy}")
    if array.dtype == np.float32:
        return array
    rounded = first_rounded(array)
    if rounded is not None:
        raise ValueError(f"{source.name}, row {rounded}, column {name!r}: {refusal(array[rounded])}")
    values = array.astype(np.float64)
    if is_empty is not None:
        values[is_empty] = np.nan
    return values
