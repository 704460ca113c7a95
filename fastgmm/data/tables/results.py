"""Results into files, ``.npy`` and ``.csv``, and into text."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import Array

OUTPUT_SUFFIXES = (".npy", ".csv")


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


def write_lines(path: AnyPath, lines: Iterable[str]) -> None:
    """Write lines, ends included; the file appears whole or not at all."""
    with whole_file(path) as file:
        file.writelines(line.encode() for line in lines)


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
