"""Blocks that this process decodes, one ahead of the one that is worked on."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from fastgmm.data.blocks.block import Block, Form, Work
from fastgmm.data.blocks.cutting import Piece, cut
from fastgmm.machine.ahead import one_ahead
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Reader:
    """What decodes rows: ``pieces`` does so in order, anew each time that it is called.

    ``is_ready`` says that there is nothing to decode, so that nothing would be gained by doing it ahead.
    """

    form: Form
    pieces: Callable[[], Iterator[Piece]]
    is_ready: bool = False


@dataclass(frozen=True, eq=False)
class LocalBlocks:
    """A :class:`fastgmm.data.blocks.block.Blocks` of what a reader decodes."""

    reader: Reader
    block_rows: int

    @property
    def form(self) -> Form:
        return self.reader.form

    def blocks(self) -> Generator[Block, None, None]:
        return cut(self.reader.pieces(), self.block_rows, self.form.dtype)

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        return worked_on(self.blocks() if self.reader.is_ready else one_ahead(self.blocks()), work, n_threads)


def worked_on(blocks: Generator[Block, None, None], work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
    """What the work returns of each block, which is closed with the generator."""
    threads = resolve_n_threads(n_threads)
    with closing(blocks):
        for block in blocks:
            check()
            yield work(block, threads)
