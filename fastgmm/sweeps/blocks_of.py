"""``blocks_of``: rows wherever they are, in the form that ``fit`` takes beside arrays."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.cutting import default_block_rows
from fastgmm.data.blocks.local import LocalBlocks, Reader
from fastgmm.data.blocks.selection import Asked
from fastgmm.data.blocks.watched import Visit, WatchedBlocks


def blocks_of(
    data: object,
    *,
    columns: Sequence[str | int] | None = None,
    weight: str | int | None = None,
    labels: str | int | None = None,
    block_rows: int | None = None,
    on_block: Callable[[Visit], object] | None = None,
) -> Blocks:
    """Rows that come in blocks, for ``fit`` and whatever else takes X: they are read anew in each pass.

    Parameters
    ----------
    data : path, list or callable
        A ``.npy`` file, which is mapped into memory; a list of arrays or frames; or a function without arguments that
        returns an iterator of arrays or frames, anew for each pass.
    columns : sequence of str or int, optional
        The features, by name, or by number from 0; by default all columns but those of weights and labels.
    weight : str or int, optional
        The column of weights.
    labels : str or int, optional
        The column of component numbers, -1 or missing where they are unknown.
    block_rows : int, optional
        How many rows a block has: the result depends on it in its last bits, and on nothing else of how the rows are
        stored. By default as many as are 8 to 16 MB.
    on_block : callable, optional
        It is told how far a pass has come, after each block (``fastgmm.Visit``).

    Returns
    -------
    Blocks

    Raises
    ------
    TypeError
        For an iterator that can be read only once, and for what is no source.
    ValueError
        For columns that do not exist, and for files or arrays of different columns.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgmm
    >>> parts = [np.array([[0.0], [1.0]]), np.array([[8.0], [9.0]])]
    >>> gm = fastgmm.GaussianMixture(2, random_state=0).fit(fastgmm.blocks_of(parts))
    >>> np.sort(gm.means_.ravel())
    array([0.5, 8.5])
    """
    if block_rows is not None and (not isinstance(block_rows, int | np.integer) or block_rows < 1):
        raise ValueError(f"block_rows must be a positive integer; got {block_rows!r}")
    reader = _reader_of(data, Asked(columns, weight, labels))
    blocks = LocalBlocks(reader, int(block_rows or default_block_rows(reader.form.n_features, reader.form.dtype)))
    return blocks if on_block is None else WatchedBlocks(blocks, on_block)


def _reader_of(data: Any, asked: Asked) -> Reader:
    # It reads tables, which is not imported with fastgmm.
    from fastgmm.data.blocks.arrays import reader_of_arrays

    if isinstance(data, str | os.PathLike):
        return _reader_of_files(Path(data), asked)
    if isinstance(data, Iterator):
        raise TypeError(
            f"a {type(data).__name__} can be read only once, and EM reads the rows in every iteration. Pass a function "
            "that returns a new iterator each time, such as lambda: (np.load(file) for file in files)"
        )
    if isinstance(data, np.ndarray):
        data = [data]
    if isinstance(data, list | tuple):
        return reader_of_arrays("the list", partial(iter, data), asked, is_list=True)
    if callable(data):
        return reader_of_arrays(getattr(data, "__name__", "the source"), data, asked, is_list=False)
    raise TypeError(f"{type(data).__name__} is no source of blocks: pass a path, a list of arrays, or a function")


def _reader_of_files(path: Path, asked: Asked) -> Reader:
    from fastgmm.data.blocks.arrays import reader_of_mapped

    return reader_of_mapped(str(path), (path,), asked)
