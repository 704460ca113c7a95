"""Blocks whose passes somebody watches: which pass it is, and how many rows it has read."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastgmm.data.blocks.block import Block, Blocks, Form, Work
from fastgmm.machine.waiting import in_caller

T = TypeVar("T")


@dataclass(frozen=True)
class Visit:
    """How far a pass over rows in blocks has come, as ``blocks_of(..., on_block=...)`` is told.

    Attributes
    ----------
    number : int
        Of the pass, from 1. The first looks at all rows, and every iteration of EM is another one.
    n_rows : int
        How many it has read.
    n_rows_of_all : int or None
        How many there are; None in the first pass.
    """

    number: int
    n_rows: int
    n_rows_of_all: int | None


@dataclass(eq=False)
class WatchedBlocks:
    """Other blocks, of which a watcher is told after each, in the caller's thread."""

    blocks: Blocks
    watcher: Callable[[Visit], object]
    _n_passes: int = field(default=0, init=False)
    _n_rows_of_all: int | None = field(default=None, init=False)

    @property
    def form(self) -> Form:
        return self.blocks.form

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        self._n_passes += 1
        number, n_rows = self._n_passes, 0
        with closing(self.blocks.map(_Counted(work), n_threads)) as results:
            for own, result in results:
                n_rows += own
                in_caller(self.watcher, Visit(number, n_rows, self._n_rows_of_all))
                yield result
        self._n_rows_of_all = n_rows


@dataclass(frozen=True, eq=False)
class _Counted(Generic[T]):
    work: Work[T]

    def __call__(self, block: Block, n_threads: int) -> tuple[int, T]:
        return len(block.values), self.work(block, n_threads)
