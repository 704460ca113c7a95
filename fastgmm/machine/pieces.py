"""Pieces of large arrays, so that what is computed from them on the way takes little memory."""

from collections.abc import Iterator

from fastgmm.machine.waiting import check

# Half a second-level cache, and too little for BLAS to wait for threads on a busy machine.
_PIECE_BYTES = 2**20


def pieces(length: int, n_bytes: int, at_least: int = 1) -> Iterator[slice]:
    """Consecutive slices of ``length`` items of ``n_bytes`` each, ``at_least`` so many; few items are one piece.

    Work that nobody waits for any more ends between two of them.
    """
    step = max(at_least, _PIECE_BYTES // max(1, n_bytes))
    for begin in range(0, length, step):
        check()
        yield slice(begin, min(begin + step, length))
