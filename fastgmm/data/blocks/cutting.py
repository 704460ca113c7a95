"""Blocks out of what readers decode: cut at multiples of a number of rows, whatever the files and their groups.

So the same rows are in the same blocks, however they are stored, and sums over blocks have the same bits.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Block, Place, joined
from fastgmm.data.blocks.selection import Selection
from fastgmm.data.validation import is_readable_in_place
from fastgmm.machine.memory import large_array
from fastgmm.parameters import Array

# A block is so many bytes: large beside what it costs to begin one, some hundred microseconds, and small beside memory.
_BYTES_OF_A_BLOCK = 2**24
_FEWEST_ROWS = 1024


def default_block_rows(n_features: int, dtype: np.dtype[Any]) -> int:
    """A power of two, by the width of a row alone: 16 MB of rows, or half of that."""
    rows = max(_FEWEST_ROWS, _BYTES_OF_A_BLOCK // (n_features * dtype.itemsize))
    return 1 << (rows.bit_length() - 1)


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows that a reader has decoded together.

    Attributes
    ----------
    values : ndarray of shape (n, d), or list of d ndarrays of shape (n,)
        Of any real dtype.
    weights, labels : ndarray of shape (n,), or None
    place : Place
    is_lent : bool
        Whether its memory may hold something else as soon as the next piece is asked for.
    """

    values: Array | list[Array]
    weights: Array | None
    labels: Array | None
    place: Place
    is_lent: bool = False

    def part(self, begin: int, end: int) -> "Piece":
        values = self.values
        return Piece(
            [column[begin:end] for column in values] if isinstance(values, list) else values[begin:end],
            None if self.weights is None else self.weights[begin:end],
            None if self.labels is None else self.labels[begin:end],
            Place(self.place.name, self.place.first + begin, end - begin),
            self.is_lent,
        )

    def owned(self) -> "Piece":
        """In memory of its own."""
        values = self.values
        return Piece(
            [column.copy() for column in values] if isinstance(values, list) else values.copy(),
            None if self.weights is None else self.weights.copy(),
            None if self.labels is None else self.labels.copy(),
            self.place,
        )


def piece_of(values: Array, selection: Selection, place: Place) -> Piece:
    """The selected columns of an array (n, columns); of neighbors without a copy."""
    first, last = selection.features[0], selection.features[-1]
    is_range = selection.features == tuple(range(first, last + 1))
    return Piece(
        values[:, first : last + 1] if is_range else values[:, list(selection.features)],
        None if selection.weight is None else values[:, selection.weight],
        None if selection.labels is None else values[:, selection.labels],
        place,
    )


def piece_of_columns(columns: list[Array], selection: Selection, place: Place) -> Piece:
    """The same of the selected columns alone, each (n,), as ``positions`` orders them."""
    chosen = selection.of_chosen
    return Piece(
        columns[: len(chosen.features)],
        None if chosen.weight is None else columns[chosen.weight],
        None if chosen.labels is None else columns[chosen.labels],
        place,
    )


def cut(pieces: Iterable[Piece], block_rows: int, dtype: np.dtype[Any]) -> Generator[Block, None, None]:
    """Blocks of ``block_rows`` rows, of which only the last may have fewer.

    A block is used up before the next one is asked for where pieces are lent: then only what waits for the next piece
    is copied.
    """
    held: list[Piece] = []
    n_held = number = 0
    for piece in pieces:
        begin, n_rows = 0, piece.place.n_rows
        while begin < n_rows:
            end = min(n_rows, begin + block_rows - n_held)
            held.append(piece.part(begin, end))
            n_held += end - begin
            begin = end
            if n_held == block_rows:
                yield _block(held, number, number * block_rows, dtype)
                held, n_held, number = [], 0, number + 1
        if held and held[-1].is_lent:
            held[-1] = held[-1].owned()
    if held:
        yield _block(held, number, number * block_rows, dtype)


def _block(parts: list[Piece], number: int, begin: int, dtype: np.dtype[Any]) -> Block:
    places = tuple(part.place for part in parts)
    weights, labels = (joined([getattr(part, name) for part in parts]) for name in ("weights", "labels"))
    return Block(number, begin, _values(parts, dtype), weights, labels, places)


def _values(parts: list[Piece], dtype: np.dtype[Any]) -> Array:
    """Those of a single array without a copy, where kernels can read it."""
    first = parts[0].values
    if len(parts) == 1 and isinstance(first, np.ndarray) and first.dtype == dtype and is_readable_in_place(first):
        return first
    # Feature by feature, in one stretch of memory each, as columns are decoded.
    n_rows = sum(part.place.n_rows for part in parts)
    result, begin = large_array((len(first) if isinstance(first, list) else first.shape[1], n_rows), dtype), 0
    for part in parts:
        end = begin + part.place.n_rows
        for line, column in zip(result, part.values if isinstance(part.values, list) else part.values.T, strict=True):
            line[begin:end] = column
        begin = end
    return result.T
