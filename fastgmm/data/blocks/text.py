"""Rows of text, decoded some lines at a time, with the meaning that the text has as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastgmm.data.blocks.alike import Columns, selected
from fastgmm.data.blocks.block import Place
from fastgmm.data.blocks.cutting import Piece, piece_of_columns
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.selection import Asked, Selection
from fastgmm.data.choice import Choice
from fastgmm.data.tables.reading import delimiter_of
from fastgmm.data.tables.source import source_of
from fastgmm.data.tables.text_columns import columns_without_numbers
from fastgmm.data.tables.text_files import layout_of, values_of
from fastgmm.data.tables.text_rows import Layout, TextForm, TextRows
from fastgmm.machine.whole_file import AnyPath


@dataclass(frozen=True, eq=False)
class _TextFile:
    rows: TextRows
    layout: Layout

    @property
    def columns(self) -> Columns:
        find = partial(columns_without_numbers, self.layout)
        return Columns(self.rows.source.name, self.layout.names, len(self.layout.first), find)


def reader_of_text(name: str, paths: Sequence[AnyPath], asked: Asked, form: TextForm) -> Reader:
    """Of files of text, one after the other; one that is empty has no columns either."""
    found = [_text_file(path, form) for path in paths]
    files = [file for file in found if file is not None]
    if not files:
        raise ValueError(f"{name}: {'the file is empty' if len(paths) == 1 else 'all files are empty'}")
    selection, positions = selected(name, [file.columns for file in files], asked)
    pieces = partial(_pieces, list(zip(files, positions, strict=True)), selection)
    return Reader(selection.form(name, np.dtype(np.float64)), pieces)


def _text_file(path: AnyPath, form: TextForm) -> _TextFile | None:
    delimiter = delimiter_of(path)
    assert delimiter is not None
    rows = TextRows(source_of(path), form.delimiter or delimiter)
    if next(rows.numbered(), None) is None:
        return None
    return _TextFile(rows, layout_of(rows.source, delimiter, Choice(), form))


def _pieces(files: Sequence[tuple[_TextFile, tuple[int, ...]]], selection: Selection) -> Iterator[Piece]:
    for file, positions in files:
        # A row of too many cells is found only where no columns are chosen.
        reads_all = len(positions) == len(file.layout.first)
        layout = file.layout if reads_all else replace(file.layout, positions=list(positions))
        order = positions if reads_all else range(len(positions))
        n_rows = 0
        for chunk in file.rows.chunks(layout.n_header_lines):
            values = values_of(replace(layout, rows=chunk, n_header_lines=chunk.last_before))
            if not len(values):
                continue
            columns = [values[:, position] for position in order]
            yield piece_of_columns(columns, selection, Place(file.rows.source.name, n_rows, len(values)))
            n_rows += len(values)
