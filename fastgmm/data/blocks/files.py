"""Blocks of files: which files there are, of which kind, and whether they stay what they are."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fastgmm.data.blocks.arrays import reader_of_mapped
from fastgmm.data.blocks.arrow import (
    local_files,
    part_of_arrow,
    part_of_parquet,
    part_of_table,
    parts_of_dataset,
    reader_of_parts,
)
from fastgmm.data.blocks.caching import cached
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.selection import Asked
from fastgmm.data.blocks.text import reader_of_text
from fastgmm.data.blocks.unchanged import Stamp, stamps_of, unchanged
from fastgmm.data.choice import Choice
from fastgmm.data.tables.reading import ARROW, delimiter_of, require_known_kind
from fastgmm.data.tables.source import is_standard_input, source_of, suffix_of
from fastgmm.data.tables.text_files import layout_of
from fastgmm.data.tables.text_rows import TextForm
from fastgmm.machine.whole_file import AnyPath


def reader_of_files(
    paths: AnyPath | Sequence[AnyPath], asked: Asked, form: TextForm, cache: AnyPath | None = None
) -> Reader:
    """Of a file, a directory, or a list of files, all of one kind.

    Raises
    ------
    ValueError
        For files of several kinds or unknown ones, damaged ones, and such as differ in their columns.
    OSError
        For files that do not exist.
    """
    name, files = _files_of(paths)
    kind = _common_kind(files)
    if kind != "text" and form != TextForm():
        raise ValueError(f"{name}: a header and a delimiter can be told of text only")
    stamps = stamps_of(files)
    if kind == ".npy":
        return _kept(reader_of_mapped(name, tuple(files), asked), stamps, (), None)
    if kind == "text":
        return _kept(reader_of_text(name, files, asked, form), stamps, (asked, form), cache)
    part_of = part_of_parquet if kind == ".parquet" else part_of_arrow
    return _kept(reader_of_parts(name, [part_of(file) for file in files], asked), stamps, (asked,), cache)


def names_in(path: AnyPath, form: TextForm, if_named: Sequence[str] | None = None) -> tuple[str, ...] | None:
    """The names of the columns of a file, or of the first one of a directory; None where they have none.

    A first row of text that holds all of ``if_named`` is a header.
    """
    files = _files_of(path)[1]
    kind = _common_kind(files)
    if kind == "text":
        filled = next((file for file in files if os.path.getsize(file)), files[0])
        return layout_of(source_of(filled), delimiter_of(filled) or ",", Choice(None, if_named), form).names
    if kind == ".npy":
        return None
    return (part_of_parquet if kind == ".parquet" else part_of_arrow)(files[0]).columns.names


def reader_of_dataset(dataset: Any, asked: Asked, cache: AnyPath | None = None) -> Reader:
    """Of one of pyarrow, whose files are watched, and can be cached, where they are of this machine."""
    files = local_files(dataset)
    if files is None and cache is not None:
        raise ValueError("a data set is cached only where it lies in files of this machine")
    stamps = stamps_of(files or [])
    reader = reader_of_parts("the data set", parts_of_dataset(dataset), asked)
    return _kept(reader, stamps, (asked, str(dataset.schema)), cache)


def reader_of_table(table: Any, asked: Asked) -> Reader:
    """Of one of pyarrow, in memory."""
    return reader_of_parts("the table", [part_of_table(table)], asked)


def _kept(reader: Reader, stamps: Sequence[Stamp], read_as: tuple[Any, ...], cache: AnyPath | None) -> Reader:
    """The reader of files that must not change, with what it decodes kept in a directory if there is one."""
    if cache is not None:
        return cached(reader, stamps, read_as, Path(cache))
    return replace(reader, pieces=partial(unchanged, stamps, reader.pieces))


def _files_of(paths: AnyPath | Sequence[AnyPath]) -> tuple[str, list[str]]:
    """What messages call them, and the files."""
    if isinstance(paths, str | os.PathLike):
        path = os.fspath(paths)
        return str(path), _files_in(path) if os.path.isdir(path) else [path]
    files = [os.fspath(path) for path in paths]
    for file in files:
        if os.path.isdir(file):
            raise ValueError(f"{file} is a directory: pass it alone, or the files in it")
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more", files


def _files_in(directory: str) -> list[str]:
    """The files of a directory in the order of the bytes of their names, but those that begin with . or _."""
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    if any(entry.name == "_delta_log" for entry in found):
        raise ValueError(f"{directory} is a Delta table, some of whose files may be outdated: pass a list of files")
    found = [entry for entry in found if not entry.name.startswith((".", "_"))]
    for entry in found:
        if entry.is_dir():
            raise ValueError(
                f"{directory} has a directory in it, {entry.name}: pass a list of files, or "
                "pyarrow.dataset.dataset(..., partitioning=...), which knows what names of directories mean"
            )
    if not found:
        raise ValueError(f"{directory}: no files")
    return [entry.path for entry in found]


def _common_kind(files: Sequence[str]) -> str:
    kinds = [_kind_of(file) for file in files]
    for file, kind in zip(files, kinds, strict=True):
        if kind != kinds[0]:
            raise ValueError(f"{file} is of another kind than {files[0]}: the files of a source are of one kind")
    return kinds[0]


def _kind_of(path: str) -> str:
    suffix = suffix_of(path)
    if suffix in ARROW:
        return "arrow"
    require_known_kind(path)
    if is_standard_input(path):
        raise ValueError("standard input can be read only once, and EM reads the rows in every iteration")
    if suffix == ".npz":
        raise ValueError(
            f"{path}: an .npz cannot be read in blocks. Write its array alone: "
            "numpy.save('points.npy', numpy.load(...)[its name])"
        )
    return "text" if delimiter_of(path) is not None else suffix
