"""What passes between the library and a backend: rows in, slots of moments or row outputs out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import Array, FloatArray

# A tile has at least 32 and at most 512 rows, which also divide chunks and sections: 32 are two vectors of 16 float32,
# the fewest that kernels take at a time.
LARGEST_TILE = 512
SMALLEST_TILE = 32
# Of the sizes that `bench.lab.tile_rows` tried, 2 KB for a line were the best: the eight lines that the M-step reads
# again and again are half of a first-level cache. All lines of a tile are at most half of a second-level one of 1 MB.
_LINE_BYTES = 2048
_TILE_BYTES = 512 * 1024
# A chunk has at least two tiles, since fewer rows do not repay the clearing and merging of a slot.
_SMALLEST_CHUNK = 1024
# A power of two, chosen by hand, divides evenly among most numbers of threads.
_MOST_CHUNKS = 128
# Slots are what a sweep adds to the memory of the data. Where one slot is enormous, four threads still find work.
_SLOT_BYTES = 32 * 2**20
_FEWEST_CHUNKS = 4
# Between two calls of a kernel we look whether the deadline has passed, and whether anyone still waits. So for each
# thread a call takes so many multiply-adds, some 10 to 60 ms, and so many bytes of rows and outputs, some 50 ms where a
# file is read, or memory touched for the first time.
_SECTION_WORK = 5e8
_SECTION_BYTES = 32 * 2**20
# So many multiply-adds, some 50 to 100 μs, repay handing them to another thread.
_THREAD_WORK = 5e5
# Multiply-adds that an exponential is worth: 11 of its polynomial, and about as many instructions around them.
WORK_OF_AN_EXPONENTIAL = 20


# In place of further sums, for families that need none.
NO_EXTRA = np.empty(0)


class Slots(NamedTuple):
    """One slot of moments for each chunk; see ``moments.Moments``. ``totals`` holds Σw and Σw·log p(x).

    Of matrices kernels fill the lower triangles. Those of the tied family, (n_chunks, d, d), are not wanted in an
    array of length 0. ``extra`` (n_chunks, K, …) are the further sums that a family needs, of length 0 where none.
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    totals: FloatArray
    extra: FloatArray = NO_EXTRA


class Outputs(NamedTuple):
    """What ``log_density`` fills for every row; an array of length 0 is not wanted.

    ``log_density`` (n,) is log p(x); ``labels`` (n,) the component with the largest joint density; ``joint`` (n, K)
    the joint log-densities log wₖ + log N(x | k), or the responsibilities where ``normalize``.
    """

    log_density: Array
    labels: NDArray[np.int64]
    joint: Array
    normalize: bool


class Bounds(NamedTuple):
    """What a sweep over reordered rows knows from the one before, tile by tile; see ``sweeps/bounded.py``.

    ``order`` (n,) int32 says which row stands where. ``distances`` (n_tiles, K) float32 is at most the Mahalanobis
    distance of any of a tile's points to a component, under the parameters of the sweep before; under those of this
    one it is at least ``shrink[k]·distance − drift[k]``. ``matters`` (n_tiles, K) uint8 is 1 where a component had a
    responsibility. ``evaluated`` (n_chunks,) int64 counts pairs of a tile and a component whose densities were
    computed. A kernel brings distances and matters up to date.
    """

    order: NDArray[np.int32]
    distances: NDArray[np.float32]
    matters: NDArray[np.uint8]
    shrink: FloatArray
    drift: FloatArray
    evaluated: NDArray[np.int64]


class Section(NamedTuple):
    """The rows ``start … stop`` of every chunk."""

    n_chunks: int
    chunk_rows: int
    tile_rows: int
    start: int
    stop: int


