"""Some rows of all blocks, which are kept in memory: those that starts look at."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.blocks.block import Block, joined
from fastgmm.data.random_numbers import uniform_numbers
from fastgmm.parameters import Array, BoolArray, FloatArray, IntArray

# Of the random numbers of rows: a sample is the same in every fit of the same rows.
_SEED = 16


@dataclass(frozen=True, eq=False)
class SampledRows:
    """Rows with their numbers among all, in this order, and with random numbers by which fewer may be kept."""

    numbers: IntArray
    keys: FloatArray
    values: Array
    weights: Array | None
    labels: Array | None

    def take(self, places: NDArray[np.intp] | BoolArray) -> "SampledRows":
        return SampledRows(
            self.numbers[places],
            self.keys[places],
            self.values[places],
            None if self.weights is None else self.weights[places],
            None if self.labels is None else self.labels[places],
        )

    def thinned(self, most: int) -> "SampledRows":
        """Those of the smallest random numbers."""
        if len(self.numbers) <= most:
            return self
        return self.take(np.sort(np.argpartition(self.keys, most - 1)[:most]))

    def thinned_by_label(self, most: int) -> "SampledRows":
        """So many of each label."""
        assert self.labels is not None
        places = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        chosen = [own[np.argsort(self.keys[own], kind="stable")[:most]] for own in places]
        return self.take(np.sort(np.concatenate(chosen))) if chosen else self


def rows_at(block: Block, places: NDArray[np.intp]) -> SampledRows:
    """Copies of some rows of a block, in order."""
    numbers = block.begin + places
    return SampledRows(
        numbers.astype(np.int64),
        keys_of(numbers),
        np.array(block.values[places], order="C"),
        None if block.weights is None else block.weights[places],
        None if block.labels is None else block.labels[places],
    )


def keys_of(numbers: IntArray) -> FloatArray:
    """The random numbers of rows."""
    return uniform_numbers(_SEED, 0, numbers.astype(np.uint64))


def together(parts: Iterable[SampledRows]) -> SampledRows:
    """All rows of some parts, each once, in the order of their numbers."""
    some = list(parts)
    numbers, first = np.unique(np.concatenate([part.numbers for part in some]), return_index=True)
    weights, labels = (joined([getattr(part, name) for part in some]) for name in ("weights", "labels"))
    values, keys = np.concatenate([part.values for part in some]), np.concatenate([part.keys for part in some])
    return SampledRows(
        numbers,
        keys[first],
        values[first],
        None if weights is None else weights[first],
        None if labels is None else labels[first],
    )
