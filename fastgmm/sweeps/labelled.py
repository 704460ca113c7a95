"""Rows in the order of their labels, a block at a time, so that a tile of them has one component."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.rows import Rows

# Blocks of rows are put in the order of their labels. With 1024 rows of a cluster, two to four tiles, most tiles hold
# rows of a single one; a block of 16,384 rows or more also repays the start of a sweep. It is a copy, of 8 MB at most
# but for a tile or two of wide rows.
_BLOCK_ROWS, _BLOCK_ROWS_OF_A_CLUSTER = 16_384, 1024
_BLOCK_NUMBERS = 2**20
# NumPy sorts numbers of two bytes by their digits, which is several times as fast as by comparison.
_MOST_SHORT = 2**15


def labelled_blocks(rows: Rows, labels: NDArray[np.integer[Any]], n_clusters: int) -> Iterator[Rows]:
    """The rows with their labels as groups, which take the place of those that they have.

    Values of a block lie where those of the next one will: touching new memory takes longer than to copy them.
    """
    allowed = np.where(np.eye(n_clusters, dtype=bool), 0.0, -np.inf)
    affordable = max(_BLOCK_ROWS_OF_A_CLUSTER, _BLOCK_NUMBERS // rows.shape[1])
    block_rows = min(affordable, max(_BLOCK_ROWS, _BLOCK_ROWS_OF_A_CLUSTER * n_clusters))
    place = np.empty((min(block_rows, rows.shape[0]), rows.shape[1]), rows.values.dtype)
    for begin in range(0, rows.shape[0], block_rows):
        block, own = rows.take(slice(begin, begin + block_rows)), labels[begin : begin + block_rows]
        # In the order of their labels, since kernels leave out what no row of a tile may belong to.
        order = np.argsort(own.astype(np.int16) if n_clusters <= _MOST_SHORT else own, kind="stable")
        values = np.take(block.values, order, axis=0, out=place[: len(order)], mode="clip")
        weights = None if block.weights is None else block.weights[order]
        groups = own[order].astype(np.int32)
        yield replace(block, values=values, weights=weights, groups=groups, group_prior=allowed)
