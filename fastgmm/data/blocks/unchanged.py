"""Files are read in every pass: whether they are still those that they were in the first."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fastgmm.data.blocks.cutting import Piece
from fastgmm.machine.waiting import check
from fastgmm.machine.whole_file import AnyPath


@dataclass(frozen=True)
class Stamp:
    """By what a file is told from another one of that name."""

    path: str
    size: int
    changed_at: int


def stamps_of(paths: Sequence[AnyPath]) -> tuple[Stamp, ...]:
    """Those of files; ``OSError`` where one does not exist."""
    return tuple(_stamp_of(path) for path in paths)


def _stamp_of(path: AnyPath) -> Stamp:
    found = os.stat(path)
    return Stamp(os.path.abspath(path), found.st_size, found.st_mtime_ns)


def unchanged(stamps: Sequence[Stamp], pieces: Callable[[], Iterator[Piece]]) -> Iterator[Piece]:
    """One pass, which raises ``ValueError`` where a file is another one before it, or has become one after it."""
    _require_unchanged(stamps)
    try:
        for piece in pieces():
            check()
            yield piece
    except (ValueError, OSError):
        _require_unchanged(stamps)  # which is why it could not be read
        raise
    _require_unchanged(stamps)


def _require_unchanged(stamps: Sequence[Stamp]) -> None:
    for stamp in stamps:
        if _stamp_of(stamp.path) != stamp:
            raise ValueError(
                f"{stamp.path} has changed since it was named as a source: EM reads the same rows in every iteration. "
                "Make the source anew"
            )
