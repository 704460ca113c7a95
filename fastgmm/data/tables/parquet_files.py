"""``.parquet`` files, which pyarrow reads and writes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.arrow_columns import arrow_errors, require_pyarrow, table_of
from fastgmm.data.tables.source import Source
from fastgmm.parameters import Array

_NUMBERS_OF_A_GROUP = 2**20


def read_parquet(source: Source, choice: Choice) -> Table:
    """The columns that are chosen."""
    parquet = require_parquet("reading")
    with source.open() as file, arrow_errors(source.name, ".parquet"):
        content = parquet.ParquetFile(file)
        return table_of(source.name, content.schema_arrow, lambda names: content.read(columns=names), choice)


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
    require_pyarrow(f"{doing} .parquet")
    from pyarrow import parquet

    return parquet
