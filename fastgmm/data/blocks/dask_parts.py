"""Parts of Dask's arrays and data frames, each of which becomes blocks where it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fastgmm.data.blocks.arrays import columns_in_words
from fastgmm.data.blocks.block import Block, Form, Place
from fastgmm.data.blocks.cutting import cut, default_block_rows, piece_of
from fastgmm.data.blocks.selection import Asked, Selection
from fastgmm.data.validation import as_numbers, feature_names

# Of Dask: what can be computed.
Delayed: TypeAlias = Any


def parts_of(data: Any, asked: Asked, block_rows: int | None) -> tuple[Form, "Parts"]:
    """What is known of the rows of an array or a data frame, and its parts; ``TypeError`` for another collection."""
    # An object that is delayed has attributes of any name, which are delayed, too.
    if isinstance(getattr(data, "chunks", None), tuple) and hasattr(data, "rechunk"):
        return _parts_of_array(data, asked, block_rows)
    if isinstance(getattr(data, "npartitions", None), int) and hasattr(data, "iloc"):
        return _parts_of_frame(data, asked, block_rows)
    raise TypeError(f"{type(data).__name__} is no source of blocks: of Dask's collections arrays and data frames are")


@dataclass(frozen=True, eq=False)
class Parts:
    """Chunks or partitions, what errors call each of them, the number of its first row there, and how they are cut."""

    each: list[tuple[Delayed, str, int]]
    cutting: "_Cutting"

    def as_blocks(self) -> list[Delayed]:
        """Tuples of blocks, each numbered from 0; by new keys, since one that was cancelled stays so for long."""
        from dask import delayed

        cut_there = delayed(self.cutting, pure=False)
        return [cut_there(*part) for part in self.each]


@dataclass(frozen=True, eq=False)
class _Cutting:
    """Makes blocks, numbered from 0, of the rows of a chunk or a partition."""

    selection: Selection
    columns: str
    dtype: np.dtype[Any]
    block_rows: int

    def __call__(self, rows: Any, name: str, first: int) -> tuple[Block, ...]:
        if columns_in_words(rows) != self.columns:
            raise ValueError(f"{name}: {columns_in_words(rows)}, where {self.columns} are expected")
        values = as_numbers(rows, name)
        piece = piece_of(values, self.selection, Place(name, first, len(values)))
        return tuple(cut([piece], self.block_rows, self.dtype))


def _parts_of_array(array: Any, asked: Asked, block_rows: int | None) -> tuple[Form, Parts]:
    """Chunks of as many rows as a block has, where it is known how many there are."""
    name = "the Dask array"
    if array.ndim != 2 or np.isnan(array.shape[1]):
        raise ValueError(f"{name}: shape {array.shape}, where (n_samples, n_features) is expected")
    selection = asked.among(name, None, array.shape[1])
    form = selection.form(name, np.dtype(np.float32 if array.dtype == np.float32 else np.float64))
    block_rows = block_rows or default_block_rows(form.n_features, form.dtype)
    cutting = _Cutting(selection, columns_in_words(array), form.dtype, block_rows)
    if np.isnan(sum(array.chunks[0])):
        return form, _parts(cutting, array.rechunk({1: -1}).to_delayed().ravel(), name)
    return form, _parts(cutting, array.rechunk({0: block_rows, 1: -1}).to_delayed().ravel(), name, block_rows)


def _parts_of_frame(frame: Any, asked: Asked, block_rows: int | None) -> tuple[Form, Parts]:
    """Partitions, of the columns that were asked for."""
    name, names = "the Dask data frame", feature_names(frame)
    selection = asked.among(name, None if names is None else tuple(names), len(frame.columns))
    if selection.positions != tuple(range(len(frame.columns))):
        frame, selection = frame.iloc[:, list(selection.positions)], selection.of_chosen  # files are read no further
    is_single = all(dtype == np.float32 for dtype in frame.dtypes.iloc[list(selection.features)])
    form = selection.form(name, np.dtype(np.float32 if is_single else np.float64))
    block_rows = block_rows or default_block_rows(form.n_features, form.dtype)
    cutting = _Cutting(selection, columns_in_words(frame), form.dtype, block_rows)
    return form, _parts(cutting, frame.to_delayed(), name)


def _parts(cutting: _Cutting, rows: Sequence[Delayed], name: str, size: int | None = None) -> Parts:
    """Errors count rows within a partition where it is not known how many others have."""
    if size is None:
        return Parts([(some, f"{name}, partition {number}", 0) for number, some in enumerate(rows)], cutting)
    return Parts([(some, name, number * size) for number, some in enumerate(rows)], cutting)
