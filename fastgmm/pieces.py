"""Pieces of large arrays: a call of NumPy on one takes milliseconds, and signals are answered between them."""

from collections.abc import Iterator

# Some 5 ms of memory touched for the first time; and temporary copies of a piece are no memory worth a word.
_PIECE_BYTES = 4 * 2**20


def pieces(length: int, n_bytes: int, at_least: int = 1) -> Iterator[slice]:
    """Consecutive slices of ``length`` items of ``n_bytes`` each, ``at_least`` so many; few items are one piece."""
    step = max(at_least, _PIECE_BYTES // max(1, n_bytes))
    for begin in range(0, length, step):
        yield slice(begin, min(begin + step, length))