@dataclass(frozen=True)
class ChunkPlan:
    """How rows are cut; chunks follow from the shape of the problem alone, sections do not touch any result."""

    n_chunks: int
    chunk_rows: int
    tile_rows: int
    work_per_row: int
    bytes_per_row: int

    @property
    def useful_threads(self) -> int:
        """As many threads as have enough work to repay starting them; the number changes no result."""
        return max(1, min(self.n_chunks, int(self.n_chunks * self.chunk_rows * self.work_per_row / _THREAD_WORK)))

    def for_work(self, work_per_row: int) -> "ChunkPlan":
        """The same chunks of rows that take other work; tiles are smaller where one of every chunk would take long."""
        tile_rows = self.tile_rows
        while tile_rows > SMALLEST_TILE and self.n_chunks * tile_rows * work_per_row > _SECTION_WORK:
            tile_rows //= 2
        return replace(self, tile_rows=tile_rows, work_per_row=work_per_row)

    def sections(self, n_threads: int = 1) -> Iterator[Section]:
        """The sections in order; a section takes about as long whatever the number of threads."""
        rows = n_threads * _rows_of_a_call(self.work_per_row, self.bytes_per_row) // self.n_chunks
        rows = max(self.tile_rows, rows // LARGEST_TILE * LARGEST_TILE)
        for start in range(0, self.chunk_rows, rows):
            stop = min(start + rows, self.chunk_rows)
            yield Section(self.n_chunks, self.chunk_rows, self.tile_rows, start, stop)

    def blocks(self, n_rows: int, n_threads: int, work: int, n_bytes: int) -> Iterator[tuple[slice, Section]]:
        """Consecutive blocks of rows, each with the section of one kernel call, for outputs that every row has.

        ``work`` and ``n_bytes`` are those of a row. ``sections`` have a tile of every chunk at least, which takes
        seconds for large models; a block can be as short as a tile for each thread.
        """
        block_rows = n_threads * max(1, _rows_of_a_call(work, n_bytes) // self.tile_rows) * self.tile_rows
        for begin in range(0, n_rows, block_rows):
            stop = min(begin + block_rows, n_rows)
            n_tiles = -(-(stop - begin) // self.tile_rows)
            chunk_tiles = max(1, n_tiles // max(_MOST_CHUNKS, n_threads))
            n_chunks, chunk_rows = -(-n_tiles // chunk_tiles), chunk_tiles * self.tile_rows
            yield slice(begin, stop), Section(n_chunks, chunk_rows, self.tile_rows, 0, chunk_rows)


def _rows_of_a_call(work_per_row: int, bytes_per_row: int) -> int:
    """How many rows one call of a kernel should take for each thread."""
    return int(min(_SECTION_WORK / work_per_row, _SECTION_BYTES / bytes_per_row))


def plan_chunks(n_rows: int, n_features: int, n_components: int, itemsize: int, slot_numbers: int) -> ChunkPlan:
    """Cut ``n_rows`` rows; ``slot_numbers`` is how many float64 one slot holds.

    As many chunks as keep many cores busy and the slots within 32 MB, of at least a thousand rows each.
    """
    tile_rows = min(LARGEST_TILE, _LINE_BYTES // itemsize)
    while tile_rows > SMALLEST_TILE and tile_rows * (2 * n_features + n_components) * itemsize > _TILE_BYTES:
        tile_rows //= 2
    affordable = max(_FEWEST_CHUNKS, _SLOT_BYTES // (8 * max(1, slot_numbers)))
    n_chunks = max(1, min(_MOST_CHUNKS, affordable, n_rows // _SMALLEST_CHUNK))
    # A single chunk need not be longer than its rows, rounded up to tiles: later sections would find nothing to do.
    chunk_rows = _round_up(-(-n_rows // n_chunks), tile_rows if n_chunks == 1 else LARGEST_TILE)
    n_chunks = max(1, -(-n_rows // chunk_rows))
    work = work_of(1, n_features, n_components)
    return ChunkPlan(n_chunks, chunk_rows, tile_rows, work, n_features * itemsize)


def can_be_shared(n_rows: int) -> bool:
    """Whether a sweep has more than one chunk, so that there may be something to do for a second thread."""
    return n_rows >= 2 * _SMALLEST_CHUNK


def work_of(n_rows: int, n_features: int, n_components: int) -> int:
    """About how many multiply-adds a sweep takes, from the shape alone: those of the full family for all."""
    return n_rows * n_components * (n_features * (n_features + 1) + WORK_OF_AN_EXPONENTIAL)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


# The section of fewer rows than the smallest tile: to plan one would take longer than to score a single row.
ONE_SMALL_TILE = Section(1, SMALLEST_TILE, SMALLEST_TILE, 0, SMALLEST_TILE)
