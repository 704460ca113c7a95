"""Blocks whose passes somebody watches: which pass it is, and how many rows it has read."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from fastgmm.data.blocks.block import Block, Blocks, Form, Work
from fastgmm.machine.waiting import in_caller

T = TypeVar("T")


@dataclass(frozen=True)
class Visit:
    """How far a pass over rows in blocks has come, as ``blocks_of(..., on_block=...)`` is told.

    Attributes
    ----------
    number : int
        Of the pass, from 1, over the life of the source: another fit of it, or ``predict``, goes on counting. A fit
        begins with a pass that looks at all rows, and every iteration of EM is another one.
    n_rows : int
        How many it has read.
    n_rows_of_all : int or None
        How many there are; None as long as no pass over the source has come to its end.
    """

    number: int
    n_rows: int
    n_rows_of_all: int | None


@dataclass(eq=False)
class WatchedBlocks:
    """Other blocks, of which a watcher is told after each, in the caller's thread; they are closed as those are."""

    blocks: Blocks
    watcher: Callable[[Visit], object]
    _n_passes: int = field(default=0, init=False)
    _n_rows_of_all: int | None = field(default=None, init=False)

    @property
    def form(self) -> Form:
        return self.blocks.form

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the other blocks, where there is anything to close."""
        close = getattr(self.blocks, "close", None)
        if close is not None:
            close()

    def with_scores(self, *arguments: Any, **named: Any) -> Any:
        """That of the other blocks, which only those of Spark have."""
        blocks: Any = self.blocks
        return blocks.with_scores(*arguments, **named)

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        self._n_passes += 1
        number, n_rows = self._n_passes, 0
        with closing(self.blocks.map(_Counted(work), n_threads)) as results:
            for own, result in results:
                n_rows += own
                self._tell(Visit(number, n_rows, self._n_rows_of_all))
                yield result
        self._n_rows_of_all = n_rows

    def _tell(self, visit: Visit) -> None:
        try:
            in_caller(self.watcher, visit)
        except StopIteration as error:  # which from within a generator would be an error without a cause in sight
            raise RuntimeError(
                "on_block raised StopIteration, which would leave a pass unfinished: callbacks=[...] may end a fit by "
                "it after an iteration"
            ) from error


@dataclass(frozen=True, eq=False)
class _Counted(Generic[T]):
    work: Work[T]

    def __call__(self, block: Block, n_threads: int) -> tuple[int, T]:
        return len(block.values), self.work(block, n_threads)
