"""Results into files, ``.npy``, ``.csv`` and ``.parquet``, and into text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastgmm.data.tables.numpy_files import growing_array, npy_header
from fastgmm.data.tables.parquet_files import require_parquet, write_parquet
from fastgmm.machine.whole_file import AnyPath, require_writable, whole_file
from fastgmm.parameters import Array

OUTPUT_SUFFIXES = (".npy", ".csv", ".parquet")


def output_suffix(path: AnyPath) -> str:
    """Which of them a name ends in."""
    return Path(path).suffix.lower()


def require_output(path: AnyPath) -> None:
    """Raise now what writing to ``path`` would raise after hours of work: ``OSError``, or ``ImportError``."""
    if output_suffix(path) == ".parquet":
        require_parquet()
    require_writable(path)


def write_rows(
    path: AnyPath,
    blocks: Iterable[Array],
    n_rows: int | None,
    shape_of_row: tuple[int, ...],
    dtype: Any,
    names: Sequence[str],
) -> None:
    """Write consecutive blocks of rows as one array; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        ``.npy``, or ``.csv`` or ``.parquet`` with the ``names`` of the columns.
    n_rows : int, or None
        None where nobody knows how many will come.
    shape_of_row : tuple of int
    """
    if output_suffix(path) == ".parquet":
        write_columns(path, (_columns(np.asarray(block, dtype)) for block in blocks), names)
        return
    with whole_file(path) as file:
        if output_suffix(path) == ".csv":
            file.write(f"{','.join(names)}\n".encode())
            for block in blocks:
                file.write(rows_as_text(block).encode())
        else:
            _write_npy(path, file, blocks, n_rows, shape_of_row, np.dtype(dtype))


def write_columns(path: AnyPath, blocks: Iterable[Sequence[Array]], names: Sequence[str]) -> None:
    """Write blocks of rows, each given as its columns, to ``.parquet``; the file appears whole or not at all."""
    with whole_file(path) as file:
        write_parquet(file, blocks, names)


def _columns(block: Array) -> Sequence[Array]:
    return list(block.reshape(len(block), -1).T)


def write_lines(path: AnyPath, lines: Iterable[str]) -> None:
    """Write lines, ends included; the file appears whole or not at all."""
    with whole_file(path) as file:
        file.writelines(line.encode() for line in lines)


def _write_npy(
    path: AnyPath,
    file: BinaryIO,
    blocks: Iterable[Array],
    n_rows: int | None,
    shape_of_row: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    if n_rows is not None:
        file.write(npy_header((n_rows, *shape_of_row), dtype))
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype).tobytes())
        return
    if not file.seekable():
        raise ValueError(f"{path}: a .npy file begins with how many rows there are, so that a pipe takes .csv alone")
    with growing_array(file, shape_of_row, dtype) as add:
        for block in blocks:
            add(block)


def rows_as_text(block: Array) -> str:
    """One line a row, cells separated by commas, floats with as many digits as it takes to read them back."""
    if block.ndim == 1:
        return "".join(f"{cell!r}\n" for cell in block.tolist())
    return "".join(",".join(map(repr, row)) + "\n" for row in block.tolist())
