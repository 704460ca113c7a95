"""Who reads what users hand in."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from fastgmm.data.blocks.arrays import reader_of_arrays
from fastgmm.data.blocks.arrow import is_dataset, is_table
from fastgmm.data.blocks.files import reader_of_dataset, reader_of_files, reader_of_table
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.selection import Asked
from fastgmm.data.tables.text_rows import HEADERS, Header, TextForm
from fastgmm.machine.whole_file import AnyPath


def reader_of(data: Any, asked: Asked, header: Header, delimiter: str | None, cache: AnyPath | None) -> Reader:
    """Of files, arrays, functions and what pyarrow has; for the rest see ``blocks_of``."""
    form = _text_form(header, delimiter)
    if isinstance(data, str | os.PathLike) or _are_paths(data):
        return reader_of_files(data, asked, form, cache)
    if form != TextForm():
        raise ValueError("a header and a delimiter can be told of files of text only")
    if is_dataset(data):
        return reader_of_dataset(data, asked, cache)
    if isinstance(data, Iterator):
        raise TypeError(
            f"a {type(data).__name__} can be read only once, and EM reads the rows in every iteration. Pass a function "
            "that returns a new iterator each time, such as lambda: (np.load(file) for file in files)"
        )
    if is_table(data):
        return reader_of_table(data, asked)
    if isinstance(data, np.ndarray):
        data = [data]
    if isinstance(data, list | tuple):
        return reader_of_arrays("the list", partial(iter, data), asked, is_list=True)
    if callable(data):
        if cache is not None:
            raise ValueError("what a function returns is not cached: nobody can know whether it is the same each time")
        return reader_of_arrays(getattr(data, "__name__", "the source"), data, asked, is_list=False)
    raise TypeError(f"{type(data).__name__} is no source of blocks: pass a path, a list of arrays, or a function")


def _text_form(header: Header, delimiter: str | None) -> TextForm:
    if header not in HEADERS:
        raise ValueError(f"header must be one of {', '.join(map(repr, HEADERS))}; got {header!r}")
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise ValueError(f"delimiter must be a single character; got {delimiter!r}")
    return TextForm(header, delimiter)


def _are_paths(data: Any) -> bool:
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(each, str | os.PathLike) for each in data)
