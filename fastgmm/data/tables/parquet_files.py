"""Points in ``.parquet`` files, which pyarrow reads."""

from typing import Any

import numpy as np

from fastgmm.data.tables.arrow_columns import arrow_errors, names_of_columns, numbers_of_column, require_pyarrow
from fastgmm.data.tables.source import Source
from fastgmm.data.tables.table import Choice, Table


def read_parquet(source: Source, choice: Choice) -> Table:
    """The columns that are chosen."""
    parquet = parquet_module()
    with source.open() as file, arrow_errors(source.name, ".parquet"):
        content = parquet.ParquetFile(file)
        names = names_of_columns(content.schema_arrow.names)
        positions = choice.positions(source.name, names, len(names))
        chosen = names if positions is None else tuple(names[position] for position in positions)
        table = content.read(columns=list(chosen))
        arrays = [numbers_of_column(source.name, name, table.column(name)) for name in chosen]
    if not table.num_rows or not arrays:
        raise ValueError(f"{source.name}: no rows of numbers")
    return Table(np.column_stack(arrays), chosen)


def parquet_module() -> Any:
    """That of pyarrow."""
    require_pyarrow(".parquet")
    from pyarrow import parquet

    return parquet
