"""Points and results in files: ``.npy`` (memory-mapped), ``.csv`` and ``.parquet`` in, ``.npy`` and ``.csv`` out."""

import csv
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastgmm.parameters import Array
from fastgmm.whole_file import AnyPath, whole_file

INPUT_SUFFIXES = (".npy", ".csv", ".parquet")
OUTPUT_SUFFIXES = (".npy", ".csv")


@dataclass(frozen=True, eq=False)
class Table:
    """Points with the names of their columns, in the form that estimators take names from.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        From ``.npy`` a read-only memory map of the file's own dtype, else float64 (float32 where all of a ``.parquet``
        file's columns are).
    columns : tuple of str, or None
    """

    values: Array
    columns: tuple[str, ...] | None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.values)


def read_points(path: AnyPath, columns: Sequence[str] | None = None) -> Table:
    """Read points, one a row.

    Parameters
    ----------
    path : path-like
        ``.npy``, ``.csv`` (a first row that is no numbers holds the names) or ``.parquet``.
    columns : sequence of str, optional
        The columns to read, in this order: by name, or by number from 0 where no column has that name.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        For a damaged file, cells that are not numbers (naming line and column), and unknown columns.
    OSError
        For a file that cannot be read.
    ImportError
        For ``.parquet`` without pyarrow.
    """
    readers = {".npy": _read_npy, ".csv": _read_csv, ".parquet": _read_parquet}
    read = readers.get(Path(path).suffix.lower())
    if read is None:
        raise ValueError(f"{path}: unknown kind of file; known are {', '.join(INPUT_SUFFIXES)}")
    return read(path, columns)


def column_names(path: AnyPath) -> tuple[str, ...] | None:
    """The names in a ``.csv`` or ``.parquet`` file, without reading its rows; None where it has none."""
    suffix = Path(path).suffix.lower()
    if suffix == ".parquet":
        parquet = _parquet_module()
        with open(path, "rb") as file, _parquet_errors(path):
            return _parquet_names(parquet.ParquetFile(file))
    if suffix == ".csv":
        with _csv_errors(path):
            return _csv_names(path, _first_row(path)[0])
    return None


def _select(path: AnyPath, wanted: Sequence[str], names: tuple[str, ...] | None, n_columns: int) -> list[int]:
    """Positions of the columns asked for."""
    positions: list[int] = []
    for column in wanted:
        if names is not None and column in names:
            positions.append(names.index(column))
        elif column.isdecimal() and int(column) < n_columns:
            positions.append(int(column))
        else:
            known = ", ".join(names) if names is not None else f"0 to {n_columns - 1}"
            raise ValueError(f"{path}: no column {column!r}; there are {known}")
    if len(set(positions)) < len(positions):
        raise ValueError(f"{path}: a column is asked for twice: {', '.join(wanted)}")
    return positions


def _take(names: tuple[str, ...], positions: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[position] for position in positions)


# --- .npy ------------------------------------------------------------------------------------------------------------


def _read_npy(path: AnyPath, columns: Sequence[str] | None) -> Table:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a .npy file of numbers ({error})") from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise ValueError(f"{path}: an .npz archive, where a .npy file with a single array is expected")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path}: holds {values.dtype}, not numbers")
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2:
        raise ValueError(f"{path}: an array of shape {values.shape}, where (n_points, n_features) is expected")
    if columns is not None:
        values = values[:, _select(path, columns, None, values.shape[1])]
    return Table(values, None)


# --- .csv ------------------------------------------------------------------------------------------------------------


@contextmanager
def _csv_errors(path: AnyPath) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8 ({error})") from error
    except csv.Error as error:
        raise ValueError(f"{path}: not a CSV file ({error})") from error


def _read_csv(path: AnyPath, columns: Sequence[str] | None) -> Table:
    with _csv_errors(path):
        first, n_lines = _first_row(path)
        names = _csv_names(path, first)
        positions = None if columns is None else _select(path, columns, names, len(first))
        values = _parse_csv(path, 0 if names is None else n_lines, positions, len(first))
    if not len(values):
        raise ValueError(f"{path}: no rows of numbers")
    if names is not None and positions is not None:
        names = _take(names, positions)
    return Table(values, names)


def _csv_names(path: AnyPath, first: Sequence[str]) -> tuple[str, ...] | None:
    """The first row, where a cell of it is neither empty nor a number."""
    is_header = any(cell.strip() and not _is_number(cell) for cell in first)
    return _unique_names(path, first) if is_header else None


