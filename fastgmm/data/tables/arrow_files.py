"""``.arrow``, ``.feather`` and ``.ipc``: Arrow's own files, which Feather's are, and its streams."""

from collections.abc import Sequence
from typing import Any

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.arrow_columns import arrow_errors, require_pyarrow, table_of
from fastgmm.data.tables.source import Source

BEGINNING_OF_A_FILE = b"ARROW1"
_BEGINNING_OF_OLD_FEATHER = b"FEA1"


def read_arrow(source: Source, choice: Choice) -> Table:
    """The columns that are chosen."""
    require_pyarrow("reading .arrow and .feather")
    with arrow_errors(source.name, "Arrow"), opened_arrow(source) as content:
        return table_of(source.name, content.schema, lambda names: opened_arrow(source, names).read_all(), choice)


def opened_arrow(source: Source, names: Sequence[str] | None = None) -> Any:
    """pyarrow's reader of a file or of a stream, of the named columns or of all; a file is mapped into memory.

    Raises
    ------
    ValueError
        For a file of the Feather before Arrow's, which pyarrow reads in another way.
    """
    from pyarrow import ipc

    beginning = source.beginning()
    if beginning.startswith(_BEGINNING_OF_OLD_FEATHER):
        raise ValueError(f"{source.name}: Feather of version 1: write it anew with pyarrow.feather.write_feather")
    read = ipc.open_file if beginning.startswith(BEGINNING_OF_A_FILE) else ipc.open_stream
    if names is None:
        return read(_content_of(source))
    schema = read(_content_of(source)).schema
    options = ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names], use_threads=False)
    return read(_content_of(source), options=options)


def _content_of(source: Source) -> Any:
    from pyarrow import BufferReader, memory_map

    if source.path is not None:
        return memory_map(str(source.path))
    with source.open() as file:
        return BufferReader(file.read())
