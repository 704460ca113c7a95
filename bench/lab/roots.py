"""The M-step's sum S = Σ r(x − μ)(x − μ)ᵀ of four features with four others: where the responsibility goes.

Taught: multiplied within the panel it costs four multiplications beside sixteen multiply-adds, again in each panel of
a row; stored with the differences, as √r·(x − μ), nothing, and there is one array to read instead of two.
"""

from functools import partial

import numba
import numpy as np

from bench.lab.common import largest_difference, show
from bench.yardstick import best_times
from fastgmm.kernels.numba_.panels import add_outer, add_panel_sums, lines, load_panel, scale_rows, zeros
from fastgmm.kernels.numba_.vector import lanes, load, pointer

STRIDE, N_POINTS, REPEATS = 264, 256, 2000


@numba.njit
def with_weights(z, r, sums, repeats):
    for _ in range(repeats):
        total = zeros(z, lines(4), lines(4))
        for t in range(0, N_POINTS, lanes(z)):
            left = scale_rows(load_panel(z, t, STRIDE, lines(4), lines(1)), load(r, t))
            total = add_outer(total, left, load_panel(z, 4 * STRIDE + t, STRIDE, lines(4), lines(1)))
        add_panel_sums(pointer(sums, 0), 0, 4, total)


@numba.njit
def with_roots(u, sums, repeats):
    for _ in range(repeats):
        total = zeros(u, lines(4), lines(4))
        for t in range(0, N_POINTS, lanes(u)):
            left = load_panel(u, t, STRIDE, lines(4), lines(1))
            total = add_outer(total, left, load_panel(u, 4 * STRIDE + t, STRIDE, lines(4), lines(1)))
        add_panel_sums(pointer(sums, 0), 0, 4, total)


def main() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        z = rng.normal(size=(8, STRIDE)).astype(dtype)
        r = rng.uniform(size=STRIDE).astype(dtype)
        u = z * np.sqrt(r)
        table = z[:, :N_POINTS].astype(np.float64)
        true = (table[:4] * r[:N_POINTS]) @ table[4:].T
        results = {"weights": np.zeros((4, 4)), "roots": np.zeros((4, 4))}
        with_weights(z.ravel(), r, results["weights"], 1)
        with_roots(u.ravel(), results["roots"], 1)
        tolerance = 1e-13 if dtype == np.float64 else 1e-5
        assert all(largest_difference(sums, true) < tolerance for sums in results.values())
        runs = {
            "weights": partial(with_weights, z.ravel(), r, np.zeros((4, 4)), REPEATS),
            "roots": partial(with_roots, u.ravel(), np.zeros((4, 4)), REPEATS),
        }
        show(f"{np.dtype(dtype).name}, time of a 4 × 4 panel", best_times(runs))


main()
