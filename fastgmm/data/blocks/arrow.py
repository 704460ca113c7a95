"""Rows of Arrow, as pyarrow decodes them: Parquet, Arrow's own files, data sets and tables, some rows at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastgmm.data.blocks.alike import Columns, selected
from fastgmm.data.blocks.block import Place
from fastgmm.data.blocks.cutting import Piece, piece_of_columns
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.selection import Asked, Selection
from fastgmm.data.tables.arrow_columns import (
    arrow_errors,
    columns_without_numbers,
    names_of_columns,
    numbers_of_column,
    require_pyarrow,
)
from fastgmm.data.tables.arrow_files import opened_arrow
from fastgmm.data.tables.parquet_files import require_parquet
from fastgmm.data.tables.source import source_of
from fastgmm.machine.whole_file import AnyPath

# Rows that are decoded together are so many bytes at most, and so are all the bytes of a file that wait for it.
_BYTES_OF_A_PIECE = 2**20
_MOST_ROWS_OF_A_PIECE = 2**16
_LEAST_BYTES_OF_A_COLUMN = 2**14


@dataclass(frozen=True, eq=False)
class Part:
    """A file, a fragment or a table: its name for messages, its schema, and its batches of the named columns."""

    name: str
    schema: Any
    batches: Callable[[list[str]], Iterator[Any]]

    @property
    def columns(self) -> Columns:
        names = names_of_columns(self.schema.names)
        return Columns(self.name, names, len(names), partial(columns_without_numbers, self.schema, names))


def reader_of_parts(name: str, parts: Sequence[Part], asked: Asked, is_ready: bool = False) -> Reader:
    """Of parts, one after the other.

    Whole numbers are read beside floats, and floats of both widths. What is neither is refused at once.
    """
    files = [part.columns for part in parts]
    selection, positions = selected(name, files, asked)
    assert files[0].names is not None
    names = [files[0].names[position] for position in positions[0]]
    dtypes = [_dtypes(part, names)[: len(selection.features)] for part in parts]
    is_single = all(dtype == np.float32 for some in dtypes for dtype in some)
    form = selection.form(name, np.dtype(np.float32 if is_single else np.float64))
    return Reader(form, partial(_pieces, parts, names, selection), is_ready)


def _dtypes(part: Part, names: Sequence[str]) -> list[np.dtype[Any]]:
    """As what columns of a schema are read."""
    empty = part.schema.empty_table()
    return [numbers_of_column(part.name, name, empty.column(name)).dtype for name in names]


def _pieces(parts: Sequence[Part], names: list[str], selection: Selection) -> Iterator[Piece]:
    from pyarrow import Table

    for part in parts:
        n_rows = 0
        for batch in part.batches(names):
            for begin in range(0, batch.num_rows, rows_of_a_piece(len(names))):
                some = Table.from_batches([batch.slice(begin, rows_of_a_piece(len(names)))])
                columns = [numbers_of_column(part.name, name, some.column(name), first_row=n_rows) for name in names]
                yield piece_of_columns(columns, selection, Place(part.name, n_rows, some.num_rows))
                n_rows += some.num_rows


def rows_of_a_piece(n_columns: int) -> int:
    return max(1, min(_MOST_ROWS_OF_A_PIECE, _BYTES_OF_A_PIECE // (8 * n_columns)))


def part_of_parquet(path: AnyPath) -> Part:
    parquet = require_parquet("reading")
    with arrow_errors(str(path), ".parquet"), parquet.ParquetFile(path) as file:
        return Part(str(path), file.schema_arrow, partial(_batches_of_parquet, path))


def _batches_of_parquet(path: AnyPath, names: list[str]) -> Iterator[Any]:
    """A buffer for each column, and nothing ahead, holds memory down whatever the size of row groups."""
    buffer = max(_LEAST_BYTES_OF_A_COLUMN, _BYTES_OF_A_PIECE // len(names))
    with (
        arrow_errors(str(path), ".parquet"),
        require_parquet("reading").ParquetFile(path, buffer_size=buffer, pre_buffer=False) as file,
    ):
        yield from file.iter_batches(rows_of_a_piece(len(names)), columns=names, use_threads=False)


def part_of_arrow(path: AnyPath) -> Part:
    """Of a file in Arrow's format of files, which Feather's is, or of streams."""
    require_pyarrow("reading .arrow and .feather")
    with arrow_errors(str(path), "Arrow"), opened_arrow(source_of(path)) as content:
        return Part(str(path), content.schema, partial(_batches_of_arrow, path))


def _batches_of_arrow(path: AnyPath, names: list[str]) -> Iterator[Any]:
    """They lie in the mapped file where it is not compressed; else one is decompressed at a time."""
    with arrow_errors(str(path), "Arrow"), opened_arrow(source_of(path), names) as content:
        if hasattr(content, "num_record_batches"):
            for number in range(content.num_record_batches):
                yield content.get_batch(number)
        else:
            yield from content


def is_table(data: object) -> bool:
    """Whether it is a table of pyarrow, without importing it."""
    return type(data).__module__ == "pyarrow.lib" and hasattr(data, "to_batches") and hasattr(data, "schema")


def part_of_table(table: Any) -> Part:
    """Of a table in memory, with or without pyarrow's batches."""

    def batches(names: list[str]) -> Iterator[Any]:
        return iter(table.select(names).to_batches())

    return Part("the table", table.schema, batches)


def is_dataset(data: object) -> bool:
    """Whether it is a data set of pyarrow."""
    return type(data).__module__ == "pyarrow._dataset" and hasattr(data, "get_fragments")


def parts_of_dataset(dataset: Any) -> list[Part]:
    """Its fragments."""
    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise ValueError(
            f"{error} Or pass a function that returns frames anew each time: "
            "lambda: (batch.to_pandas() for batch in dataset.to_batches())"
        ) from error
    if not fragments:
        raise ValueError("the data set has no fragments")
    return [
        Part(
            getattr(fragment, "path", f"the data set, fragment {number}"),
            dataset.schema,
            partial(_batches_of_fragment, fragment, dataset.schema),
        )
        for number, fragment in enumerate(fragments)
    ]


def _batches_of_fragment(fragment: Any, schema: Any, names: list[str]) -> Iterator[Any]:
    """Little is read ahead, lest decoded rows pile up in memory."""
    with arrow_errors(getattr(fragment, "path", "the data set"), "Arrow"):
        yield from fragment.to_batches(
            schema=schema,
            columns=names,
            batch_size=rows_of_a_piece(len(names)),
            batch_readahead=1,
            fragment_readahead=1,
        )


def local_files(dataset: Any) -> list[str] | None:
    """The files of a data set that lies in files of this machine."""
    from pyarrow import fs

    is_local = isinstance(getattr(dataset, "filesystem", None), fs.LocalFileSystem)
    return list(dataset.files) if is_local else None
