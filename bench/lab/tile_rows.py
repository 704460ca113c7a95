"""How many rows a tile should have.

Taught: sums over lanes at the end of a tile want long tiles, the M-step's eight lines of features want half of a
first-level cache: 2 KiB a line, 256 rows of float64 and 512 of float32. Tiles of 512 float64 cost up to a tenth at
d = 32, tiles of 256 float32 as much at every d ≥ 16.
"""

from functools import partial

import numpy as np

from bench.lab.common import largest_difference, show
from bench.problems import Problem, generate
from bench.yardstick import best_times
from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import Section, Slots
from fastgmm.rows import Rows

SHAPES = ((100_000, 8, 16), (50_000, 16, 32), (20_000, 32, 32), (10_000, 64, 32))


def sweep(rows: Rows, prepared: object, tile_rows: int) -> Slots:
    """All rows as one chunk."""
    n_rows, d = rows.shape
    k = len(prepared.means)
    slots = Slots(np.zeros((1, k)), np.zeros((1, k, d)), np.zeros((1, k, d, d)), np.zeros((1, 2)))
    get_backend("numba").sweep(rows, prepared, Section(1, n_rows, tile_rows, 0, n_rows), slots, 1)
    return slots


def main() -> None:
    for dtype in ("float64", "float32"):
        for shape in SHAPES:
            problem = Problem("full", *shape, dtype=dtype)
            data, start = generate(problem)
            prepared = FAMILIES["full"].prepare(start, data.dtype)
            runs = {f"{tile}": partial(sweep, Rows(data), prepared, tile) for tile in (256, 64, 128, 512, 1024)}
            second = [run().second for run in runs.values()]
            assert max(largest_difference(each, second[0]) for each in second) < (1e-12 if dtype == "float64" else 1e-4)
            show(f"{problem.name}, time by rows of a tile", best_times(runs))


main()
