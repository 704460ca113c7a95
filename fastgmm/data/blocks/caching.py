"""Decoded rows in files that later passes map into memory, since to decode them costs more than a sweep.

The rows are a ``.npy`` file in C order, with weights and labels beside it, and where each was read. Their names are a
digest of all that they depend on, so that whoever reads the same files in the same way, in this process or in another,
finds them. What is found is believed if its header and its size are right; whoever can write to the directory is
trusted. Nothing is ever removed: that is left to those whose directory it is.
"""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Form, Place
from fastgmm.data.blocks.cutting import Piece
from fastgmm.data.blocks.local import Reader
from fastgmm.data.blocks.unchanged import Stamp, unchanged
from fastgmm.data.tables.numpy_files import growing_array, npy_header
from fastgmm.machine.whole_file import whole_file
from fastgmm.parameters import Array

# Of what is kept, and of what is read out of files: a later one does not find what an earlier one has kept.
_VERSION = 1
_COUNT = np.dtype(np.int64)
_NUMBER = np.dtype(np.float64)


def cached(reader: Reader, stamps: Sequence[Stamp], read_as: object, directory: Path) -> Reader:
    """A reader that decodes in its first pass, and maps what that has kept in the directory in later ones.

    ``read_as`` says on what else the rows depend. ``OSError`` where there is no such directory.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"cache: there is no directory {directory}")
    cache = _Cache(directory, _digest(reader.form, stamps, read_as), reader.form, [stamp.path for stamp in stamps])

    def pieces() -> Iterator[Piece]:
        kept = cache.pieces()
        if kept is not None:
            return unchanged(stamps, lambda: kept)
        return cache.kept(partial(unchanged, stamps, reader.pieces))

    return replace(reader, pieces=pieces)


def _digest(form: Form, stamps: Sequence[Stamp], read_as: object) -> str:
    what = (_VERSION, form.columns, form.n_features, form.dtype.str, form.has_weights, form.has_labels, read_as)
    return hashlib.sha256(repr((what, tuple(stamps))).encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class _Cache:
    """The files of one source; ``paths`` are those of the source."""

    directory: Path
    digest: str
    form: Form
    paths: Sequence[str]

    def file(self, what: str) -> Path:
        return self.directory / f"fastgmm-{self.digest}-{what}.npy"

    def pieces(self) -> Iterator[Piece] | None:
        """What is kept, as a piece for each file; None where it is not all there and sound."""
        values = _mapped(self.file("rows"), self.form.dtype, (self.form.n_features,))
        places = _mapped(self.file("places"), _COUNT, (3,))
        weights = _mapped(self.file("weights"), _NUMBER, ()) if self.form.has_weights else None
        labels = _mapped(self.file("labels"), _NUMBER, ()) if self.form.has_labels else None
        if values is None or places is None:
            return None
        n_rows = len(values)
        wrong = (self.form.has_weights and (weights is None or len(weights) != n_rows)) or (
            self.form.has_labels and (labels is None or len(labels) != n_rows)
        )
        if wrong or not self._are_places(places, n_rows):
            return None
        return _pieces(Piece(values, weights, labels, Place("", 0, n_rows)), places.tolist(), self.paths)

    def _are_places(self, places: Array, n_rows: int) -> bool:
        are_files = bool(np.all((places[:, 0] >= 0) & (places[:, 0] < len(self.paths))))
        return are_files and bool(np.all(places[:, 1:] >= 0)) and int(places[:, 2].sum()) == n_rows

    def kept(self, pieces: Callable[[], Iterator[Piece]]) -> Generator[Piece, None, None]:
        """The pieces, which are there for later passes when all have been taken; a pass broken off leaves nothing."""
        numbers = {path: number for number, path in enumerate(self.paths)}
        places = list[list[int]]()
        with ExitStack() as stack:
            keep = stack.enter_context(_growing(self.file("rows"), self.form.dtype, (self.form.n_features,)))
            beside = {
                name: stack.enter_context(_growing(self.file(name), _NUMBER, ()))
                for name, has in (("weights", self.form.has_weights), ("labels", self.form.has_labels))
                if has
            }
            keep_places = stack.enter_context(_growing(self.file("places"), _COUNT, (3,)))
            for piece in pieces():
                keep(_rows_of(piece, self.form))
                for name, keep_column in beside.items():
                    keep_column(getattr(piece, name))
                _add_place(places, numbers[os.path.abspath(piece.place.name)], piece.place)
                yield piece
            keep_places(np.array(places, _COUNT).reshape(-1, 3))


def _rows_of(piece: Piece, form: Form) -> Array:
    if isinstance(piece.values, np.ndarray):
        return piece.values
    rows = np.empty((piece.place.n_rows, form.n_features), form.dtype)
    for feature, column in enumerate(piece.values):
        rows[:, feature] = column
    return rows


def _add_place(places: list[list[int]], file: int, place: Place) -> None:
    if places and places[-1][0] == file and places[-1][1] + places[-1][2] == place.first:
        places[-1][2] += place.n_rows
    else:
        places.append([file, place.first, place.n_rows])


def _pieces(whole: Piece, places: Sequence[Sequence[int]], paths: Sequence[str]) -> Iterator[Piece]:
    begin = 0
    for file, first, n_rows in places:
        yield replace(whole.part(begin, begin + n_rows), place=Place(paths[file], first, n_rows))
        begin += n_rows


@contextmanager
def _growing(path: Path, dtype: np.dtype[Any], columns: tuple[int, ...]) -> Iterator[Callable[[Array], None]]:
    """A ``.npy`` file to which rows are added, and that appears when all are there."""
    with whole_file(path) as file, growing_array(file, columns, dtype) as add:

        def keep(rows: Array) -> None:
            try:
                add(rows)
            except OSError as error:  # a full disk above all, of which the system does not say where
                raise OSError(error.errno, f"{error.strerror}: decoded rows (cache=)", str(path)) from error

        yield keep


def _mapped(path: Path, dtype: np.dtype[Any], columns: tuple[int, ...]) -> Array | None:
    """The array in a file; None where there is none with exactly the header and size that ``_growing`` gives it."""
    bytes_of_a_row = int(np.prod(columns, dtype=np.int64)) * dtype.itemsize
    try:
        n_bytes = path.stat().st_size - len(npy_header((0, *columns), dtype))
        header = npy_header((max(0, n_bytes) // bytes_of_a_row, *columns), dtype)
        with open(path, "rb") as file:
            is_sound = n_bytes >= 0 and n_bytes % bytes_of_a_row == 0 and file.read(len(header)) == header
        mapped: Array | None = np.load(path, mmap_mode="r", allow_pickle=False) if is_sound else None
    except FileNotFoundError:
        return None
    return mapped
