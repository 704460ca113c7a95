"""Files of one source have the same columns: found by name, or by position where they have none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastgmm.data.blocks.selection import Asked, Selection
from fastgmm.errors import listed


@dataclass(frozen=True)
class Columns:
    """Those of a file: its name for messages, and theirs, or None; and what finds those without numbers."""

    file: str
    names: tuple[str, ...] | None
    n_columns: int
    without_numbers: Callable[[], Mapping[int, str]]


def selected(source: str, files: Sequence[Columns], asked: Asked) -> tuple[Selection, list[tuple[int, ...]]]:
    """What is selected in the first file, and the positions of all columns to read in each.

    Raises
    ------
    ValueError
        Where files differ in columns that are read; it names the first and the one that differs, and how.
    """
    first = files[0]
    for file in files:
        if file.names is not None and len(set(file.names)) < len(file.names):
            twice = next(name for name in file.names if file.names.count(name) > 1)
            raise ValueError(f"{file.file}: more than one column is called {twice!r}")
    selection = asked.among(source, first.names, first.n_columns, first.without_numbers)
    return selection, [_positions(selection, first, file, asked.columns is None) for file in files]


def _positions(selection: Selection, first: Columns, other: Columns, reads_all: bool) -> tuple[int, ...]:
    if first.names is None or other.names is None:
        if first.names is not None or other.names is not None:
            named, unnamed = (first, other) if other.names is None else (other, first)
            raise ValueError(f"{unnamed.file} has no names of columns, which {named.file} has")
        if first.n_columns != other.n_columns:
            raise ValueError(f"{other.file} has {other.n_columns} columns, {first.file} has {first.n_columns}")
        return selection.positions
    read = [first.names[position] for position in selection.positions]
    lacking = [name for name in read if name not in other.names]
    beside = [name for name in other.names if name not in first.names] if reads_all else []
    if lacking:
        raise ValueError(f"{other.file} has no column {listed(lacking)}, which {first.file} has")
    if beside:
        raise ValueError(
            f"{other.file} has a column {listed(beside)}, which {first.file} has not: choose columns that all have"
        )
    return tuple(other.names.index(name) for name in read)
