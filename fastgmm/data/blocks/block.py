"""A block of rows, and what a source of blocks is."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeGuard, TypeVar

import numpy as np

from fastgmm.parameters import Array

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where rows of a block were read: the first of them there, counted from 0, and how many."""

    name: str
    first: int
    n_rows: int


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that come together, as they were read: nobody has looked at them yet.

    Attributes
    ----------
    number : int
        Of the block, from 0.
    begin : int
        Of its first row among all rows.
    values : ndarray of shape (n, d)
        float32 or float64, as kernels read it; NaN is missing.
    weights, labels : ndarray of shape (n,), or None
        float64; of labels NaN or -1 is unknown.
    places : tuple of Place
        Where its rows were read, in order.
    """

    number: int
    begin: int
    values: Array
    weights: Array | None
    labels: Array | None
    places: tuple[Place, ...]

    def where(self, row: int) -> str:
        """In words, where one of its rows was read."""
        for place in self.places:
            if row < place.n_rows:
                return f"{place.name}, row {place.first + row}"
            row -= place.n_rows
        raise IndexError(row)

    def __sizeof__(self) -> int:
        """In bytes, which those ask who hold it: they should know when their memory is full."""
        return sum(array.nbytes for array in (self.values, self.weights, self.labels) if array is not None)


def joined(columns: Sequence[Array | None]) -> Array | None:
    """Weights or labels of some rows after each other, in float64; None where there are none."""
    present = [column for column in columns if column is not None]
    return np.ascontiguousarray(np.concatenate(present), dtype=np.float64) if present else None


# What is to be done with a block, by so many threads. It must be picklable, and what it returns.
Work: TypeAlias = Callable[[Block, int], T]


@dataclass(frozen=True)
class Form:
    """What is known of rows before they are read.

    Attributes
    ----------
    name : str
        What messages call the source.
    columns : tuple of str, or None
        The names of features.
    n_features : int
    dtype : dtype
        float32 or float64.
    has_weights, has_labels : bool
    """

    name: str
    columns: tuple[str, ...] | None
    n_features: int
    dtype: np.dtype[Any]
    has_weights: bool = False
    has_labels: bool = False


class Blocks(Protocol):
    """Rows that can be visited as often as needed, a block at a time, where they lie."""

    @property
    def form(self) -> Form: ...

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        """What the work returns of every block, in their order, done where the blocks lie.

        The same rows are in the same blocks each time, whoever works, with so many threads. By default it has those of
        the place.
        """


def is_blocks(X: object) -> TypeGuard[Blocks]:
    """Whether users have handed in a source of blocks, and no array."""
    return isinstance(getattr(X, "form", None), Form)
