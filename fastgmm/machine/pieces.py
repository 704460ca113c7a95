"""Pieces of large arrays, so that what is computed from them on the way takes little memory."""

from collections.abc import Iterator

from fastgmm.machine.waiting import check

# So much stays in a second-level cache, half of one of 2 MB, and products of it are so small that BLAS keeps to one
# thread: on a busy machine it may wait long for others. The number was chosen by hand.
_PIECE_BYTES = 2**20


def pieces(length: int, n_bytes: int, at_least: int = 1) -> Iterator[slice]:
    """Consecutive slices of ``length`` items of ``n_bytes`` each: 1 MB of them, or ``at_least`` so many items.

    Work that nobody waits for any more ends between two slices.
    """
    step = max(at_least, _PIECE_BYTES // max(1, n_bytes))
    for begin in range(0, length, step):
        check()
        yield slice(begin, min(begin + step, length))