def _first_row(path: AnyPath) -> tuple[list[str], int]:
    """The first row that is not blank, and the number of lines up to its end."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        for row in rows:
            if row:
                return row, rows.line_num
    raise ValueError(f"{path}: the file is empty")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _unique_names(path: AnyPath, row: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{position}" for position, cell in enumerate(row))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: more than one column is called {twice[0]!r}")
    return names


def _parse_csv(path: AnyPath, n_header_lines: int, positions: Sequence[int] | None, n_columns: int) -> Array:
    n_wanted = n_columns if positions is None else len(positions)
    complaint = f"not a table of {n_wanted} columns"
    try:
        values = _loadtxt(path, n_header_lines, positions)
        if not values.size or values.shape[1] == n_wanted:
            return values
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        complaint = str(error)
    # NumPy's parser is fast, but says little about what it cannot read; a slow second look says it.
    looked_at = range(n_columns) if positions is None else positions
    raise ValueError(_first_bad_cell(path, n_header_lines, looked_at, n_columns) or f"{path}: {complaint}")


def _loadtxt(path: AnyPath, n_header_lines: int, positions: Sequence[int] | None) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data", UserWarning)
        return np.loadtxt(
            os.path.abspath(path),
            delimiter=",",
            quotechar='"',
            comments=None,
            skiprows=n_header_lines,
            usecols=positions,
            ndmin=2,
            encoding="utf-8-sig",
        )


def _first_bad_cell(path: AnyPath, n_header_lines: int, positions: Sequence[int], n_columns: int) -> str | None:
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        for row in rows:
            if not row or rows.line_num <= n_header_lines:
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != n_columns:
                return f"{where}: {len(row)} columns, where the first row has {n_columns}"
            for position in positions:
                cell = row[position]
                if not cell.strip():
                    return f"{where}, column {position + 1}: the cell is empty"
                if not _is_number(cell):
                    return f"{where}, column {position + 1}: {cell!r} is not a number"
    return None


# --- .parquet --------------------------------------------------------------------------------------------------------


def _parquet_module() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError("reading .parquet needs pyarrow: pip install 'fastgmm[parquet]'") from error
    return parquet


@contextmanager
def _parquet_errors(path: AnyPath) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except ArrowException as error:
        raise ValueError(f"{path}: not a readable .parquet file ({error})") from error


def _read_parquet(path: AnyPath, columns: Sequence[str] | None) -> Table:
    parquet = _parquet_module()
    with open(path, "rb") as file, _parquet_errors(path):
        source = parquet.ParquetFile(file)
        names = _parquet_names(source)
        chosen = names if columns is None else _take(names, _select(path, columns, names, len(names)))
        table = source.read(columns=list(chosen))
        arrays = [_parquet_column(path, name, table.column(name)) for name in chosen]
    if not table.num_rows or not arrays:
        raise ValueError(f"{path}: no rows of numbers")
    return Table(np.column_stack(arrays), chosen)


def _parquet_names(source: Any) -> tuple[str, ...]:
    # pandas stores the labels of its rows among the columns; they are no feature.
    return tuple(name for name in source.schema_arrow.names if not name.startswith("__index_level_"))


def _parquet_column(path: AnyPath, name: str, column: Any) -> Array:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}, row {row}, column {name!r}: the cell is empty")
    array: Array = column.to_numpy()
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path}, column {name!r}: holds {column.type}, not numbers")
    return array if array.dtype == np.float32 else array.astype(np.float64)


# --- results ---------------------------------------------------------------------------------------------------------


def write_rows(path: AnyPath, blocks: Iterable[Array], shape: tuple[int, ...], dtype: Any, header: str) -> None:
    """Write consecutive blocks of rows as one array of that shape; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        ``.npy``, or ``.csv`` with ``header`` as its first line.
    """
    with whole_file(path) as file:
        if Path(path).suffix.lower() == ".csv":
            file.write(f"{header}\n".encode())
            for block in blocks:
                file.write(rows_as_text(block).encode())
        else:
            _write_npy(file, blocks, shape, np.dtype(dtype))


def _write_npy(file: BinaryIO, blocks: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for block in blocks:
        file.write(np.ascontiguousarray(block, dtype).tobytes())


def rows_as_text(block: Array) -> str:
    """One line a row, cells separated by commas, floats with as many digits as it takes to read them back."""
    if block.ndim == 1:
        return "".join(f"{cell!r}\n" for cell in block.tolist())
    return "".join(",".join(map(repr, row)) + "\n" for row in block.tolist())
