"""Copying rows into a tile, feature by feature: ``python -m bench.lab.rows``.

Taught: numbers gathered one by one wait for memory, since the few rows that a core can look ahead are read a feature at
a time; rows read four numbers at once and transposed in registers take 0.6 to 0.75 of that, with 2 features 0.85.
"""

from functools import partial

import numba
import numpy as np

from bench.lab.common import largest_difference, show
from bench.yardstick import best_times
from fastgmm.kernels.numba_.panels import lines, load_transposed, store_panel
from fastgmm.kernels.numba_.vector import gather, lanes, pointer, store

TILE_ROWS, STRIDE = 256, 264


@numba.njit
def number_by_number(values, tile):
    d = values.shape[1]
    for first in range(0, values.shape[0], TILE_ROWS):
        for t in range(0, TILE_ROWS, lanes(tile)):
            for j in range(d):
                at = (first + t) * d
                store(tile, j * STRIDE + t, gather(pointer(values, 0), (at, d), j, tile))


@numba.njit
def row_by_row(values, tile):
    d = values.shape[1]
    for first in range(0, values.shape[0], TILE_ROWS):
        for t in range(0, TILE_ROWS, lanes(tile)):
            for j in range(0, d, 2 if d == 2 else 4):
                starts = ((first + t) * d, d)
                if d == 2:
                    panel = load_transposed(pointer(values, 0), starts, j, tile, lines(2))
                    store_panel(tile, j * STRIDE + t, STRIDE, panel)
                else:
                    wide = load_transposed(pointer(values, 0), starts, j, tile, lines(4))
                    store_panel(tile, j * STRIDE + t, STRIDE, wide)


def main() -> None:
    rng = np.random.default_rng(0)
    for d in (2, 8, 16, 64, 128):
        values = rng.standard_normal((8_000_000 // d // TILE_ROWS * TILE_ROWS, d))
        tiles = [np.zeros(d * STRIDE), np.zeros(d * STRIDE)]
        kernels = {"number by number": number_by_number, "row by row": row_by_row}
        for kernel, tile in zip(kernels.values(), tiles, strict=True):
            kernel(values, tile)
        assert largest_difference(*tiles) == 0.0
        seconds = best_times({name: partial(kernel, values, tiles[0]) for name, kernel in kernels.items()})
        show(f"{values.shape[0]:,} x {d}", seconds)


if __name__ == "__main__":
    main()
