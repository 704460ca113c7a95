"""Points in NumPy's files: ``.npy``, memory-mapped, and ``.npz`` with one array. Neither is ever unpickled.

``.npy`` is also written here, with as many rows as come.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from tokenize import TokenError
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.source import Source
from fastgmm.data.times import WAY_OUT
from fastgmm.parameters import Array

_ARCHIVE = b"PK"
# What NumPy raises for bytes that are not what they should be. It reads a header as one of Python's literals; zipfile
# says with a RuntimeError that a member is encrypted, or compressed in a way it does not know.
_DAMAGE = (ValueError, EOFError, SyntaxError, TokenError, BadZipFile, RuntimeError, zlib.error)
_MODEL_MEMBERS = {"header", "digest"}
_MOST_NAMES_SHOWN = 8


def read_numpy(source: Source, choice: Choice) -> Table:
    """The only array of a file; what it is, an array or an archive, its first bytes say."""
    values = _array(source)
    if values.dtype.kind not in "fiub":
        way_out = f". {WAY_OUT}" if values.dtype.kind in "mM" else ""
        raise ValueError(f"{source.name}: holds {values.dtype}, not numbers{way_out}")
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2:
        shape = values.shape
        raise ValueError(f"{source.name}: an array of shape {shape}, where (n_points, n_features) is expected")
    positions = choice.positions(source.name, None, values.shape[1])
    return Table(values if positions is None else values[:, positions], None)


def _array(source: Source) -> Array:
    if source.path is not None and not source.beginning().startswith(_ARCHIVE):
        with _damage(source):
            mapped: Array = np.load(source.path, mmap_mode="r", allow_pickle=False)
        return mapped
    with source.open() as file:
        with _damage(source):
            content = np.load(file, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else _only_array(source, content)


@contextmanager
def _damage(source: Source) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"{source.name}: not a .npy or .npz file of numbers, or damaged ({error})") from error


def _only_array(source: Source, archive: Any) -> Array:
    """The array of an archive, read into memory."""
    names = list(archive.files)
    if set(names) >= _MODEL_MEMBERS:
        raise ValueError(f"{source.name}: a fastgmm model, where points are expected")
    if len(names) != 1:
        shown = ", ".join(names[:_MOST_NAMES_SHOWN]) + (", ..." if len(names) > _MOST_NAMES_SHOWN else "")
        raise ValueError(
            f"{source.name}: holds {len(names)} arrays ({shown}), where one is expected. Write that one alone: "
            "numpy.save('points.npy', numpy.load(...)[its name])"
        )
    with _damage(source):
        values = archive[names[0]]
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{source.name}: {names[0]} is no array")
    return values


def npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """What stands before the numbers of a ``.npy`` file: as long for any number of rows, since NumPy leaves room."""
    file = BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@contextmanager
def growing_array(
    file: BinaryIO, shape_of_row: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[Callable[[Array], None]]:
    """Yield what adds rows to a ``.npy`` file, whose header says in the end how many there are."""
    n_rows = 0

    def add(rows: Array) -> None:
        nonlocal n_rows
        n_rows += len(rows)
        file.write(np.ascontiguousarray(rows, dtype).data)

    file.write(npy_header((0, *shape_of_row), dtype))
    yield add
    file.seek(0)
    file.write(npy_header((n_rows, *shape_of_row), dtype))
