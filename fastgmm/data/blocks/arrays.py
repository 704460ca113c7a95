"""Blocks of arrays or frames: a list of them, what a function yields anew for each pass, or mapped files."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Place
from fastgmm.data.blocks.cutting import Piece, piece_of
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.selection import Asked, Selection
from fastgmm.data.choice import Choice
from fastgmm.data.tables.numpy_files import read_numpy
from fastgmm.data.tables.source import source_of
from fastgmm.data.validation import as_numbers, feature_names
from fastgmm.data.whole_numbers import first_rounded, refusal
from fastgmm.machine.waiting import AbandonedError, in_caller
from fastgmm.machine.whole_file import AnyPath
from fastgmm.parameters import Array

# Whole numbers of a mapped file, some of which floats may not hold, are looked at so many bytes at a time.
_BYTES_OF_A_PIECE = 2**22


def reader_of_arrays(name: str, each: Callable[[], Iterable[Any]], asked: Asked, is_list: bool) -> Reader:
    """Of arrays or frames that a function returns, anew for each pass.

    The first says what columns there are; rows are float32 where all of a list are, else where the first is, and then
    all must be.

    A function is the user's. So it runs in the caller's thread, never ahead of what is done with its rows, and may
    fill the same memory again for each array.
    """
    iterator = iter(each())
    first = next(iterator, None)
    some = [first, *iterator] if is_list else [first]
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    if first is None:
        raise ValueError(f"{name}: no arrays")
    if np.ndim(first) != 2:
        raise ValueError(f"{name}, array 0: shape {np.shape(first)}, where (n_samples, n_features) is expected")
    selection = asked.among(name, _names_of(first), np.shape(first)[1])
    is_single = all(getattr(array, "dtype", None) == np.float32 for array in some)
    form = selection.form(name, np.dtype(np.float32 if is_single else np.float64))
    expected = _Expected(name, selection, columns_in_words(first), is_single, _names_of(first) is not None)
    arrays = each if is_list else partial(_made, each)
    return Reader(form, partial(_pieces_of_arrays, arrays, expected, not is_list), is_ready=True)


@dataclass(frozen=True, eq=False)
class _Expected:
    """What all arrays of a source have in common: what messages call it, and their columns, also in words."""

    name: str
    selection: Selection
    columns: str
    is_single: bool
    has_names: bool


def _made(each: Callable[[], Iterable[Any]]) -> Generator[Any, None, None]:
    """What a user's function yields, made in the thread where the user has called us."""
    iterator, end = in_caller(lambda: iter(each())), object()
    try:
        while (data := in_caller(next, iterator, end)) is not end:
            yield data
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            with suppress(AbandonedError):  # where nobody waits there, it is closed as soon as it is forgotten
                in_caller(close)


def _pieces_of_arrays(arrays: Callable[[], Iterable[Any]], expected: _Expected, are_lent: bool) -> Iterator[Piece]:
    selection = expected.selection.of_chosen if expected.has_names else expected.selection
    for number, data in enumerate(arrays()):
        place = f"{expected.name}, array {number}"
        if columns_in_words(data) != expected.columns:
            raise ValueError(f"{place}: {columns_in_words(data)}, where the first has {expected.columns}")
        values = as_numbers(_chosen(data, expected.selection) if expected.has_names else data, place)
        if expected.is_single and values.dtype != np.float32:
            dtype = getattr(data, "dtype", values.dtype)
            raise ValueError(
                f"{place}: {dtype}, where the first is float32, which cannot hold all of its numbers: yield "
                "arrays that are all float32, or none"
            )
        yield replace(piece_of(values, selection, Place(place, 0, len(values))), is_lent=are_lent)


def _chosen(frame: Any, selection: Selection) -> Any:
    """The chosen columns of a frame, in their order: others may hold what is no number."""
    positions = list(selection.positions)
    if hasattr(frame, "iloc"):
        return frame.iloc[:, positions]
    names = _names_of(frame)
    if names is None or not hasattr(frame, "select"):
        return frame
    return frame.select([names[position] for position in positions])


def columns_in_words(data: Any) -> str:
    """How many there are, and their names: what must be the same of all parts of a source."""
    names = _names_of(data)
    if np.ndim(data) != 2:
        return f"shape {np.shape(data)}"
    return f"{np.shape(data)[1]} columns" + ("" if names is None else f" ({', '.join(names)})")


def _names_of(data: Any) -> tuple[str, ...] | None:
    names = feature_names(data)
    return None if names is None else tuple(names)


def reader_of_mapped(name: str, paths: tuple[AnyPath, ...], asked: Asked) -> Reader:
    """Of ``.npy`` files of the same columns, mapped into memory one after the other."""
    arrays = [_mapped(path) for path in paths]
    for path in paths:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        if len(shape) != 2:  # a table of one column elsewhere, as no array of one dimension is
            raise ValueError(f"{path}: shape {shape}, where (n_samples, n_features) is expected")
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(f"{path}: {array.shape[1]} columns, where {paths[0]} has {arrays[0].shape[1]}")
    selection = asked.among(name, None, arrays[0].shape[1], dict)
    is_single = all(array.dtype == np.float32 for array in arrays)
    form = selection.form(name, np.dtype(np.float32 if is_single else np.float64))
    return Reader(form, partial(_pieces_of_mapped, paths, selection), is_ready=True)


def _pieces_of_mapped(paths: tuple[AnyPath, ...], selection: Selection) -> Iterator[Piece]:
    for path in paths:
        values = _mapped(path)
        may_be_rounded = values.dtype.kind in "iu" and values.dtype.itemsize == 8
        n_rows = max(1, _BYTES_OF_A_PIECE // values[:1].nbytes) if may_be_rounded else len(values)
        for begin in range(0, len(values), max(1, n_rows)):
            some = values[begin : begin + n_rows]
            for position in selection.positions if may_be_rounded else ():
                row = first_rounded(some[:, position])
                if row is not None:
                    what = refusal(some[row, position])
                    raise ValueError(f"{path}, row {begin + row}, column {position}: {what}")
            yield piece_of(some, selection, Place(str(path), begin, len(some)))


def _mapped(path: AnyPath) -> Array:
    """The rows of a ``.npy`` file."""
    return read_numpy(source_of(path), Choice()).values
