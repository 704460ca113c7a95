"""Blocks of a part of the rows in one file, which any process of the machine maps into memory.

Clusters have several processes for Python on a machine, and nobody can tell which of them is asked next for which rows:
what one of them remembers, others do not. Pages of a file are in memory once for all of them, and are read from the
disk again where memory is short.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastgmm.data.blocks.block import Block, Form, Place
from fastgmm.machine.whole_file import whole_file
from fastgmm.parameters import Array

# Every array begins at a multiple of so many bytes, as vectors of processors like it.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Part:
    """Where a part of the rows is among all: its number, that of its first block, and of its first row.

    ``lengths`` are the numbers of rows of its blocks.
    """

    number: int
    first_block: int
    begin: int
    lengths: tuple[int, ...]


def write_part(path: Path, blocks: Iterable[Block]) -> tuple[int, ...]:
    """Write a part's blocks down, as a whole or not at all; no file for no rows. Returns the numbers of their rows."""
    lengths: list[int] = []
    with whole_file(path, is_durable=False) as file:
        for block in blocks:
            for array in (block.values.T, block.weights, block.labels):
                if array is not None:
                    file.write(np.ascontiguousarray(array).data)
                    file.write(bytes(-array.nbytes % _ALIGNMENT))
            lengths.append(len(block.values))
    if not lengths:
        path.unlink()
    return tuple(lengths)


def remove_parts(folder: Path, key: str) -> None:
    """Remove the files in a folder whose names begin with a key."""
    for path in folder.glob(f"{key}-*"):
        path.unlink(missing_ok=True)


def block_of_part(path: Path, part: Part, place: str, form: Form, which: int) -> Block:
    """One of the blocks that ``write_part`` has written, in pages of the file."""
    before = part.lengths[:which]
    n_rows, first = part.lengths[which], sum(before)
    offset = sum(sum(_sizes(length, form)) for length in before)
    sizes = _sizes(n_rows, form)
    memory = np.memmap(path, np.uint8, "r", offset, (sum(sizes),)).view(np.ndarray)
    values, *others = np.split(memory, np.cumsum(sizes)[:-1])
    columns = iter(_numbers(other, np.dtype(np.float64), n_rows) for other in others)
    return Block(
        part.first_block + which,
        part.begin + first,
        _numbers(values, form.dtype, form.n_features * n_rows).reshape(form.n_features, n_rows).T,
        next(columns) if form.has_weights else None,
        next(columns) if form.has_labels else None,
        (Place(place, first, n_rows),),
    )


def _sizes(n_rows: int, form: Form) -> list[int]:
    """Of the arrays of a block in a file, in bytes."""
    others = [8 * n_rows] * (form.has_weights + form.has_labels)
    sizes = [form.n_features * n_rows * form.dtype.itemsize, *others]
    return [size + -size % _ALIGNMENT for size in sizes]


def _numbers(memory: Array, dtype: "np.dtype[np.generic]", length: int) -> Array:
    return memory[: length * dtype.itemsize].view(dtype)
